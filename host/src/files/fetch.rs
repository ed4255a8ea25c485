//! Fetches what an address of a caller's, or of an app's answer, leads to. Such an address is chosen by a stranger, so it
//! is judged where it leads, and not by how it is written.

use std::error::Error;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use url::{Host, Url};

use super::public::OpenPlaces;

/// Redirects that are followed.
const REDIRECTS: usize = 5;
/// For the TCP connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// For everything, redirects and body included.
const WITHIN: Duration = Duration::from_secs(30);

/// What was fetched.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The body.
    pub bytes: Bytes,
    /// What its server says it is; may be empty.
    pub mime_type: String,
}

/// Why nothing was fetched. The words are for the caller, and name no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotFetched {
    /// Another scheme, no host, or a user name in it.
    #[error("its address is not a plain http or https address")]
    Address,
    /// It leads to what is nobody's business outside.
    #[error("its address leads to a private network, from which this server fetches nothing")]
    Private,
    /// Nobody answers there.
    #[error("its address cannot be reached")]
    Unreachable,
    /// It leads on and on.
    #[error("its address leads on to others without end")]
    Redirects,
    /// Another status than 200.
    #[error("its address answers with status {0}")]
    Status(u16),
    /// More than was asked for.
    #[error("it has more than {} MiB", .0 >> 20)]
    TooLarge(usize),
    /// The time is over.
    #[error("its address did not give it within {} s", WITHIN.as_secs())]
    TooSlow,
}

/// Fetches within bounds.
#[derive(Debug)]
pub struct Fetcher {
    client: Client<HttpsConnector<HttpConnector<Checked>>, Empty<Bytes>>,
    places: OpenPlaces,
}

/// Resolves names, and gives the connector none but addresses that may be gone to. The connector connects to exactly
/// these, so a name that means something else a moment later (DNS rebinding) gains nothing.
#[derive(Debug, Clone)]
struct Checked(OpenPlaces);

#[derive(Debug, thiserror::Error)]
#[error("every address of this name is closed")]
struct Closed;

impl tower_service::Service<Name> for Checked {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let places = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let named = places.host(name.as_str());
            let open: Vec<SocketAddr> = found
                .filter(|address| named || places.address(address.ip()))
                .collect();
            if open.is_empty() {
                return Err(Closed.into());
            }
            Ok(open.into_iter())
        })
    }
}

impl Fetcher {
    /// One that goes to public places, and to `places`.
    #[must_use]
    pub fn new(places: OpenPlaces) -> Self {
        let mut http = HttpConnector::new_with_resolver(Checked(places.clone()));
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT_WITHIN));
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            // No connection outlives its request, and so none serves an address that was not checked for it.
            .pool_max_idle_per_host(0)
            .build(connector);
        Self { client, places }
    }

    /// Fetches `url`, `limit` bytes at most.
    ///
    /// # Errors
    /// [`NotFetched`].
    pub async fn fetch(&self, url: &Url, limit: usize) -> Result<Fetched, NotFetched> {
        tokio::time::timeout(WITHIN, self.follow(url.clone(), limit))
            .await
            .unwrap_or(Err(NotFetched::TooSlow))
    }

    async fn follow(&self, mut url: Url, limit: usize) -> Result<Fetched, NotFetched> {
        for _ in 0..=REDIRECTS {
            let response = self.get(&url).await?;
            match response.status() {
                StatusCode::OK => return body(response, limit).await,
                status if status.is_redirection() => {
                    let next = text(response.headers(), &LOCATION);
                    url = next
                        .and_then(|next| url.join(next).ok())
                        .ok_or(NotFetched::Status(status.as_u16()))?;
                }
                status => return Err(NotFetched::Status(status.as_u16())),
            }
        }
        Err(NotFetched::Redirects)
    }

    async fn get(&self, url: &Url) -> Result<Response<Incoming>, NotFetched> {
        self.judge(url)?;
        let request = Request::get(url.as_str())
            .header(USER_AGENT, "airlock")
            .body(Empty::new())
            .map_err(|_| NotFetched::Address)?;
        self.client.request(request).await.map_err(|error| {
            let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
            while let Some(error) = cause {
                if error.is::<Closed>() {
                    return NotFetched::Private;
                }
                cause = error.source();
            }
            NotFetched::Unreachable
        })
    }

    /// What can be told before a name is resolved. The connector asks no resolver about a host that is an address.
    fn judge(&self, url: &Url) -> Result<(), NotFetched> {
        if !is_plain(url) {
            return Err(NotFetched::Address);
        }
        let open = match url.host() {
            Some(Host::Ipv4(address)) => self.places.address(address.into()),
            Some(Host::Ipv6(address)) => self.places.address(address.into()),
            Some(Host::Domain(_)) => true,
            None => return Err(NotFetched::Address),
        };
        if open {
            Ok(())
        } else {
            Err(NotFetched::Private)
        }
    }
}

/// An http or https address of a host, without a user's name or password.
#[must_use]
pub fn is_plain(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
}

async fn body(response: Response<Incoming>, limit: usize) -> Result<Fetched, NotFetched> {
    let (head, body) = response.into_parts();
    let declared = text(&head.headers, &CONTENT_LENGTH).and_then(|length| length.parse().ok());
    if declared.is_some_and(|length: usize| length > limit) {
        return Err(NotFetched::TooLarge(limit));
    }
    let body = Limited::new(body, limit).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            NotFetched::TooLarge(limit)
        } else {
            NotFetched::Unreachable
        }
    })?;
    let kind = text(&head.headers, &CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    Ok(Fetched {
        bytes: body.to_bytes(),
        mime_type: kind.to_ascii_lowercase(),
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
