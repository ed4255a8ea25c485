//! Conversations by handle, and one for each session where the operator wants that.

use std::time::Duration;

use airlock::ops::Operation;
use airlock_stand_in::{Behaviour, Canned, SampleApp};
use airlock_tests::post::open_session;
use airlock_tests::world::address;
use airlock_tests::{Post, World};
use http::StatusCode;
use serde_json::{Value, json};

use super::{legacy, modern, result, set, text};

const APP: SampleApp = SampleApp::TravelChat;
const TOOL: &str = "travel_chat";
const PATIENCE: Duration = Duration::from_secs(20);

/// A call in this session, if any. The stand-in says which turn of its conversation it is.
async fn asked(url: &str, session: Option<&str>, conversation: Value) -> Value {
    let arguments = json!({"query": "Where to?", "topic": "Lisbon", "conversation": conversation});
    let post = legacy(url, TOOL, arguments, json!({}));
    let post = match session {
        Some(session) => post.session(session),
        None => post,
    };
    result(post).await
}

#[track_caller]
fn is_turn(result: &Value, turn: u32) {
    let said = text(result);
    assert!(said.contains(&format!("turn {turn})")), "{result}");
}

fn handle(result: &Value) -> Value {
    let handle = result["_meta"]["airlock/conversation"].clone();
    assert!(handle.is_string(), "{result}");
    handle
}

