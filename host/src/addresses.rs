//! The addresses of a published app, one for each place it is used from, and the clients' settings for them.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use url::Url;

/// Where this server is reached from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bases {
    /// From the internet (`AIRLOCK_PUBLIC_URL`).
    pub public: Option<Url>,
    /// From this host.
    pub host: Url,
    /// From other containers of the same compose project (`AIRLOCK_INSIDE_URL`).
    pub inside: Option<Url>,
}

/// An app's addresses. They hold the credential: whoever has one may call the app.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// From the internet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<String>,
    /// From the host that Airlock runs on.
    pub host: String,
    /// From inside the compose network: for another Dify, for instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<String>,
}

// Not derived: an address is a credential, and no log may have it by accident.
impl std::fmt::Debug for Addresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Addresses")
    }
}

/// A client's settings for one app.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snippet {
    /// Which client.
    pub client: String,
    /// What to do with the text.
    pub how: String,
    /// The settings or the command.
    pub text: String,
}

impl std::fmt::Debug for Snippet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snippet")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl Bases {
    /// The bases of a server that listens on `listen`; `host` is said only where it cannot be told from that.
    #[must_use]
    pub fn new(
        listen: SocketAddr,
        public: Option<Url>,
        host: Option<Url>,
        inside: Option<Url>,
    ) -> Self {
        Self {
            public,
            host: host.unwrap_or_else(|| on_this_host(listen)),
            inside,
        }
    }

    /// The addresses that carry this code.
    #[must_use]
    pub fn addresses(&self, code: &str) -> Addresses {
        let at = |base: &Url| format!("{}/server/{code}/mcp", base.as_str().trim_end_matches('/'));
        Addresses {
            public: self.public.as_ref().map(at),
            host: at(&self.host),
            inside: self.inside.as_ref().map(at),
        }
    }
}

/// Every client on this host resolves `localhost`; an unspecified address (0.0.0.0) is none to connect to.
fn on_this_host(listen: SocketAddr) -> Url {
    let name = match listen.ip() {
        ip if ip.is_unspecified() || ip.is_loopback() => "localhost".to_owned(),
        std::net::IpAddr::V4(ip) => ip.to_string(),
        std::net::IpAddr::V6(ip) => format!("[{ip}]"),
    };
    Url::parse(&format!("http://{name}:{}/", listen.port())).expect("a host and a port make a URL")
}

impl Addresses {
    /// The address for clients on people's machines: the public one where there is one.
    #[must_use]
    pub fn preferred(&self) -> &str {
        self.public.as_deref().unwrap_or(&self.host)
    }

    /// The settings of each client, under the name `slug`. `program` is how a client on this host starts Airlock.
    #[must_use]
    pub fn snippets(&self, slug: &str, program: &str) -> Vec<Snippet> {
        let url = self.preferred();
        let pretty = |value: serde_json::Value| {
            serde_json::to_string_pretty(&value).expect("a JSON value is writable")
        };
        let snippet = |client: &str, how: &str, text: String| Snippet {
            client: client.into(),
            how: how.into(),
            text,
        };
        let desktop = if url.starts_with("https://") {
            snippet(
                "Claude Desktop",
                "Settings → Connectors → Add custom connector, with this URL",
                url.into(),
            )
        } else {
            snippet(
                "Claude Desktop",
                "claude_desktop_config.json (its connectors need a public https address; this bridges a local one)",
                pretty(
                    serde_json::json!({"mcpServers": {slug: {"command": program, "args": ["stdio", url]}}}),
                ),
            )
        };
        vec![
            snippet(
                "Cursor",
                ".cursor/mcp.json",
                pretty(serde_json::json!({"mcpServers": {slug: {"url": url}}})),
            ),
            snippet(
                "Claude Code",
                "in a terminal",
                format!("claude mcp add --transport http {slug} {url}"),
            ),
            desktop,
            snippet(
                "VS Code",
                ".vscode/mcp.json",
                pretty(serde_json::json!({"servers": {slug: {"type": "http", "url": url}}})),
            ),
            snippet(
                "curl",
                "in a terminal",
                curl(url, r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#),
            ),
        ]
    }
}

/// A `curl` line that posts `message`.
#[must_use]
pub fn curl(url: &str, message: &str) -> String {
    format!(
        "curl -sS {url} -H 'Content-Type: application/json' \
         -H 'Accept: application/json, text/event-stream' -d '{}'",
        message.replace('\'', r"'\''")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bases(listen: &str, public: Option<&str>) -> Bases {
        let public = public.map(|url| Url::parse(url).expect("a URL"));
        Bases::new(listen.parse().expect("an address"), public, None, None)
    }

    #[test]
    fn an_address_ends_in_mcp_for_every_place() {
        let addresses = bases("0.0.0.0:8808", Some("https://tools.example.com/")).addresses("c0de");
        assert_eq!(addresses.host, "http://localhost:8808/server/c0de/mcp");
        assert_eq!(
            addresses.public.as_deref(),
            Some("https://tools.example.com/server/c0de/mcp")
        );
        assert_eq!(
            bases("[::1]:80", None).addresses("c").host,
            "http://localhost/server/c/mcp"
        );
        assert_eq!(
            bases("10.0.0.7:80", None).addresses("c").host,
            "http://10.0.0.7/server/c/mcp"
        );
    }

    #[test]
    fn claude_desktop_gets_a_bridge_where_there_is_no_public_https() {
        let text = |bases: Bases| {
            let snippets = bases.addresses("c").snippets("echo", "airlock");
            snippets
                .into_iter()
                .find(|s| s.client == "Claude Desktop")
                .expect("one of five")
                .text
        };
        assert!(text(bases("127.0.0.1:8808", None)).contains("stdio"));
        assert!(!text(bases("127.0.0.1:8808", Some("https://a.example"))).contains("stdio"));
    }

    #[test]
    fn debug_shows_no_address() {
        let addresses = bases("127.0.0.1:8808", None).addresses("s3cret");
        assert!(
            !format!("{addresses:?} {:?}", addresses.snippets("a", "airlock")).contains("s3cret")
        );
    }
}
