//! A client calls an app through its sandboxed guest.

use airlock_stand_in::SampleApp;
use airlock_tests::{Post, World};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_through_the_guest_to_dify_and_back() {
    let world = World::start().await.expect("a world");
    let url = world
        .publish(SampleApp::TravelChat)
        .await
        .expect("published");
    let posted = Post::to(&url)
        .call(
            "travel_chat",
            json!({"query": "Where to?", "topic": "Lisbon", "style": "brief"}),
        )
        .send()
        .await
        .expect("an answer");
    let (text, is_error) = posted.tool_text().await.expect("a tool result");
    assert!(
        !is_error
            && text.starts_with("About Lisbon: you asked \"Where to?\" (style: brief, turn 1)."),
        "{text}"
    );
    let seen = world.dify.seen();
    let run = seen
        .requests
        .iter()
        .find(|request| request.path == "/v1/chat-messages")
        .expect("one run");
    assert_eq!(run.body["response_mode"], "streaming");
    assert!(
        run.user
            .as_deref()
            .is_some_and(|user| user.starts_with("airlock-"))
    );
}
