//! Guests in other languages than Rust, as `make languages` built them, beside Rust ones. Each is compiled once, in a test
//! of its own: that takes most of its time.

use airlock_stand_in::{Behaviour, Canned, SampleApp};
use airlock_tests::guests::component;
use airlock_tests::{Post, World};
use serde_json::{Value, json};

/// A tool's result, and the progress messages before it.
async fn call(url: &str, tool: &str, arguments: Value) -> (Value, Vec<String>) {
    let mut posted = Post::to(url)
        .call(tool, arguments)
        .send()
        .await
        .expect("an answer begins");
    if !posted.streams() {
        let mut response = posted.response().await.expect("a response");
        return (response["result"].take(), Vec::new());
    }
    let mut progress = Vec::new();
    while let Some(mut message) = posted.next().await.expect("a whole stream") {
        match message["params"]["message"].as_str() {
            Some(words) => progress.push(words.to_owned()),
            None => return (message["result"].take(), progress),
        }
    }
    panic!("the stream ended without a result")
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_default()
}

async fn tool(url: &str) -> Value {
    let posted = Post::to(url).rpc("tools/list", json!({})).send().await;
    let listed = posted.expect("an answer").response().await;
    let mut tools = listed.expect("a response")["result"]["tools"].take();
    assert_eq!(tools.as_array().map(Vec::len), Some(1), "{tools}");
    tools[0].take()
}

/// A Rust guest in the same server goes on as ever.
async fn neighbour(world: &World) {
    let url = world.publish(SampleApp::SupportDesk).await;
    let question = json!({"query": "Where is my parcel?"});
    let (result, _) = call(&url.expect("published"), "support_desk", question).await;
    assert_eq!(result["isError"], json!(false), "{result}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_in_javascript_gives_a_text_to_its_app_in_parts() {
    let world = World::start().await.expect("a world");
    let guest = || Some(component("airlock-guest-parts"));
    let app = SampleApp::WordCounter;
    let url = world.publish_with(app, guest()).await.expect("published");
    neighbour(&world).await;
    assert_eq!(tool(&url).await["name"], "in_parts");

    // Three paragraphs, two of which fit into a part: 700 words of five characters, and a space between them.
    let paragraph = vec!["words"; 300].join(" ");
    let long = [paragraph.as_str(); 3].join("\n\n");
    let (result, progress) = call(&url, "in_parts", json!({"text": long})).await;
    assert_eq!(result["isError"], json!(false), "{result}");
    assert_eq!(text(&result).matches("has 600 words").count(), 1);
    assert_eq!(text(&result).matches("has 300 words").count(), 1);
    assert_eq!(
        newest(&progress),
        Some("All parts are answered."),
        "{progress:?}"
    );

    // The guest's own error, and Dify's.
    let (result, _) = call(&url, "in_parts", json!({"text": " \n "})).await;
    assert_eq!(result["isError"], json!(true), "{result}");
    assert!(text(&result).contains("nothing but blanks"), "{result}");
    world.dify.set(app, Behaviour::NotPublished);
    let (result, _) = call(&url, "in_parts", json!({"text": "two words"})).await;
    assert_eq!(result["isError"], json!(true), "{result}");
    assert!(
        text(&result).contains("Its author has to finish"),
        "{result}"
    );

    // An app that needs more than a text is refused, in the guest's words.
    let refused = world.publish_with(SampleApp::TravelChat, guest()).await;
    let words = format!("{:#}", refused.expect_err("it requires a topic"));
    assert!(words.contains("also requires `topic`"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_in_python_makes_a_table_of_its_app_s_answer() {
    python("airlock-guest-table").await;
}

/// Not built for Airlock: its Python imports WASI, down to sockets.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_in_python_that_brings_wasi_finds_nothing_there_and_works() {
    python("airlock-guest-table-wasi").await;
}

async fn python(package: &str) {
    let world = World::start().await.expect("a world");
    let guest = || Some(component(package));
    let app = SampleApp::ProductBlurb;
    let url = world.publish_with(app, guest()).await.expect("published");
    neighbour(&world).await;
    assert_eq!(tool(&url).await["name"], "table");

    let wanted = json!({"topic": "kettles", "columns": ["name", "price"]});
    for answer in [
        "```csv\nname,price\n\"Whistler, old\",12\nPot,9\n```",
        "Here it is:\n| name | price |\n|---|---:|\n| Whistler, old | 12 |\n| Pot | 9 |",
    ] {
        says(&world, app, answer);
        let (result, progress) = call(&url, "table", wanted.clone()).await;
        let rows = json!([["Whistler, old", "12"], ["Pot", "9"]]);
        assert_eq!(result["structuredContent"]["rows"], rows, "{result}");
        assert!(text(&result).contains("| Pot | 9 |"), "{result}");
        let reads = Some("Reading the table");
        assert_eq!(newest(&progress), reads, "{progress:?}");
    }

    // Errors: of the guest's own, before and after its app has run, and Dify's.
    let twice = json!({"topic": "kettles", "columns": ["name", "name"]});
    let (result, _) = call(&url, "table", twice).await;
    assert!(text(&result).contains("the same column twice"), "{result}");
    says(&world, app, "I cannot do that.");
    let (result, _) = call(&url, "table", wanted.clone()).await;
    assert_eq!(result["isError"], json!(true), "{result}");
    assert!(text(&result).contains("without a table"), "{result}");
    world.dify.set(app, Behaviour::NotPublished);
    let (result, _) = call(&url, "table", wanted).await;
    assert!(
        text(&result).contains("Its author has to finish"),
        "{result}"
    );

    // An app that needs more than a text is refused, in the guest's words.
    let refused = world.publish_with(SampleApp::TravelChat, guest()).await;
    let words = format!("{:#}", refused.expect_err("it requires a topic"));
    assert!(words.contains("also requires `topic`"), "{words}");
}

/// The last of what a guest told of its progress. On a busy machine it takes the place of what was told before.
fn newest(progress: &[String]) -> Option<&str> {
    progress.last().map(String::as_str)
}

/// What the app says from now on.
fn says(world: &World, app: SampleApp, answer: &str) {
    let said = json!({"event": "message", "task_id": "t-1", "message_id": "m-1", "answer": answer});
    let end = json!({"event": "message_end", "task_id": "t-1", "message_id": "m-1"});
    let events = [said, end].map(|event| format!("data: {event}\n\n"));
    world
        .dify
        .set(app, Behaviour::Canned(Canned::events(events)));
}