/// What the caller is told of its session's conversation.
fn stands(result: &Value) -> &Value {
    &result["_meta"]["airlock/sessionConversation"]
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_follows_a_session_before_the_operator_says_so() {
    let world = World::start().await.expect("a world");
    let url = world.publish(APP).await.expect("published");
    let session = open_session(&url).await.expect("a session");
    for _ in 0..2 {
        let result = asked(&url, Some(&session), json!("")).await;
        is_turn(&result, 1);
        assert!(stands(&result).is_null() && text(&result).contains("set to `"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_on_with_its_own_conversation_and_may_leave_it() {
    let world = World::start().await.expect("a world");
    let url = world.publish(APP).await.expect("published");
    set(&world, APP, "conversation", Some("per-session")).await;
    let one = open_session(&url).await.expect("a session");
    let other = open_session(&url).await.expect("another");

    let first = asked(&url, Some(&one), json!("")).await;
    is_turn(&first, 1);
    assert_eq!(stands(&first), "new");
    let second = asked(&url, Some(&one), json!("")).await;
    is_turn(&second, 2);
    assert_eq!(stands(&second), "continued");
    assert!(
        !text(&second).contains("set to `"),
        "nothing is left to do: {second}"
    );
    let third = asked(&url, Some(&other), json!("")).await;
    is_turn(&third, 1);

    let anew = asked(&url, Some(&one), json!("new")).await;
    is_turn(&anew, 1);
    assert_eq!(stands(&anew), "new");
    is_turn(&asked(&url, Some(&one), json!("")).await, 2);
    let back = asked(&url, Some(&one), handle(&first)).await;
    is_turn(&back, 3);
    is_turn(&asked(&url, Some(&one), json!("")).await, 4);

    // Whoever has no session goes by the handle, as ever.
    let alone = asked(&url, None, json!("")).await;
    is_turn(&alone, 1);
    assert!(stands(&alone).is_null() && text(&alone).contains("set to `"));
    let arguments =
        json!({"query": "And then?", "topic": "Lisbon", "conversation": handle(&alone)});
    let newer = result(modern(&url, TOOL, arguments, json!({}))).await;
    is_turn(&newer, 2);
    assert!(stands(&newer).is_null());

    set(&world, APP, "conversation", None).await;
    is_turn(&asked(&url, Some(&one), json!("")).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_session_and_a_new_address_lead_to_no_conversation() {
    let world = World::start().await.expect("a world");
    let url = world.publish(APP).await.expect("published");
    set(&world, APP, "conversation", Some("per-session")).await;
    let session = open_session(&url).await.expect("a session");
    is_turn(&asked(&url, Some(&session), json!("")).await, 1);
    let ended = Post::to(&url)
        .session(&session)
        .method(http::Method::DELETE);
    let ended = ended.send().await.expect("an answer");
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    let refused = legacy(&url, TOOL, json!({"query": "?", "topic": "x"}), json!({}));
    let refused = refused.session(&session).send().await.expect("an answer");
    assert_eq!(refused.status, StatusCode::NOT_FOUND);

    let session = open_session(&url).await.expect("a session");
    is_turn(&asked(&url, Some(&session), json!("")).await, 1);
    let disable = Operation::Disable {
        app: "travel-chat".into(),
    };
    world.ask(disable).await.expect("disabled");
    let enable = Operation::Enable {
        app: "travel-chat".into(),
    };
    world.ask(enable).await.expect("the same address again");
    is_turn(&asked(&url, Some(&session), json!("")).await, 2);
    let regenerate = Operation::Regenerate {
        app: "travel-chat".into(),
    };
    let url = address(world.ask(regenerate).await.expect("another")).expect("an address");
    let session = open_session(&url).await.expect("a session");
    is_turn(&asked(&url, Some(&session), json!("")).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_restart_forgets_is_said_and_the_handle_still_leads_there() {
    let world = World::start().await.expect("a world");
    let url = world.publish(APP).await.expect("published");
    set(&world, APP, "conversation", Some("per-session")).await;
    let session = open_session(&url).await.expect("a session");
    let first = asked(&url, Some(&session), json!("")).await;
    let world = world.restart().await.expect("it comes back");
    let show = Operation::Show {
        app: "travel-chat".into(),
        reveal: true,
    };
    let url = address(world.ask(show).await.expect("there")).expect("an address");
    let second = asked(&url, Some(&session), json!("")).await;
    is_turn(&second, 1);
    assert_eq!(stands(&second), "new");
    assert!(
        text(&second).contains("nothing was said before"),
        "{second}"
    );
    is_turn(&asked(&url, Some(&session), handle(&first)).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_is_gone_is_forgotten_and_the_next_call_begins_anew() {
    let world = World::start().await.expect("a world");
    let url = world.publish(APP).await.expect("published");
    set(&world, APP, "conversation", Some("per-session")).await;
    let session = open_session(&url).await.expect("a session");
    is_turn(&asked(&url, Some(&session), json!("")).await, 1);
    let gone = Canned {
        status: StatusCode::NOT_FOUND,
        content_type: "application/json",
        chunks: vec![
            json!({"code": "not_found", "message": "Conversation Not Exists.", "status": 404})
                .to_string()
                .into(),
        ],
        ends: true,
    };
    world.dify.set(APP, Behaviour::Canned(gone));
    let failed = asked(&url, Some(&session), json!("")).await;
    assert_eq!(failed["isError"], true, "{failed}");
    assert!(text(&failed).contains("Start a new one"), "{failed}");
    world.dify.set(APP, Behaviour::Normal);
    let anew = asked(&url, Some(&session), json!("")).await;
    is_turn(&anew, 1);
    assert_eq!(stands(&anew), "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_calls_at_the_same_time_each_has_its_conversation_and_one_goes_on() {
    let world = World::start().await.expect("a world");
    let url = world.publish(APP).await.expect("published");
    set(&world, APP, "conversation", Some("per-session")).await;
    let session = open_session(&url).await.expect("a session");
    let hold = world.dify.hold(APP);
    let both_run = async {
        let both = world.dify.wait_until(|seen| seen.running == 2, PATIENCE);
        both.await.expect("neither waits for the other");
        drop(hold);
    };
    let (one, other, ()) = tokio::join!(
        asked(&url, Some(&session), json!("")),
        asked(&url, Some(&session), json!("")),
        both_run
    );
    let begun = [handle(&one), handle(&other)];
    let next = asked(&url, Some(&session), json!("")).await;
    is_turn(&next, 2);
    assert_eq!(stands(&next), "continued");
    let mut turns = Vec::new();
    for handle in begun {
        turns.push(text(&asked(&url, None, handle).await).contains("turn 3)"));
    }
    turns.sort_unstable();
    assert_eq!(turns, [false, true], "one of the two went on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_dify_began_anew_is_reported() {
    const DESK: SampleApp = SampleApp::SupportDesk;
    /// Of a conversation that the stand-in does not have.
    const ID: &str = "0b1d5a0e-6f0f-4c39-9f0e-5d0f7b1f2a11";
    let world = World::start().await.expect("a world");
    let url = world.publish(DESK).await.expect("published");
    let said =
        json!({"event": "message", "task_id": "t-1", "conversation_id": ID, "answer": "Hello."});
    let end = json!({"event": "message_end", "task_id": "t-1", "conversation_id": ID});
    let canned = Canned::events([format!("data: {said}\n\n"), format!("data: {end}\n\n")]);
    world.dify.set(DESK, Behaviour::Canned(canned));
    let call = async |conversation: Value| {
        let arguments = json!({"query": "Where is it?", "conversation": conversation});
        result(legacy(&url, "support_desk", arguments, json!({}))).await
    };
    let first = call(json!("")).await;
    assert!(
        first["_meta"]
            .get("airlock/conversationRestarted")
            .is_none()
    );
    world.dify.set(DESK, Behaviour::Normal);
    let second = call(handle(&first)).await;
    assert!(text(&second).contains("It has begun a new one"), "{second}");
    assert_eq!(second["_meta"]["airlock/conversationRestarted"], true);
    let third = call(handle(&second)).await;
    is_turn(&third, 2);
    assert!(
        third["_meta"]
            .get("airlock/conversationRestarted")
            .is_none()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_and_usage_come_with_the_answer_in_both_eras() {
    let world = World::start().await.expect("a world");
    let url = world.publish(APP).await.expect("published");
    let said = json!({"event": "message", "task_id": "t-1", "conversation_id": "c-1", "answer": "Take a tram."});
    let source = json!({
        "position": 1, "dataset_id": "internal-1", "dataset_name": "Travel", "document_id": "internal-2",
        "document_name": "lisbon.pdf", "segment_id": "internal-3", "score": 0.75, "content": "The 28 is a tram.",
    });
    let metadata = json!({"usage": {"total_tokens": 7}, "retriever_resources": [source]});
    let end = json!({"event": "message_end", "task_id": "t-1", "conversation_id": "c-1", "metadata": metadata});
    let canned = Canned::events([format!("data: {said}\n\n"), format!("data: {end}\n\n")]);
    world.dify.set(APP, Behaviour::Canned(canned));
    let arguments = || json!({"query": "How?", "topic": "Lisbon"});
    for post in [
        legacy(&url, TOOL, arguments(), json!({})),
        modern(&url, TOOL, arguments(), json!({})),
    ] {
        let result = result(post).await;
        assert!(
            text(&result).starts_with("Take a tram.\nSources:\n- lisbon.pdf (Travel)"),
            "{result}"
        );
        assert_eq!(result["_meta"]["airlock/usage"]["total_tokens"], 7);
        assert_eq!(
            result["_meta"]["airlock/citations"],
            json!([{"position": 1, "document": "lisbon.pdf", "knowledge": "Travel", "score": 0.75,
                "content": "The 28 is a tram."}])
        );
        assert!(!result.to_string().contains("internal-"), "{result}");
    }
}
