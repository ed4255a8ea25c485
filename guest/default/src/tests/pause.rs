use airlock_guest::client::Caller;
use airlock_guest::dify::{Action, Answer, Pause};
use airlock_guest::testing::Host;
use airlock_guest::{Answers, App, End, Error, Map, Mode, Questions, Value, json};

use super::{app, complete, texts};
use crate::AnyApp;

fn flow() -> App {
    app("Flow", Mode::Workflow, json!([]))
}

fn action(id: &str, title: &str) -> Action {
    Action {
        id: id.to_owned(),
        title: title.to_owned(),
    }
}

fn pause() -> Pause {
    Pause {
        handle: Some("sealed".to_owned()),
        title: "Review".to_owned(),
        content: "Approve **the plan**?\n\n{{#$output.note#}}\n{{#$output.level#}}".to_owned(),
        inputs: json!([
            { "output_variable_name": "note", "type": "paragraph", "default": { "value": "looks fine" } },
            { "output_variable_name": "level", "type": "select", "option_source": { "value": ["low", "high"] } },
        ]),
        actions: vec![action("approve", "Approve"), action("reject", "Reject")],
        expires: Some(1_795_375_117),
    }
}

/// A host whose client's user can be asked.
fn asking() -> Host {
    let Value::Object(capabilities) = json!({ "elicitation": {} }) else {
        unreachable!()
    };
    Host::new().caller(Caller {
        capabilities,
        ..Caller::default()
    })
}

fn questions(outcome: Result<airlock_guest::Outcome, Error>) -> Questions {
    match outcome {
        Ok(End::InputRequired(questions)) => questions,
        other => panic!("a question, not {other:?}"),
    }
}

fn response(questions: Questions, response: Value) -> Answers {
    let responses = Map::from_iter([("form".to_owned(), response)]);
    Answers {
        responses,
        state: questions.state,
    }
}

fn accepted(questions: Questions, content: Value) -> Answers {
    response(questions, json!({ "action": "accept", "content": content }))
}

#[test]
fn the_user_is_asked_what_the_app_asks_and_the_app_goes_on() {
    let host = asking()
        .answers(Answer {
            text: "Asking. ".to_owned(),
            ..Answer::paused([pause()])
        })
        .answers(Answer::output("result", "done"));
    let asked = questions(host.call::<AnyApp>(&flow(), "flow", json!({})));
    let params = &asked.requests["form"]["params"];
    assert_eq!(
        params["message"],
        "Review\n\nAsking.\n\nApprove **the plan**?\n\n[note]\n[level]"
    );
    let schema = &params["requestedSchema"];
    assert_eq!(schema["required"], json!(["level", "action"]));
    let properties = &schema["properties"];
    assert_eq!(
        properties["note"],
        json!({ "type": "string", "title": "note", "default": "looks fine" })
    );
    assert_eq!(properties["level"]["enum"], json!(["low", "high"]));
    assert_eq!(properties["action"]["enum"], json!(["Approve", "Reject"]));

    let answers = accepted(asked, json!({ "level": "high", "action": "Reject" }));
    let result = complete(host.call_again::<AnyApp>(&flow(), "flow", json!({}), answers));
    assert_eq!((texts(&result), result.is_error), (vec!["done"], false));
    let reply = &host.replies()[0];
    assert_eq!(
        (reply.pause.as_str(), reply.action.as_str()),
        ("sealed", "reject")
    );
    let inputs = json!({ "note": "", "level": "high" });
    assert_eq!(
        Value::from(reply.inputs.clone()),
        inputs,
        "what was left out is empty"
    );
    assert_eq!(host.requests().len(), 1, "the app ran once");
}

#[test]
fn an_answer_that_does_not_fit_is_asked_for_again() {
    let fault = "`level` must be one of `low`, `high`";
    let host = asking()
        .answers(Answer::paused([pause()]))
        .fails(Error::InvalidArguments(fault.to_owned()))
        .answers(Answer::paused([Pause {
            title: "Second".to_owned(),
            ..pause()
        }]));
    let asked = questions(host.call::<AnyApp>(&flow(), "flow", json!({})));
    let answers = accepted(asked, json!({ "level": "middle", "action": "Approve" }));
    let again = questions(host.call_again::<AnyApp>(&flow(), "flow", json!({}), answers));
    let words = again.requests["form"]["params"]["message"]
        .as_str()
        .expect("a text");
    assert!(
        words.starts_with(&format!("Review\n\n{fault}\n\nApprove")),
        "{words}"
    );
    let answers = accepted(again, json!({ "level": "low", "action": "Approve" }));
    let next = questions(host.call_again::<AnyApp>(&flow(), "flow", json!({}), answers));
    let words = next.requests["form"]["params"]["message"]
        .as_str()
        .expect("a text");
    assert!(
        words.starts_with("Second"),
        "a run may wait more than once: {words}"
    );
}

