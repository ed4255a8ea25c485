//! `airlock stdio`, with the TypeScript SDK as the client that starts it.

use airlock_tests::clients::Script;
use airlock_tests::program;
use serde_json::json;

use super::script::Scripted;
use super::{NO_HANG_UP, call_every_mode, cancel_in_every_mode};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_airlock_stdio_calls_every_mode() {
    call_every_mode(&mut client()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_airlock_stdio_cancels_in_every_mode() {
    cancel_in_every_mode(&mut client(), NO_HANG_UP).await;
}

fn client() -> Scripted {
    let program = program::path();
    let way = move |url: &str| json!({"command": program, "args": ["stdio", url]});
    Scripted::through(Script::typescript(), way)
}
