//! Who may call from a browser, and under which name: the Origin and Host of a request.
//!
//! A web page can make its visitor's browser post to a server that only the visitor reaches, and with DNS rebinding even
//! read the answer. An Origin tells such a request from a program's; a Host tells it where the server is local.

use std::net::Ipv4Addr;

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{self, HeaderName},
    uri::Authority,
};

use crate::{
    Body,
    fault::Fault,
    reply::{self, ReplyTo},
};

/// What an operator allows; `*` in either list allows all.
#[derive(Clone, Debug, Default)]
pub struct GuardConfig {
    /// `AIRLOCK_ALLOWED_ORIGINS`: origins of web pages that may call, such as `https://chat.example.com`.
    pub origins: Vec<String>,
    /// `AIRLOCK_ALLOWED_HOSTS`: names under which the server answers, with or without a port.
    pub hosts: Vec<String>,
    /// `AIRLOCK_PUBLIC_URL`: its own origin and host are allowed.
    pub public_url: Option<String>,
    /// Is the server bound to loopback? Then pages served from this machine may call, and names of other machines are
    /// refused.
    pub loopback: bool,
}

/// A setting that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// The text is no origin.
    #[error("{0:?} is no origin: write scheme and host, such as https://chat.example.com")]
    Origin(String),
    /// The text is no host.
    #[error("{0:?} is no host: write a name, such as mcp.example.com or mcp.example.com:8443")]
    Host(String),
}

/// Judges requests before anything else of them is read.
#[derive(Clone, Debug)]
pub struct Guard {
    origins: Vec<String>,
    any_origin: bool,
    hosts: Vec<Name>,
    /// `hosts` as they were given.
    spelt: Vec<String>,
    any_host: bool,
    loopback: bool,
}

/// A host, and a port if it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    host: String,
    port: Option<u16>,
}

/// Why a request may go no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It comes from a web page that is not allowed.
    Origin,
    /// It asks for a name that is not ours.
    Host,
}

/// A request that may go on, and for which web page, if any.
#[derive(Clone, Debug)]
#[must_use = "a browser shows its page only what the response is marked for"]
pub struct Passed(Option<HeaderValue>);

impl Guard {
    /// # Errors
    /// When a setting cannot be read.
    pub fn new(config: &GuardConfig) -> Result<Self, GuardError> {
        let all = |list: &[String]| list.iter().any(|item| item == "*");
        let mut guard = Self {
            origins: Vec::new(),
            any_origin: all(&config.origins),
            hosts: Vec::new(),
            spelt: Vec::new(),
            // A server that the network reaches under names we cannot know refuses none, until it is told its names.
            any_host: all(&config.hosts) || (!config.loopback && config.hosts.is_empty()),
            loopback: config.loopback,
        };
        for text in config.origins.iter().filter(|item| *item != "*") {
            let (origin, _) = origin(text).ok_or_else(|| GuardError::Origin(text.clone()))?;
            guard.origins.push(origin);
        }
        for text in config.hosts.iter().filter(|item| *item != "*") {
            let host = text
                .parse()
                .map_err(|_error| GuardError::Host(text.clone()))?;
            guard.hosts.push(Name::of(&host));
            guard.spelt.push(text.clone());
        }
        if let Some(url) = &config.public_url {
            let unreadable = || GuardError::Origin(url.clone());
            let authority = url.parse::<Uri>().ok().and_then(|uri| {
                let (own, _) = origin(&format!("{}://{}", uri.scheme_str()?, uri.authority()?))?;
                guard.origins.push(own);
                uri.authority().cloned()
            });
            // The port is left out: a proxy in front may pass its own.
            let host = Name::of(&authority.ok_or_else(unreadable)?).host;
            guard.hosts.push(Name { host, port: None });
        }
        Ok(guard)
    }

    /// Judges a request by its headers. A request without an Origin comes from no web page.
    ///
    /// # Errors
    /// With the refusal that the request should be answered with.
    pub fn check<B>(&self, request: &Request<B>) -> Result<Passed, Refusal> {
        if !self.any_host && !self.knows_host(request) {
            return Err(Refusal::Host);
        }
        let headers = request.headers();
        let Some(value) = headers.get(header::ORIGIN) else {
            return Ok(Passed(None));
        };
        let several = headers.get_all(header::ORIGIN).iter().count() > 1;
        let known = self.any_origin
            || value
                .to_str()
                .ok()
                .and_then(origin)
                .is_some_and(|it| self.knows_origin(&it));
        if known && !several {
            Ok(Passed(Some(value.clone())))
        } else {
            Err(Refusal::Origin)
        }
    }

