//! `mcp-remote`, the bridge of clients that only start processes, with the TypeScript SDK as such a client.

use std::path::Path;

use airlock_tests::clients::{Script, installed};
use serde_json::{Value, json};

use super::script::Scripted;
use super::{NO_HANG_UP, call_every_mode, cancel_in_every_mode};

#[tokio::test(flavor = "multi_thread")]
async fn mcp_remote_calls_every_mode() {
    let home = tempfile::tempdir().expect("a directory");
    call_every_mode(&mut client(home.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mcp_remote_cancels_in_every_mode() {
    let home = tempfile::tempdir().expect("a directory");
    cancel_in_every_mode(&mut client(home.path()), NO_HANG_UP).await;
}

/// It keeps what it knows of servers in `home`.
fn client(home: &Path) -> Scripted {
    let program = installed("node/node_modules/.bin/mcp-remote").expect("mcp-remote is installed");
    let home = home.to_owned();
    let way = move |url: &str| -> Value {
        json!({"command": program, "args": [url, "--allow-http"], "env": {"HOME": home}})
    };
    Scripted::through(Script::typescript(), way)
}
