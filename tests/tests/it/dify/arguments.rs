//! Arguments that do not fit: each is refused with the name of its field, and Dify hears nothing of it.

use airlock_stand_in::SampleApp;
use airlock_tests::{Post, World};
use serde_json::{Value, json};

/// An app's tool, arguments that it does not take, and the field that is to be named.
fn wrong() -> Vec<(SampleApp, Value, &'static str)> {
    let trip = |more: Value| {
        let mut arguments = json!({"topic": "Lisbon", "query": "Where?"});
        for (name, value) in more.as_object().expect("an object") {
            arguments[name] = value.clone();
        }
        (SampleApp::TravelChat, arguments)
    };
    let report = |arguments| (SampleApp::WeeklyReport, arguments);
    let rows = [
        ((SampleApp::TravelChat, json!({"query": "Where?"})), "topic"),
        ((SampleApp::TravelChat, json!({"topic": "Lisbon"})), "query"),
        (trip(json!({"query": ""})), "query"),
        (trip(json!({"topic": 7})), "topic"),
        (trip(json!({"topic": "x".repeat(49)})), "topic"),
        (trip(json!({"style": "odd"})), "style"),
        (trip(json!({"colour": "red"})), "colour"),
        (trip(json!({"conversation": "x"})), "conversation"),
        (report(json!({"title": "Week 1"})), "audience"),
        (
            report(json!({"title": "Week 1", "audience": "nobody"})),
            "audience",
        ),
        (
            report(json!({"title": "Week 1", "audience": "team", "highlights": "many"})),
            "highlights",
        ),
        (
            report(json!({"title": "Week 1", "audience": "team", "layout": {"bullet": 1}})),
            "layout",
        ),
    ];
    let rows = rows.into_iter();
    rows.map(|((app, arguments), field)| (app, arguments, field))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_callers_and_more_with_wrong_arguments_at_once_ask_dify_nothing() {
    let world = World::start().await.expect("a world");
    let chat = world.publish(SampleApp::TravelChat).await;
    let chat = chat.expect("published");
    let workflow = world.publish(SampleApp::WeeklyReport).await;
    let workflow = workflow.expect("published");
    let before = world.dify.seen().request_count;
    let asked: Vec<_> = wrong()
        .into_iter()
        .map(|(app, arguments, field)| {
            let (url, tool) = match app {
                SampleApp::TravelChat => (&chat, "travel_chat"),
                _ => (&workflow, "weekly_report"),
            };
            let post = Post::to(url).call(tool, arguments);
            // Before 2025-11-25 it is an error of the protocol.
            let older = post.clone().header("mcp-protocol-version", "2025-06-18");
            let answers = async move {
                let told = post.send().await?.tool_text().await?;
                let error = older.send().await?.response().await?["error"].take();
                anyhow::Ok((told, error))
            };
            (tokio::spawn(answers), field)
        })
        .collect();
    assert!(asked.len() >= 10, "at once");
    for (answers, field) in asked {
        let ((text, is_error), error) = answers.await.expect("no panic").expect("answers");
        println!("{field}: {text}");
        assert!(is_error && text.contains(field), "{text}");
        assert_eq!(error["code"], -32602, "{error}");
        let words = error["message"].as_str().unwrap_or_default();
        assert!(words.contains(field), "{error}");
    }
    let after = world.dify.seen().request_count;
    assert_eq!(after, before, "Dify was asked nothing");
}