#[test]
fn whoever_declines_or_cannot_be_asked_is_told_how_to_go_on() {
    let declined = {
        let host = asking().answers(Answer::paused([pause()]));
        let asked = questions(host.call::<AnyApp>(&flow(), "flow", json!({})));
        let answers = response(asked, json!({ "action": "decline" }));
        let result = complete(host.call_again::<AnyApp>(&flow(), "flow", json!({}), answers));
        assert!(host.replies().is_empty());
        result
    };
    let Value::Object(only_url) = json!({ "elicitation": { "url": {} } }) else {
        unreachable!()
    };
    let host = Host::new()
        .caller(Caller {
            capabilities: only_url,
            ..Caller::default()
        })
        .answers(Answer {
            conversation: Some("talk".to_owned()),
            ..Answer::paused([pause()])
        });
    let unasked = complete(host.call::<AnyApp>(&flow(), "flow", json!({})));
    assert_eq!(unasked.meta["airlock/conversation"], "talk");
    for (result, first) in [
        (declined, "Nothing was answered"),
        (unasked, "The app waits for a person"),
    ] {
        assert!(result.is_error && result.structured.is_none());
        let words = texts(&result)[0];
        assert!(words.starts_with(first), "{words}");
        for part in [
            "**Review**\nApprove **the plan**?\n\n[note]",
            "- Input `note`: a text, which may be empty; the form proposes \"looks fine\"",
            "- Input `level`: one of [\"low\",\"high\"]",
            "- Action `reject`: Reject",
            "until 2026-11-22 19:18 UTC",
            "`pause` is `sealed`",
            "call `flow_answer`",
        ] {
            assert!(words.contains(part), "{part} is not in {words}");
        }
    }
}

#[test]
fn a_form_that_nobody_here_can_answer_is_not_asked() {
    let closed = Pause {
        handle: None,
        ..pause()
    };
    let host = asking().answers(Answer::paused([closed]));
    let result = complete(host.call::<AnyApp>(&flow(), "flow", json!({})));
    let words = texts(&result)[0];
    assert!(
        words.contains("Nobody can answer here") && !words.contains("flow_answer"),
        "{words}"
    );

    let upload = json!([{ "output_variable_name": "proof", "type": "file", "allowed_file_upload_methods": ["local_file"] }]);
    let host = asking().answers(Answer::paused([Pause {
        inputs: upload,
        ..pause()
    }]));
    let result = complete(host.call::<AnyApp>(&flow(), "flow", json!({})));
    assert!(texts(&result)[0].contains("an object with its `data` in base64"));
}

#[test]
fn files_are_asked_for_by_their_addresses_and_names_do_not_meet() {
    let inputs = json!([
        { "output_variable_name": "action", "type": "paragraph" },
        { "output_variable_name": "proof", "type": "file" },
        { "output_variable_name": "more", "type": "file-list" },
    ]);
    let same = vec![action("yes", "Go"), action("no", "Go")];
    let odd = Pause {
        inputs,
        actions: same,
        ..pause()
    };
    let host = asking()
        .answers(Answer::paused([odd]))
        .answers(Answer::output("r", "R"));
    let asked = questions(host.call::<AnyApp>(&flow(), "flow", json!({})));
    let schema = asked.requests["form"]["params"]["requestedSchema"].clone();
    assert_eq!(
        schema["properties"]["action_"]["enum"],
        json!(["yes", "no"])
    );
    assert_eq!(schema["required"], json!(["proof", "action_"]));
    let content = json!({ "action": "words", "proof": "https://a/b.png", "more": "https://a/c https://a/d", "action_": "no" });
    complete(host.call_again::<AnyApp>(&flow(), "flow", json!({}), accepted(asked, content)));
    let reply = &host.replies()[0];
    assert_eq!(reply.action, "no");
    let inputs = json!({ "action": "words", "proof": "https://a/b.png", "more": ["https://a/c", "https://a/d"] });
    assert_eq!(Value::from(reply.inputs.clone()), inputs);
}

#[test]
fn the_tool_for_answers_is_there_once_the_app_has_asked() {
    let mut app = flow();
    let tools = |app: &App| {
        Host::new()
            .describe::<AnyApp>(app)
            .expect("described")
            .tools
    };
    assert_eq!(tools(&app).len(), 1);
    app.extra.insert("pauses".to_owned(), json!(true));
    let tool = tools(&app).remove(1);
    assert_eq!(tool.name, "flow_answer");
    assert_eq!(
        Value::from(tool.input)["required"],
        json!(["pause", "action"])
    );

    let host = Host::new().answers(Answer::output("result", "done"));
    let arguments = json!({ "pause": "sealed", "action": "approve", "inputs": { "note": "n" } });
    let result = complete(host.call::<AnyApp>(&app, "flow_answer", arguments));
    assert_eq!(texts(&result), ["done"]);
    assert_eq!(host.replies()[0].inputs["note"], "n");
    let long = super::app(&"word ".repeat(40), Mode::Workflow, json!([]));
    let name = crate::name::of_answers(&crate::name::of(&long));
    assert!(name.len() <= 64 && name.ends_with("_answer"), "{name}");
}
