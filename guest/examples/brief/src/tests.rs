use airlock_guest::dify::{Answer, Event, Node};
use airlock_guest::testing::Host;
use airlock_guest::{App, CallResult, Content, Error, Mode, Outcome, Value, json};

use crate::Brief;

fn chat() -> App {
    App::new("Desk", Mode::Chat)
}

fn workflow(form: Value) -> App {
    let mut app = App::new("Flow", Mode::Workflow);
    app.parameters = json!({ "user_input_form": form });
    app
}

fn complete(outcome: Result<Outcome, Error>) -> CallResult {
    match outcome {
        Ok(Outcome::Complete(result)) => result,
        other => panic!("the call completes, not {other:?}"),
    }
}

#[test]
fn a_brief_is_a_list_for_people_and_an_object_for_programs() {
    let host = Host::new().answers(Answer::text(
        "1. Wet.\n\n* Falls.\n- 3.5 mm an hour.\nToo much.",
    ));
    let result = complete(host.call::<Brief>(&chat(), "brief", json!({ "topic": "rain" })));
    assert_eq!(
        result.content,
        [Content::Text(
            "- Wet.\n- Falls.\n- 3.5 mm an hour.".to_owned()
        )]
    );
    assert_eq!(
        result.structured,
        Some(json!({ "topic": "rain", "points": ["Wet.", "Falls.", "3.5 mm an hour."] }))
    );
    let query = host.requests()[0]
        .query
        .clone()
        .expect("a chat is asked in its query");
    assert!(
        query.contains("3 short points") && query.ends_with(": rain"),
        "{query}"
    );
}

#[test]
fn a_workflow_is_asked_in_the_variable_that_takes_the_longest_text() {
    let app = workflow(json!([
        { "text-input": { "variable": "title", "max_length": 48, "required": true, "default": "Untitled" } },
        { "paragraph": { "variable": "body", "max_length": null } },
    ]));
    let host = Host::new().answers(Answer::output("summary", "Wet."));
    let result =
        complete(host.call::<Brief>(&app, "brief", json!({ "topic": "rain", "points": 1 })));
    assert_eq!(
        result.structured,
        Some(json!({ "topic": "rain", "points": ["Wet."] }))
    );
    let inputs = &host.requests()[0].inputs;
    assert!(
        inputs["body"]
            .as_str()
            .is_some_and(|words| words.contains("rain"))
    );
    assert_eq!(inputs["title"], "Untitled");
}

#[test]
fn an_app_that_does_not_fit_is_refused_when_it_is_described() {
    let host = Host::new();
    assert!(
        host.describe::<Brief>(&chat())
            .is_ok_and(|manifest| manifest.tools.len() == 2)
    );
    let refusal = |app: &App| {
        host.describe::<Brief>(app)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    assert_eq!(
        refusal(&workflow(json!([]))),
        Err("This guest asks in words, and “Flow” has no input for a text.".to_owned())
    );
    let two = json!([
        { "paragraph": { "variable": "body", "required": true } },
        { "select": { "variable": "lang", "options": ["en"], "required": true } },
    ]);
    assert!(refusal(&workflow(two)).is_err_and(|words| words.contains("also requires `lang`")));
}

#[test]
fn a_comparison_says_where_it_is() {
    let node = |title: &str| {
        Event::NodeStarted(Node {
            title: title.to_owned(),
            ..Node::default()
        })
    };
    let host = Host::new()
        .runs(
            [node("Search"), Event::Text("Le".to_owned()), node("Write")],
            Ok(Answer::text("Leaves.")),
        )
        .runs([], Ok(Answer::text("Beans.")));
    let result = complete(host.call::<Brief>(
        &chat(),
        "compare",
        json!({ "left": "tea", "right": "coffee" }),
    ));
    assert_eq!(
        result.structured,
        Some(json!({
        "left": { "topic": "tea", "points": ["Leaves."] }, "right": { "topic": "coffee", "points": ["Beans."] } }))
    );
    let said: Vec<(f64, String)> = host
        .progress()
        .into_iter()
        .map(|progress| (progress.done, progress.message.unwrap_or_default()))
        .collect();
    let expected = [
        (0.0, "Reading up on tea"),
        (0.5, "tea: Search"),
        (0.75, "tea: Write"),
        (1.0, "Reading up on coffee"),
        (2.0, "Both topics are read."),
    ];
    assert_eq!(said, expected.map(|(done, words)| (done, words.to_owned())));
}

#[test]
fn a_cancelled_comparison_stops_its_run_and_asks_nothing_more() {
    let events = [
        Event::Text("Lea".to_owned()),
        Event::Text("ves.".to_owned()),
    ];
    let host = Host::new()
        .runs(events, Ok(Answer::text("Leaves.")))
        .cancelled_after(1);
    let outcome = host.call::<Brief>(
        &chat(),
        "compare",
        json!({ "left": "tea", "right": "coffee" }),
    );
    assert_eq!(
        outcome,
        Err(Error::Failed("The comparison was cancelled.".to_owned()))
    );
    assert_eq!((host.stopped(), host.requests().len()), (1, 1));
}

#[test]
fn an_app_that_says_nothing_gives_no_brief() {
    let host = Host::new().answers(Answer::text(" \n"));
    assert!(
        host.call::<Brief>(&chat(), "brief", json!({ "topic": "rain" }))
            .is_err()
    );
}
