//! A desk to work at: a Dify, a home, and the program that knows both.

use std::net::SocketAddr;

use airlock_stand_in::{Options, SampleApp, StandIn};
use airlock_tests::program::Running;
use airlock_tests::{Post, Program};
use http::StatusCode;
use serde_json::{Value, json};

/// A Dify and a home, and the program that knows both.
pub(crate) struct Desk {
    pub(crate) dify: StandIn,
    pub(crate) home: tempfile::TempDir,
    pub(crate) airlock: Program,
}

impl Desk {
    pub(crate) async fn new() -> Self {
        Self::with(Options::instant()).await
    }

    /// A desk beside such a Dify.
    pub(crate) async fn with(dify: Options) -> Self {
        let dify = StandIn::start(dify).await.expect("a Dify");
        let home = tempfile::tempdir().expect("a directory");
        let airlock = Program::new(home.path()).env("DIFY_URL", &dify.url());
        Self {
            dify,
            home,
            airlock,
        }
    }

    /// Adds an app by its key on standard input. The reply.
    pub(crate) async fn add(&self, app: SampleApp) -> Value {
        let key = format!("{}\n", self.dify.key(app));
        self.airlock
            .json_with(&["app", "add", "-"], &key)
            .await
            .expect("added")
    }

    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        self.airlock.json(arguments).await.expect("a reply")
    }

    pub(crate) async fn serve(&self) -> (Running, SocketAddr) {
        self.airlock.serve(&[]).await.expect("a server")
    }
}

pub(crate) fn host(reply: &Value) -> String {
    reply["app"]["addresses"]["host"]
        .as_str()
        .unwrap_or_else(|| panic!("no address: {reply}"))
        .to_owned()
}

/// The address as the server on this port has it.
pub(crate) fn at(url: &str, address: SocketAddr) -> String {
    let (_, path) = url.split_once("/server/").expect("…/server/CODE/mcp");
    format!("http://{address}/server/{path}")
}

pub(crate) async fn tools(url: &str) -> Value {
    let posted = Post::to(url).rpc("tools/list", json!({})).send().await;
    let response = posted.expect("an answer").response().await;
    response.expect("a list")["result"]["tools"].clone()
}

pub(crate) async fn status(url: &str) -> StatusCode {
    let posted = Post::to(url).rpc("tools/list", json!({})).send().await;
    posted.expect("an answer").status
}