    fn knows_origin(&self, (origin, host): &(String, String)) -> bool {
        self.origins.contains(origin) || (self.loopback && is_loopback(host))
    }

    /// Both the Host header and the authority of an absolute request target must be known.
    fn knows_host<B>(&self, request: &Request<B>) -> bool {
        let header = request.headers().get(header::HOST);
        let target = request.uri().authority();
        (header.is_some() || target.is_some())
            && header.is_none_or(|header| self.knows_header(header))
            && target.is_none_or(|target| self.knows_name(&Name::of(target)))
    }

    /// A name in the spelling in which it is known needs no reading.
    fn knows_header(&self, header: &HeaderValue) -> bool {
        self.spelt.iter().any(|known| known == header)
            || header
                .to_str()
                .ok()
                .and_then(|text| text.parse::<Authority>().ok())
                .is_some_and(|name| self.knows_name(&Name::of(&name)))
    }

    fn knows_name(&self, name: &Name) -> bool {
        // Always, since no foreign name can lead a browser to send one of these.
        is_loopback(&name.host)
            || self.hosts.iter().any(|known| {
                known.host == name.host && (known.port.is_none() || known.port == name.port)
            })
    }
}

impl Name {
    fn of(authority: &Authority) -> Self {
        Self {
            host: authority.host().to_ascii_lowercase(),
            port: authority.port_u16(),
        }
    }
}

/// An origin in one spelling, and its host; none for `null` and for what is none.
fn origin(text: &str) -> Option<(String, String)> {
    let uri: Uri = text.trim_end_matches('/').parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    if uri.query().is_some() || !matches!(uri.path(), "" | "/") {
        return None;
    }
    let Name { host, port } = Name::of(uri.authority()?);
    let default = match scheme.as_str() {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let port = port
        .filter(|port| Some(*port) != default)
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    Some((format!("{scheme}://{host}{port}"), host))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host == "[::1]"
        || host
            .parse::<Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
}

impl Refusal {
    /// 403 with a JSON-RPC error that names the setting.
    pub fn response(self) -> Response<Body> {
        let fault = match self {
            Self::Origin => Fault::Origin,
            Self::Host => Fault::Host,
        };
        reply::refusal(ReplyTo::Nobody, &fault)
    }
}

impl Passed {
    /// The answer to a browser that asks before it sends; none for a request of its own. It does not depend on the path,
    /// so it tells nobody which addresses exist.
    pub fn preflight<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        let asks = request.method() == Method::OPTIONS
            && self.0.is_some()
            && request
                .headers()
                .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        asks.then(|| {
            let mut response = reply::empty(StatusCode::NO_CONTENT);
            let headers = response.headers_mut();
            headers.insert(
                header::ACCESS_CONTROL_ALLOW_METHODS,
                HeaderValue::from_static("POST, GET, DELETE"),
            );
            headers.insert(
                header::ACCESS_CONTROL_MAX_AGE,
                HeaderValue::from_static("600"),
            );
            if let Some(allowed) = allowed_headers(request.headers()) {
                headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
            }
            self.mark(headers);
            response
        })
    }

    /// Marks a response so that the browser shows it to the page that asked.
    pub fn mark(&self, headers: &mut HeaderMap) {
        if let Some(origin) = &self.0 {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(
                header::ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static("Mcp-Session-Id"),
            );
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
    }
}

/// Those of the headers a page wants to send that MCP clients send.
fn allowed_headers(headers: &HeaderMap) -> Option<HeaderValue> {
    const KNOWN: [&str; 8] = [
        "accept",
        "authorization",
        "content-type",
        "last-event-id",
        "mcp-method",
        "mcp-name",
        "mcp-protocol-version",
        "mcp-session-id",
    ];
    let wanted = headers
        .get(header::ACCESS_CONTROL_REQUEST_HEADERS)?
        .to_str()
        .ok()?;
    let names = wanted
        .split(',')
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok());
    let allowed: Vec<_> = names
        .filter(|name| KNOWN.contains(&name.as_str()) || name.as_str().starts_with("mcp-param-"))
        .map(|name| name.to_string())
        .collect();
    HeaderValue::from_str(&allowed.join(", ")).ok()
}
