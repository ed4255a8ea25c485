//! Where Dify is, and every bound on talking to it.

use std::time::Duration;

use url::Url;

/// Where Dify is, and the bounds. [`Config::new`] fills in defaults that suit a Dify as its compose file starts it.
#[derive(Debug, Clone)]
pub struct Config {
    /// The Service API, `…/v1`; see [`parse_base`].
    pub base: Url,
    /// Connections to Dify at once, over all apps. Dify's default api container takes 10, streams included, and others
    /// want some of them.
    pub in_flight: usize,
    /// Runs at once of one app, so that no app takes the whole of [`Config::in_flight`].
    pub per_app: usize,
    /// Requests that may wait for a slot; one more is refused at once.
    pub queue: usize,
    /// How long a request waits for a slot before it is refused.
    pub queue_wait: Duration,
    /// For the TCP connection.
    pub connect_timeout: Duration,
    /// For a whole JSON exchange (facts, the state of a run).
    pub read_timeout: Duration,
    /// Silence, in bytes, after which a workflow's or chatflow's stream counts as dead. Dify pings every 10 s.
    pub idle_flow: Duration,
    /// The same for the other modes, which have no pings: a slow model says nothing until its first word.
    pub idle_chat: Duration,
    /// How long a run is followed while Dify does not say how it stands. After a restart of both, Dify's takes longer.
    pub patience: Duration,
    /// Most bytes of an answer's text that are kept; the rest is dropped and the answer marked as truncated.
    pub answer_cap: usize,
    /// Most bytes of one event, or of one JSON body. Dify echoes whole values in every node event.
    pub event_cap: usize,
}

impl Config {
    /// The defaults for a Dify at `base`.
    pub fn new(base: Url) -> Self {
        Self {
            base,
            in_flight: 6,
            per_app: 3,
            queue: 64,
            queue_wait: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(30),
            idle_flow: Duration::from_secs(60),
            idle_chat: Duration::from_secs(300),
            patience: Duration::from_secs(300),
            answer_cap: 4 << 20,
            event_cap: 8 << 20,
        }
    }
}

/// Why a text is no address of Dify's Service API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaseError {
    /// Not a URL at all.
    #[error("not a URL ({0}); write it like http://api:5001/v1")]
    NotUrl(#[from] url::ParseError),
    /// Neither http nor https.
    #[error("the scheme {0} is not spoken; write http:// or https://")]
    Scheme(String),
    /// User name or password in the URL, which logs would repeat.
    #[error(
        "the URL holds a user name or a password; Dify's Service API takes neither, remove them"
    )]
    Credentials,
    /// A query or a fragment, which no base can have.
    #[error("the URL holds a query or a fragment; give the address alone, like http://api:5001/v1")]
    Query,
}

/// Reads the address of Dify's Service API. `http://host`, `http://host/v1` and `http://host/v1/` are the same.
pub fn parse_base(text: &str) -> Result<Url, BaseError> {
    normal(Url::parse(text.trim())?)
}

/// The one form of a base that paths are appended to.
pub(crate) fn normal(mut url: Url) -> Result<Url, BaseError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(BaseError::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BaseError::Credentials);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(BaseError::Query);
    }
    let path = url.path().trim_end_matches('/');
    let path = if path.ends_with("/v1") {
        path.to_owned()
    } else {
        format!("{path}/v1")
    };
    url.set_path(&path);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_the_base_means_the_same() {
        for (text, base) in [
            ("http://api:5001", "http://api:5001/v1"),
            ("http://api:5001/", "http://api:5001/v1"),
            (" http://api:5001/v1\n", "http://api:5001/v1"),
            ("http://api:5001/v1/", "http://api:5001/v1"),
            ("https://host/dify", "https://host/dify/v1"),
            ("https://host/dify/v1//", "https://host/dify/v1"),
        ] {
            assert_eq!(
                parse_base(text).expect("a good base").as_str(),
                base,
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_base_that_cannot_work_is_refused() {
        assert!(matches!(parse_base("api:5001"), Err(BaseError::Scheme(_))));
        assert!(matches!(parse_base("ftp://api"), Err(BaseError::Scheme(_))));
        assert!(matches!(parse_base("/v1"), Err(BaseError::NotUrl(_))));
        assert!(matches!(
            parse_base("http://me:pw@api"),
            Err(BaseError::Credentials)
        ));
        assert!(matches!(
            parse_base("http://me@api"),
            Err(BaseError::Credentials)
        ));
        assert!(matches!(
            parse_base("http://api/v1?x=1"),
            Err(BaseError::Query)
        ));
    }
}
