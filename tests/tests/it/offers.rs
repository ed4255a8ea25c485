//! What an app offers besides its tools, as a client of 2026-07-28 finds it.

use airlock::ops::{Change, Operation, Words};
use airlock_stand_in::SampleApp;
use airlock_tests::guests::component;
use airlock_tests::world::address;
use airlock_tests::{Post, Posted, World};
use serde_json::{Value, json};

/// One request of 2026-07-28 from a client with these capabilities. `name` is what it repeats in a header: a tool's or
/// prompt's name, a URI, or a task's id.
pub(crate) async fn ask_as(
    url: &str,
    method: &str,
    name: Option<&str>,
    mut params: Value,
    capabilities: &Value,
) -> Posted {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    });
    let mut post = Post::to(url)
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", method);
    if let Some(name) = name {
        post = post.header("mcp-name", name);
    }
    post.rpc(method, params).send().await.expect("an answer")
}

pub(crate) async fn ask(url: &str, method: &str, name: Option<&str>, params: Value) -> Posted {
    ask_as(url, method, name, params, &json!({"elicitation": {}})).await
}

pub(crate) async fn result(url: &str, method: &str, name: Option<&str>, params: Value) -> Value {
    result_of(url, method, name, params, &json!({"elicitation": {}})).await
}

/// The result of such a request; anything else ends the test.
pub(crate) async fn result_of(
    url: &str,
    method: &str,
    name: Option<&str>,
    params: Value,
    capabilities: &Value,
) -> Value {
    let posted = ask_as(url, method, name, params, capabilities).await;
    let mut response = posted.response().await.expect("a JSON-RPC response");
    match response.get_mut("result") {
        Some(result) => result.take(),
        None => panic!("not a result: {response}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_guest_offers_prompts_their_completions_and_the_app_s_facts() {
    let world = World::start().await.expect("a world");
    let url = world
        .publish(SampleApp::TravelChat)
        .await
        .expect("published");
    let discovered = result(&url, "server/discover", None, json!({})).await;
    let capabilities = &discovered["capabilities"];
    for offered in ["tools", "prompts", "resources", "completions", "logging"] {
        assert!(
            capabilities[offered].is_object(),
            "{offered}: {capabilities}"
        );
    }

    let list = result(&url, "prompts/list", None, json!({})).await;
    let prompt = &list["prompts"][0];
    assert_eq!(prompt["name"], "travel_chat");
    let arguments = json!({"query": "Where to?", "topic": "Lisbon", "style": "brief"});
    let params = json!({"name": "travel_chat", "arguments": arguments});
    let got = result(&url, "prompts/get", Some("travel_chat"), params).await;
    let messages = got["messages"].as_array().expect("messages");
    let last = messages.last().expect("at least one message");
    assert_eq!(last["role"], "user");
    assert!(
        last["content"]["text"]
            .as_str()
            .is_some_and(|text| text.contains("Where to?") && text.contains("Lisbon")),
        "{last}"
    );

    let typed = json!({
        "ref": {"type": "ref/prompt", "name": "travel_chat"},
        "argument": {"name": "style", "value": "br"},
    });
    let completed = result(&url, "completion/complete", None, typed).await;
    assert_eq!(completed["completion"]["values"], json!(["brief"]));

    let list = result(&url, "resources/list", None, json!({})).await;
    let uri = list["resources"][0]["uri"].as_str().expect("a URI");
    let read = result(&url, "resources/read", Some(uri), json!({"uri": uri})).await;
    let page = read["contents"][0]["text"].as_str().expect("a text");
    assert!(
        page.contains("`topic`") && page.contains("`chat`"),
        "{page}"
    );
    assert!(
        world
            .dify
            .seen()
            .requests
            .iter()
            .all(|seen| seen.body.is_null() || seen.method == "GET"),
        "none of this runs the app"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_lacks_what_it_needs_reaches_no_guest() {
    let world = World::start().await.expect("a world");
    let url = world
        .publish(SampleApp::TravelChat)
        .await
        .expect("published");
    let params = json!({"name": "travel_chat", "arguments": {"topic": "Lisbon"}});
    let refused = ask(&url, "prompts/get", Some("travel_chat"), params).await;
    let response = refused.response().await.expect("a JSON-RPC response");
    assert_eq!(response["error"]["code"], -32602);
    let words = response["error"]["message"].as_str().unwrap_or_default();
    assert!(words.contains("query is missing"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_with_tools_alone_offers_nothing_else() {
    let world = World::start().await.expect("a world");
    let plain = component("airlock-guest-hostile");
    let url = world
        .publish_with(SampleApp::TravelChat, Some(plain))
        .await
        .expect("published");
    let discovered = result(&url, "server/discover", None, json!({})).await;
    let capabilities = discovered["capabilities"].as_object().expect("an object");
    // Any app may make files, which are read as resources.
    assert!(capabilities.contains_key("tools") && capabilities.contains_key("resources"));
    for missing in ["prompts", "completions"] {
        assert!(!capabilities.contains_key(missing), "{missing}");
    }
    let refused = ask(&url, "prompts/list", None, json!({})).await;
    assert_eq!(refused.status, 404);
    let response = refused.response().await.expect("a JSON-RPC response");
    assert_eq!(response["error"]["code"], -32601);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_hears_of_the_operator_s_words_and_of_another_guest() {
    let world = World::start().await.expect("a world");
    let slug = world
        .add(SampleApp::TravelChat, None)
        .await
        .expect("added")
        .slug;
    let enable = Operation::Enable { app: slug.clone() };
    let url = address(world.ask(enable).await.expect("enabled")).expect("an address");
    let wanted = json!({"notifications": {"toolsListChanged": true, "promptsListChanged": true}});
    let mut stream = ask(&url, "subscriptions/listen", None, wanted).await;
    let mut heard = async || -> String {
        let message = stream.next().await.expect("a sound stream");
        let message = message.expect("the stream goes on");
        message["method"]
            .as_str()
            .expect("a notification")
            .to_owned()
    };
    assert_eq!(heard().await, "notifications/subscriptions/acknowledged");

    let words = Words {
        description: Change::Set("Plans a journey, day by day.".into()),
        ..Words::default()
    };
    let describe = Operation::Describe {
        app: slug.clone(),
        words,
    };
    world.ask(describe).await.expect("described");
    assert_eq!(heard().await, "notifications/tools/list_changed");

    let component = Some(component("airlock-guest-hostile"));
    let set = Operation::SetGuest {
        app: slug,
        component,
    };
    world.ask(set).await.expect("another guest");
    let mut both = [heard().await, heard().await];
    both.sort();
    assert_eq!(
        both,
        [
            "notifications/prompts/list_changed",
            "notifications/tools/list_changed"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_of_questions_goes_on_after_a_restart_and_dies_with_the_address() {
    const TOOL: &str = "test_input_required_result_multi_round";
    let world = World::start().await.expect("a world");
    let fixtures = Some(component("airlock-guest-conformance"));
    let slug = world
        .add(SampleApp::TravelChat, fixtures)
        .await
        .expect("added")
        .slug;
    let enable = Operation::Enable { app: slug.clone() };
    let url = address(world.ask(enable).await.expect("enabled")).expect("an address");
    let first = json!({"name": TOOL, "arguments": {}});
    let asked = result(&url, "tools/call", Some(TOOL), first).await;
    assert_eq!(asked["resultType"], "input_required");
    let answered = json!({
        "name": TOOL,
        "arguments": {},
        "inputResponses": {"step1": {"action": "accept", "content": {"name": "Ada"}}},
        "requestState": asked["requestState"],
    });

    let world = world.restart().await.expect("the server comes back");
    let show = Operation::Show {
        app: slug.clone(),
        reveal: true,
    };
    let url = address(world.ask(show).await.expect("it is there")).expect("an address");
    let asked = result(&url, "tools/call", Some(TOOL), answered.clone()).await;
    assert_eq!(asked["resultType"], "input_required");
    assert!(asked["inputRequests"]["step2"].is_object(), "{asked}");

    let regenerate = Operation::Regenerate { app: slug };
    let url = address(world.ask(regenerate).await.expect("a new one")).expect("an address");
    let refused = ask(&url, "tools/call", Some(TOOL), answered).await;
    let response = refused.response().await.expect("a JSON-RPC response");
    assert_eq!(response["error"]["code"], -32602, "{response}");
}
