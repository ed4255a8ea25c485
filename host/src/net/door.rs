//! One request of the data plane.

use std::num::NonZeroU32;
use std::sync::Arc;

use airlock_mcp::{Body, Guard, Mcp, TaskKey, ToolServer};
use airlock_registry::{AppRecord, Registry};
use bytes::Bytes;
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

    async fn resume_task(&self, service: Service, app: &AppRecord, key: TaskKey) {
        let can = app.enabled && service.can_resume(key).await;
        let server: Arc<dyn ToolServer> = Arc::new(service.clone());
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
    pub async fn answer<B: http_body::Body>(&self, request: Request<B>) -> Answer {
        if let Some(answer) = health(&request) {
            return answer;
        }
        let Some(code) = code(request.uri().path()).map(str::to_owned) else {
            return self.missed();
        };
        let (parts, body) = request.into_parts();
        let passed = match self.guard.check(&parts) {
            Ok(passed) => passed,
            Err(refusal) => return refusal.response().map(Either::Left),
        };
        if let Some(preflight) = passed.preflight(&parts) {
            return preflight.map(Either::Left);
        }
        let Some(lease) = self.registry.snapshot().by_address(&code) else {
            return self.missed();
        };
        let service = match self.services.of(&lease) {
            Ok(service) => service,
            Err(error) => {
                tracing::error!(app = %lease.app.slug, %error, "an app cannot be served");
                return plain(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "This app cannot be served at the moment.\n",
                );
            }
        };
        let mut response = self
            .mcp
            .serve(Request::from_parts(parts, body), Arc::new(service))
            .await;
        passed.mark(response.headers_mut());
        response.map(Either::Left)
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
