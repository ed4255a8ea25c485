//! One request of the data plane.

use std::future::Future;
use std::num::NonZeroU32;
use std::sync::Arc;

use airlock_mcp::{Body, Guard, Mcp, Passed, Refusal, TaskKey, ToolServer};
use airlock_registry::{AppRecord, Registry};
use bytes::Bytes;
use futures_util::future;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};

use crate::call::{Service, Services};

/// What the data plane answers with.
pub type Answer = Response<Either<Body, Full<Bytes>>>;

/// Wrong addresses that are answered each second, and in one burst. One bound for all callers holds no memory for any
/// of them; a right address never meets it.
const MISSES_PER_SECOND: NonZeroU32 = NonZeroU32::new(20).expect("20 is not zero");
const MISSES_AT_ONCE: NonZeroU32 = NonZeroU32::new(100).expect("100 is not zero");

/// Everything that a request meets.
pub struct Door {
    registry: Arc<Registry>,
    services: Services,
    mcp: Mcp,
    guard: Guard,
    misses: DefaultDirectRateLimiter,
}

impl Door {
    /// A door to the apps of `registry`.
    #[must_use]
    pub fn new(registry: Arc<Registry>, services: Services, mcp: Mcp, guard: Guard) -> Self {
        let quota = Quota::per_second(MISSES_PER_SECOND).allow_burst(MISSES_AT_ONCE);
        Self {
            registry,
            services,
            mcp,
            guard,
            misses: RateLimiter::direct(quota),
        }
    }

    /// Goes on with the tasks whose calls ran when the server stopped, and ends those that cannot go on. To be done before
    /// the first request: what runs later is not to be taken for them.
    pub async fn resume_tasks(&self) {
        let running = match self.registry.running_tasks().await {
            Ok(running) => running,
            Err(error) => {
                tracing::error!(%error, "the tasks that ran cannot be looked up");
                return;
            }
        };
        let snapshot = self.registry.snapshot();
        for (app, key) in running {
            let Some(record) = snapshot.get(app.as_str()) else {
                continue;
            };
            // An app that was switched off meanwhile runs nothing, as if the server had been there.
            let service = match snapshot.lease(&app) {
                Some(lease) => self.services.of(&lease),
                None => self.services.of_disabled(record),
            };
            match service {
                Ok(service) => {
                    self.resume_task(service, record, TaskKey::from_bytes(key))
                        .await
                }
                Err(error) => {
                    tracing::error!(app = %record.slug, %error, "an app cannot be served")
                }
            }
        }
    }

    async fn resume_task(&self, service: Arc<Service>, app: &AppRecord, key: TaskKey) {
        let can = app.enabled && service.can_resume(key).await;
        let server: Arc<dyn ToolServer> = Arc::clone(&service) as _;
        let resumed = can
            && self.mcp.resume(&server, key).await.unwrap_or_else(|error| {
                tracing::error!(app = %app.slug, %error, "a task cannot be looked up");
                false
            });
        if resumed {
            tracing::info!(app = %app.slug, "a task goes on");
        } else {
            tracing::info!(app = %app.slug, "a task was interrupted");
            service.stop_runs(key).await;
            self.mcp.interrupt(&server, key).await;
        }
    }

    /// Waits until no task runs any more.
    pub async fn idle(&self) {
        self.mcp.idle().await;
    }

    /// Ends the streams of clients that only listen, for a server that stops.
    pub fn close(&self) {
        self.mcp.close();
    }

    /// Answers one request. No part of its path reaches a log: the path is the credential.
    pub fn answer<B: http_body::Body>(
        self: &Arc<Self>,
        request: Request<B>,
    ) -> impl Future<Output = Answer> + use<B> {
        let (server, passed) = match self.meet(&request) {
            Ok(met) => met,
            Err(answer) => return future::Either::Left(future::ready(*answer)),
        };
        let door = Arc::clone(self);
        future::Either::Right(async move {
            let mut response = door.mcp.serve(request, server).await;
            passed.mark(response.headers_mut());
            response.map(Either::Left)
        })
    }

    /// Whom a request is for, or what it is answered without asking anyone.
    fn meet<B>(&self, request: &Request<B>) -> Result<(Arc<dyn ToolServer>, Passed), Box<Answer>> {
        if let Some(answer) = health(request) {
            return Err(answer.into());
        }
        let Some(code) = code(request.uri().path()) else {
            return Err(self.missed().into());
        };
        let refused = |refusal: Refusal| refusal.response().map(Either::Left);
        let passed = self.guard.check(request).map_err(refused)?;
        if let Some(preflight) = passed.preflight(request) {
            return Err(preflight.map(Either::Left).into());
        }
        let Some(lease) = self.registry.snapshot().by_address(code) else {
            return Err(self.missed().into());
        };
        let service = self.services.of(&lease).map_err(|error| {
            tracing::error!(app = %lease.app.slug, %error, "an app cannot be served");
            plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "This app cannot be served at the moment.\n",
            )
        })?;
        Ok((service, passed))
    }

    /// The answer for every address that leads nowhere: unknown, replaced, disabled, or none at all.
    fn missed(&self) -> Answer {
        if self.misses.check().is_ok() {
            return airlock_mcp::not_found().map(Either::Left);
        }
        let mut answer = plain(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many requests to addresses that do not exist.\n",
        );
        answer
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("5"));
        answer
    }
}

/// `/server/{code}/mcp`. The end is for Dify: as a client it picks its transport by the path's last segment.
fn code(path: &str) -> Option<&str> {
    let code = path
        .strip_prefix("/server/")?
        .trim_end_matches('/')
        .strip_suffix("/mcp")?;
    (!code.is_empty() && !code.contains('/')).then_some(code)
}

/// `/livez`: the process answers. `/readyz`: it serves; Dify being away does not change that, since lists still answer.
fn health<B>(request: &Request<B>) -> Option<Answer> {
    let known = matches!(request.uri().path(), "/livez" | "/readyz");
    (known && matches!(*request.method(), Method::GET | Method::HEAD))
        .then(|| plain(StatusCode::OK, "ok\n"))
}

fn plain(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Response::new(Either::Right(Full::new(Bytes::from_static(
        text.as_bytes(),
    ))));
    *answer.status_mut() = status;
    answer.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_apps_address_has_a_code() {
        assert_eq!(code("/server/abc/mcp"), Some("abc"));
        assert_eq!(code("/server/abc/mcp/"), Some("abc"));
        for path in [
            "/",
            "/server//mcp",
            "/server/a/b/mcp",
            "/server/abc",
            "/mcp",
            "/server/mcp",
        ] {
            assert_eq!(code(path), None, "{path}");
        }
    }
}
