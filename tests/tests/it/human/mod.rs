//! Apps that ask a person on the way: the question to the client's user, the answer to Dify, and the run's way on.

mod ends;
mod files;

use std::time::Duration;

use airlock::ops::{Change, Operation, Words};
use airlock_stand_in::{Behaviour, Options, SampleApp, StandIn};
use airlock_tests::world::address;
use airlock_tests::{Post, Posted, World, WorldConfig};
use serde_json::{Value, json};

use crate::offers::{result, result_of};

const REPORT: SampleApp = SampleApp::WeeklyReport;
const TOOL: &str = "weekly_report";
const ANSWER: &str = "weekly_report_answer";
const SOON: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(3_600);

fn asks(times: usize) -> Behaviour {
    Behaviour::Ask {
        times,
        open_for: HOUR,
    }
}

fn arguments() -> Value {
    json!({"title": "Week 7", "audience": "team", "notes": "one"})
}

/// What a client sends to run the report, or to go on with it.
fn call(more: Value) -> Value {
    let mut params = json!({"name": TOOL, "arguments": arguments()});
    for (name, value) in more.as_object().expect("an object") {
        params[name] = value.clone();
    }
    params
}

/// A report that asks once, and where it is published.
async fn report(config: WorldConfig) -> (World, String) {
    let world = World::with(config).await.expect("a world");
    world.dify.set(REPORT, asks(1));
    let url = world.publish(REPORT).await.expect("published");
    (world, url)
}

/// A request of a client whose user can be asked.
async fn asking(url: &str, params: Value) -> Value {
    result_of(
        url,
        "tools/call",
        Some(TOOL),
        params,
        &json!({"elicitation": {}}),
    )
    .await
}

/// The same of one whose user cannot.
async fn deaf(url: &str, tool: &str, params: Value) -> Value {
    result_of(url, "tools/call", Some(tool), params, &json!({})).await
}

fn answered(asked: &Value, response: Value) -> Value {
    call(json!({"requestState": asked["requestState"], "inputResponses": {"form": response}}))
}

fn accepted(asked: &Value, content: Value) -> Value {
    answered(asked, json!({"action": "accept", "content": content}))
}

fn words(result: &Value) -> String {
    let content = result["content"].as_array().expect("content");
    let texts: Vec<&str> = content
        .iter()
        .filter_map(|block| block["text"].as_str())
        .collect();
    texts.join("\n")
}

fn structured(result: &Value) -> &Value {
    assert_eq!(result["isError"], false, "{result}");
    &result["structuredContent"]
}

/// The handle that a result names.
fn handle(result: &Value) -> String {
    assert_eq!(result["isError"], true, "{result}");
    let words = words(result);
    let (_, rest) = words.split_once("Its `pause` is `").expect("a handle");
    rest.split_once('`').expect("a handle").0.to_owned()
}

fn reply(pause: &str, action: &str, inputs: Value) -> Value {
    json!({"name": ANSWER, "arguments": {"pause": pause, "action": action, "inputs": inputs}})
}

fn good() -> Value {
    json!({"note": "fine", "level": "low"})
}

