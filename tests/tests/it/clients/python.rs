//! The Python SDK, by both of its interfaces.

use airlock_tests::clients::Script;

use super::script::Scripted;
use super::{NO_HANG_UP, call_every_mode, cancel_in_every_mode};

#[tokio::test(flavor = "multi_thread")]
async fn a_python_session_calls_every_mode() {
    call_every_mode(&mut Scripted::direct(Script::python("session"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_session_cancels_in_every_mode() {
    cancel_in_every_mode(&mut Scripted::direct(Script::python("session")), NO_HANG_UP).await;
}

/// It asks in the words of 2026-07-28 first, and falls back.
#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_calls_every_mode() {
    call_every_mode(&mut Scripted::direct(Script::python("client"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_cancels_in_every_mode() {
    cancel_in_every_mode(&mut Scripted::direct(Script::python("client")), NO_HANG_UP).await;
}
