//! A desk to work at: a Dify, a home, and the program that knows both.

use std::net::SocketAddr;

use airlock_stand_in::{Options, SampleApp, StandIn};
use airlock_tests::program::Running;
use airlock_tests::{Post, Program};
use http::StatusCode;
use serde_json::{Value, json};

/// A Dify and a home, and the program that knows both.
pub(super) struct Desk {
    pub(super) dify: StandIn,
    pub(super) home: tempfile::TempDir,
    pub(super) airlock: Program,
}

impl Desk {
    pub(super) async fn new() -> Self {
        let dify = StandIn::start(Options::instant()).await.expect("a Dify");
        let home = tempfile::tempdir().expect("a directory");
        let airlock = Program::new(home.path()).env("DIFY_URL", &dify.url());
        Self {
            dify,
            home,
            airlock,
        }
    }

    /// Adds an app by its key on standard input. The reply.
    pub(super) async fn add(&self, app: SampleApp) -> Value {
        let key = format!("{}\n", self.dify.key(app));
        self.airlock
            .json_with(&["app", "add", "-"], &key)
            .await
            .expect("added")
    }

    pub(super) async fn json(&self, arguments: &[&str]) -> Value {
        self.airlock.json(arguments).await.expect("a reply")
    }

    pub(super) async fn serve(&self) -> (Running, SocketAddr) {
        self.airlock.serve(&[]).await.expect("a server")
    }
}

pub(super) fn host(reply: &Value) -> String {
    reply["app"]["addresses"]["host"]
        .as_str()
        .unwrap_or_else(|| panic!("no address: {reply}"))
        .to_owned()
}

/// The address as the server on this port has it.
pub(super) fn at(url: &str, address: SocketAddr) -> String {
    let (_, path) = url.split_once("/server/").expect("…/server/CODE/mcp");
    format!("http://{address}/server/{path}")
}

pub(super) async fn tools(url: &str) -> Value {
    let posted = Post::to(url).rpc("tools/list", json!({})).send().await;
    let response = posted.expect("an answer").response().await;
    response.expect("a list")["result"]["tools"].clone()
}

pub(super) async fn status(url: &str) -> StatusCode {
    let posted = Post::to(url).rpc("tools/list", json!({})).send().await;
    posted.expect("an answer").status
}