/// The answers that Dify has been sent.
fn sent(dify: &StandIn) -> Vec<Value> {
    let requests = dify.seen().requests;
    let forms = requests
        .iter()
        .filter(|asked| asked.path.starts_with("/v1/form/"));
    forms.map(|asked| (*asked.body).clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_of_a_modern_client_is_asked_and_the_run_goes_on_after_a_restart() {
    let (world, url) = report(WorldConfig::default()).await;
    world.dify.set(REPORT, asks(2));
    let asked = asking(&url, call(json!({}))).await;
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let params = &asked["inputRequests"]["form"]["params"];
    assert_eq!(params["message"], "Review\n\nGo on?\n\n[note]\n[level]");
    let schema = &params["requestedSchema"];
    assert_eq!(schema["properties"]["note"]["default"], "looks fine");
    assert_eq!(
        schema["properties"]["action"]["enum"],
        json!(["Approve", "Reject"])
    );

    // What does not fit is asked for again, and does not reach Dify.
    let wrong = accepted(&asked, json!({"level": "middle", "action": "Approve"}));
    let again = asking(&url, wrong).await;
    let message = again["inputRequests"]["form"]["params"]["message"]
        .as_str()
        .unwrap_or_default();
    assert!(
        message.contains("`level` must be one of `low`, `high`"),
        "{message}"
    );
    assert!(sent(&world.dify).is_empty());

    let world = world.restart().await.expect("it comes back");
    let show = Operation::Show {
        app: "weekly-report".into(),
        reveal: true,
    };
    let url = address(world.ask(show).await.expect("it is there")).expect("an address");
    let second = asking(
        &url,
        accepted(
            &again,
            json!({"level": "high", "action": "Approve", "note": "first"}),
        ),
    )
    .await;
    assert_eq!(
        second["resultType"], "input_required",
        "the run asks twice: {second}"
    );
    let done = asking(
        &url,
        accepted(&second, json!({"level": "low", "action": "Reject"})),
    )
    .await;
    let reviews = json!([
        {"action": "approve", "inputs": {"level": "high", "note": "first"}},
        {"action": "reject", "inputs": {"level": "low", "note": ""}},
    ]);
    assert_eq!(structured(&done)["reviews"], reviews);
    let users: Vec<_> = world
        .dify
        .seen()
        .requests
        .iter()
        .filter_map(|asked| asked.user.clone())
        .collect();
    assert!(
        users.iter().all(|user| *user == users[0]),
        "one person: {users:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_of_an_older_client_is_asked_on_the_stream() {
    let (world, url) = report(WorldConfig::default()).await;
    let initialize = Post::to(&url).rpc(
        "initialize",
        json!({"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}}, "clientInfo": {"name": "t", "version": "1"}}),
    );
    let session = initialize.send().await.expect("a session").headers["mcp-session-id"].clone();
    let session = session.to_str().expect("an id").to_owned();
    let post = Post::to(&url).session(&session);
    let mut stream = post
        .clone()
        .call(TOOL, arguments())
        .send()
        .await
        .expect("a stream");
    let question = loop {
        let message = stream.next().await.expect("a message").expect("a question");
        if message["method"] == "elicitation/create" {
            break message;
        }
    };
    let said = json!({"action": "accept", "content": {"note": "by hand", "level": "low", "action": "Approve"}});
    let said = json!({"jsonrpc": "2.0", "id": question["id"], "result": said}).to_string();
    let taken = post.body(said).send().await.expect("an answer");
    assert_eq!(taken.status, 202);
    let result = stream.response().await.expect("a result")["result"].clone();
    assert_eq!(
        structured(&result)["reviews"][0]["inputs"]["note"],
        "by hand"
    );
    assert_eq!(sent(&world.dify).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_declines_can_answer_later() {
    let (world, url) = report(WorldConfig::default()).await;
    let asked = asking(&url, call(json!({}))).await;
    let declined = asking(&url, answered(&asked, json!({"action": "decline"}))).await;
    assert!(
        words(&declined).starts_with("Nothing was answered"),
        "{declined}"
    );
    assert!(sent(&world.dify).is_empty() && world.dify.seen().stops.is_empty());
    let done = deaf(&url, ANSWER, reply(&handle(&declined), "approve", good())).await;
    assert_eq!(structured(&done)["reviews"][0]["action"], "approve");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_user_cannot_be_asked_is_told_and_has_a_tool_for_the_answer() {
    let (world, url) = report(WorldConfig::default()).await;
    let tools = async || {
        let list = result(&url, "tools/list", None, json!({})).await;
        let tools = list["tools"].as_array().expect("tools").clone();
        let names = tools
            .iter()
            .filter_map(|tool| tool["name"].as_str().map(str::to_owned));
        names.collect::<Vec<_>>()
    };
    assert_eq!(
        tools().await,
        [TOOL],
        "no app is known to ask before it does"
    );
    let told = deaf(&url, TOOL, call(json!({}))).await;
    let pause = handle(&told);
    for part in [
        "**Review**\nGo on?",
        "Input `note`",
        "Action `reject`: Reject",
        "It waits until",
        &format!("call `{ANSWER}`"),
    ] {
        assert!(words(&told).contains(part), "{part}: {told}");
    }
    assert_eq!(tools().await, [TOOL, ANSWER]);

    for (action, inputs, fault) in [
        ("maybe", good(), "it has approve, reject"),
        (
            "approve",
            json!({"level": "low"}),
            "`note` is required and missing",
        ),
        (
            "approve",
            json!({"note": "n", "level": "middle"}),
            "`level` must be one of",
        ),
        (
            "approve",
            json!({"note": "n", "level": "low", "odd": 1}),
            "`odd` is unknown",
        ),
    ] {
        let refused = deaf(&url, ANSWER, reply(&pause, action, inputs)).await;
        assert!(
            refused["isError"] == true && words(&refused).contains(fault),
            "{fault}: {refused}"
        );
    }
    assert!(
        sent(&world.dify).is_empty(),
        "what does not fit does not reach Dify"
    );
    let done = deaf(&url, ANSWER, reply(&pause, "reject", good())).await;
    assert_eq!(
        structured(&done)["reviews"],
        json!([{"action": "reject", "inputs": good()}])
    );
    let again = deaf(&url, ANSWER, reply(&pause, "approve", good())).await;
    assert!(
        words(&again).contains("Somebody has answered this before"),
        "{again}"
    );

    // What was learnt stays learnt, and the tool has the operator's name.
    let words_for = Words {
        tool: Some(ANSWER.into()),
        name: Change::Set("decide".into()),
        ..Words::default()
    };
    let describe = Operation::Describe {
        app: "weekly-report".into(),
        words: words_for,
    };
    world.ask(describe).await.expect("renamed");
    world
        .ask(Operation::Refresh {
            app: "weekly-report".into(),
        })
        .await
        .expect("asked again");
    assert_eq!(tools().await, [TOOL, "decide"]);
    let told = deaf(&url, TOOL, call(json!({}))).await;
    assert!(words(&told).contains("call `decide`"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_is_good_at_its_app_and_address_and_in_its_time_alone() {
    let (world, url) = report(WorldConfig::default()).await;
    let pause = handle(&deaf(&url, TOOL, call(json!({}))).await);
    world.dify.set(SampleApp::SupportDesk, asks(1));
    let other = world
        .publish(SampleApp::SupportDesk)
        .await
        .expect("published");
    let foreign = json!({"name": "support_desk", "arguments": {"query": "Well?"}});
    handle(&deaf(&other, "support_desk", foreign).await);
    let mut foreign = reply(&pause, "approve", good());
    foreign["name"] = "support_desk_answer".into();
    let refused = deaf(&other, "support_desk_answer", foreign).await;
    assert!(
        words(&refused).contains("not one of this app's"),
        "{refused}"
    );
    let refused = deaf(&url, ANSWER, reply(&format!("{pause}A"), "approve", good())).await;
    assert!(
        words(&refused).contains("not one of this app's"),
        "{refused}"
    );

    let new = Operation::Regenerate {
        app: "weekly-report".into(),
    };
    let url = address(world.ask(new).await.expect("a new address")).expect("an address");
    let refused = deaf(&url, ANSWER, reply(&pause, "approve", good())).await;
    assert!(
        words(&refused).contains("its address has changed"),
        "{refused}"
    );

    world.dify.set(
        REPORT,
        Behaviour::Ask {
            times: 1,
            open_for: Duration::ZERO,
        },
    );
    let late = handle(&deaf(&url, TOOL, call(json!({}))).await);
    let refused = deaf(&url, ANSWER, reply(&late, "approve", good())).await;
    assert!(
        words(&refused).contains("The time to answer this is over"),
        "{refused}"
    );
    assert!(sent(&world.dify).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_only_its_recipients_can_answer_is_told_and_not_asked() {
    let (world, url) = report(WorldConfig::default()).await;
    world.dify.set(REPORT, Behaviour::Pause);
    let told = asking(&url, call(json!({}))).await;
    assert!(
        told["isError"] == true && words(&told).contains("Nobody can answer here"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chatflow_s_whole_answer_and_its_conversation_come_after_the_pause() {
    let world = World::start().await.expect("a world");
    world.dify.set(SampleApp::SupportDesk, asks(1));
    let url = world
        .publish(SampleApp::SupportDesk)
        .await
        .expect("published");
    let call = async |tool: &str, arguments: Value| {
        let params = json!({"name": tool, "arguments": arguments});
        deaf(&url, tool, params).await
    };
    let told = call("support_desk", json!({"query": "Well?"})).await;
    assert!(words(&told).starts_with("You asked: Well?"), "{told}");
    let talk = told["_meta"]["airlock/conversation"]
        .as_str()
        .expect("a conversation")
        .to_owned();
    let answer = json!({"pause": handle(&told), "action": "approve", "inputs": good()});
    let done = call("support_desk_answer", answer).await;
    assert!(
        words(&done).starts_with("You asked: Well?\n[approve: \"fine\"] Order unknown"),
        "{done}"
    );
    assert!(done["_meta"]["airlock/conversation"].is_string(), "{done}");
    world.dify.set(SampleApp::SupportDesk, Behaviour::Normal);
    let next = call(
        "support_desk",
        json!({"query": "And?", "conversation": talk}),
    )
    .await;
    assert!(words(&next).contains("(turn 2)"), "{next}");
}
