//! The TypeScript SDK.

use airlock_tests::clients::Script;

use super::script::Scripted;
use super::{NO_HANG_UP, call_every_mode, cancel_in_every_mode};

#[tokio::test(flavor = "multi_thread")]
async fn the_typescript_sdk_calls_every_mode() {
    call_every_mode(&mut Scripted::direct(Script::typescript())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typescript_sdk_cancels_in_every_mode() {
    cancel_in_every_mode(&mut Scripted::direct(Script::typescript()), NO_HANG_UP).await;
}
