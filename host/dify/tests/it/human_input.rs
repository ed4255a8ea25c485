//! Runs that wait for a person: the form, the answer, and what comes of it.

use airlock_dify::{Error, FormReply, FormToken, HumanForm, Known, Mode, Pause, Status};
use serde_json::{Map, Value, json};

use crate::recording::Recording;
use crate::replay::replay;
use crate::server::{Asked, Reply, Server, Then, json as json_reply, stream};

const TOKEN: &str = "sdpcLxGA99pDDbjpBdXQme";
const FORM: &str = "/v1/form/human_input/sdpcLxGA99pDDbjpBdXQme";
const EVENTS: &str = "/v1/workflow/r1/events?user=u1";

fn known(mode: &str) -> Known {
    Known {
        mode: Mode::from(mode),
        user: "u1".to_owned(),
        task: "t1".to_owned(),
        run: Some("r1".to_owned()),
        conversation: (mode == "advanced-chat").then(|| "c1".to_owned()),
        asked: None,
    }
}

fn token() -> FormToken {
    FormToken::new(TOKEN).unwrap()
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// The form of a recorded pause.
async fn form(name: &str, mode: &str) -> HumanForm {
    let mut answer = replay(name, mode, 100, false).await.0.unwrap();
    assert_eq!(
        (answer.status.clone(), answer.forms.len()),
        (Status::Paused, 1),
        "{name}"
    );
    let debug = format!("{answer:?}");
    let form = answer.forms.remove(0);
    let token = form.token.as_ref().unwrap().expose();
    assert!(
        !debug.contains(token) && debug.contains("FormToken"),
        "{name}"
    );
    form
}

/// An answer to a form that takes this one.
fn reply(body: &Value) -> FormReply {
    let given = object(&body["inputs"]);
    let inputs: Value = given
        .keys()
        .map(|name| json!({"output_variable_name": name, "type": "anything"}))
        .collect();
    let action = body["action"].as_str().unwrap();
    FormReply::new(&[action.to_owned()], &inputs, action, given).unwrap()
}

fn stops(asked: &Asked) -> bool {
    asked.path.ends_with("/stop")
}

/// A Dify with a run that waits, and goes on with `events` when `submit` says so.
async fn dify(
    submit: impl Fn() -> Reply + Send + Sync + 'static,
    events: impl Fn() -> Reply + Send + Sync + 'static,
) -> Server {
    Server::start(move |asked| match asked.path.as_str() {
        FORM => submit(),
        EVENTS => events(),
        "/v1/workflows/run/r1" => json_reply("200 OK", r#"{"status": "paused", "outputs": {}}"#),
        "/v1/parameters" => json_reply(
            "200 OK",
            r#"{"sensitive_word_avoidance": {"enabled": false}}"#,
        ),
        _ if stops(asked) => json_reply("200 OK", r#"{"result": "success"}"#),
        other => panic!("{other} was asked"),
    })
    .await
}

#[tokio::test]
async fn a_pause_tells_what_a_person_is_asked() {
    let plain = form("human-streaming", "workflow").await;
    assert_eq!(plain.title, "Review");
    assert_eq!(plain.content, "Approve **the plan**?\n\n{{#$output.note#}}");
    assert_eq!(plain.inputs[0]["default"]["value"], "looks fine");
    let actions: Vec<_> = plain
        .actions
        .iter()
        .map(|action| (action.id.as_str(), action.title.as_str()))
        .collect();
    assert_eq!(actions, [("approve", "Approve"), ("reject", "Reject")]);
    assert!(plain.expires.is_some());
    assert_eq!(plain.token.unwrap().expose(), "cRNXI1Lf9cjVaucyHta75v");

    let four = form("human4-streaming", "workflow").await;
    let names: Vec<_> = four
        .inputs
        .as_array()
        .unwrap()
        .iter()
        .map(|input| &input["output_variable_name"])
        .collect();
    assert_eq!(names, ["note", "level", "proof", "more"]);
    assert_eq!(
        four.inputs[0]["default"]["value"], "the plan",
        "a default that Dify has worked out"
    );
    assert_eq!(
        form("cf-human-streaming", "advanced-chat").await.inputs[0]["default"]["value"],
        "ok"
    );
}

#[tokio::test]
async fn an_answer_is_checked_against_the_form_before_dify_is_touched() {
    let four = form("human4-streaming", "workflow").await;
    let actions: Vec<String> = four
        .actions
        .iter()
        .map(|action| action.id.clone())
        .collect();
    let good = Recording::read("human4-submit-approve").request;
    let taken = FormReply::new(&actions, &four.inputs, "approve", object(&good["inputs"])).unwrap();
    let body: Value = serde_json::from_slice(&taken.body("u1")).unwrap();
    assert_eq!(body, good, "what was recorded is what is sent");
    for (name, words) in [
        (
            "err-human4-file-string",
            "`proof` must be a file mapping, not a text",
        ),
        ("err-human4-missing-file", "`proof` is required and missing"),
        ("err-human4-select", "`level` must be one of `low`, `high`"),
        ("err-human4-too-many", "`more` takes 2 files at most, not 3"),
    ] {
        let bad = Recording::read(name).request;
        let refused = FormReply::new(&actions, &four.inputs, "approve", object(&bad["inputs"]));
        let error = refused.unwrap_err();
        assert!(error.caller().contains(words), "{name}: {}", error.caller());
    }
    let error = FormReply::new(&actions, &four.inputs, "nosuch", Map::new()).unwrap_err();
    assert!(
        error.caller().contains("approve, reject"),
        "{}",
        error.caller()
    );
}

#[tokio::test]
async fn an_answered_run_goes_on_to_its_end() {
    let note = |note: &str, action: &str| json!({"note": note, "action": action});
    for (submit, events, mode, text, outputs) in [
        (
            "human-form-submit",
            "human-events",
            "workflow",
            "",
            Some(note("ok by me", "approve")),
        ),
        (
            "human4-submit-approve",
            "human4-events-approve",
            "workflow",
            "",
            None,
        ),
        (
            "human4-submit-reject",
            "human4-events-reject",
            "workflow",
            "",
            None,
        ),
        (
            "cf-human-submit",
            "cf-human-events",
            "advanced-chat",
            "Asking. Approved: yes low",
            Some(json!({})),
        ),
        (
            "cf-human-submit-early",
            "cf-human-events-early",
            "advanced-chat",
            "Asking. Approved: yes low",
            Some(json!({})),
        ),
    ] {
        let server = dify(
            move || Recording::read(submit).reply(usize::MAX),
            move || Recording::read(events).reply(7),
        )
        .await;
        let sent = Recording::read(submit).request;
        let run = server
            .app()
            .answer(&known(mode), &token(), &reply(&sent))
            .await;
        let answer = run
            .unwrap()
            .finish()
            .await
            .unwrap_or_else(|error| panic!("{events}: {error:?}"));
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (Status::Succeeded, text),
            "{events}"
        );
        if let Some(outputs) = outputs {
            assert_eq!(Value::Object(answer.outputs), outputs, "{events}");
        }
        assert_eq!(answer.conversation.is_some(), mode == "advanced-chat");
        let asked = server.asked();
        assert_eq!(
            (asked[0].path.as_str(), asked[1].path.as_str()),
            (EVENTS, FORM),
            "nothing is missed in between"
        );
        assert_eq!(
            (&asked[1].body["inputs"], &asked[1].body["user"]),
            (&sent["inputs"], &json!("u1"))
        );
        assert!(!asked.iter().any(stops), "{events}: it is over");
    }
}

#[tokio::test]
async fn a_refused_answer_says_why_and_leaves_the_run_alone() {
    for (submit, code) in [
        ("err-human-form-bad-action", "invalid_form_data"),
        ("err-human-form-missing", "invalid_form_data"),
        ("human-form-submit-again", "human_input_form_submitted"),
        ("human4-expired-submit", "human_input_form_expired"),
        ("human4-timeout-submit", "human_input_form_expired"),
        ("err-human4-unknown", "form_gone"),
        ("err-human4-other-app", "form_gone"),
    ] {
        let server = dify(
            move || Recording::read(submit).reply(usize::MAX),
            || stream(&[], Then::Hold),
        )
        .await;
        let sent = reply(&json!({"inputs": {}, "action": "approve"}));
        let error = server
            .app()
            .answer(&known("workflow"), &token(), &sent)
            .await
            .unwrap_err();
        assert_eq!(error.code(), code, "{submit}");
        assert!(!error.retryable(), "{submit}");
        // The stop of another run shows that this one had its time.
        drop(server.app().follow(&known("advanced-chat"), Pause::Ends));
        server.wait_for(stops).await;
        let stopped: Vec<_> = server
            .asked()
            .into_iter()
            .filter(stops)
            .map(|asked| asked.path)
            .collect();
        assert_eq!(stopped, ["/v1/chat-messages/t1/stop"], "{submit}");
    }
}

#[tokio::test]
async fn what_opens_a_form_is_in_no_words_of_an_error() {
    let pages = [
        json_reply("502 Bad Gateway", &format!("<html>{FORM}")),
        json_reply(
            "404 NOT FOUND",
            &format!(r#"{{"code": "not_found", "message": "{FORM}"}}"#),
        ),
        json_reply("401 UNAUTHORIZED", r#"{"code": "unauthorized"}"#),
        json_reply("200 OK", "no JSON"),
        json_reply(
            "400 BAD REQUEST",
            &format!(r#"{{"code": "bad_request", "message": "{FORM}"}}"#),
        ),
    ];
    let sent = reply(&json!({"inputs": {}, "action": "approve"}));
    for page in pages {
        let (bytes, status) = (
            page.bytes.clone(),
            String::from_utf8_lossy(&page.bytes[..13]).into_owned(),
        );
        let submit = move || Reply {
            bytes: bytes.clone(),
            cut: usize::MAX,
            then: Then::Close,
        };
        let server = dify(submit, || stream(&[], Then::Hold)).await;
        let outcome = server
            .app()
            .answer(&known("workflow"), &token(), &sent)
            .await;
        let words = match &outcome {
            Ok(run) => format!("{run:?}"),
            Err(error) => format!("{error:?} {} {}", error.caller(), error.operator()),
        };
        assert!(!words.contains(TOKEN), "{status}: {words}");
    }
    let base = airlock_dify::parse_base("http://127.0.0.1:9").unwrap();
    let app = airlock_dify::Dify::new(airlock_dify::Config::new(base))
        .unwrap()
        .app("app-test".parse().unwrap());
    let error = app
        .answer(&known("workflow"), &token(), &sent)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }));
    assert!(
        !format!("{error:?}{}", error.operator()).contains(TOKEN),
        "{error:?}"
    );
    for bad in ["", "a/b", "a b", "../x"] {
        assert!(
            FormToken::new(bad).is_none(),
            "{bad:?} would be another path"
        );
    }
}

#[tokio::test]
async fn an_answered_run_that_is_dropped_is_stopped() {
    let server = dify(
        || Recording::read("human-form-submit").reply(usize::MAX),
        || stream(&[], Then::Hold),
    )
    .await;
    let sent = reply(&json!({"inputs": {}, "action": "approve"}));
    let run = server
        .app()
        .answer(&known("workflow"), &token(), &sent)
        .await
        .unwrap();
    drop(run);
    assert_eq!(
        server.wait_for(stops).await.path,
        "/v1/workflows/tasks/t1/stop"
    );
}

#[tokio::test]
async fn a_form_that_nobody_answers_takes_the_run_along_its_branch_for_that() {
    let server = dify(
        || panic!("nobody answers"),
        || Recording::read("human4-timeout-events").reply(usize::MAX),
    )
    .await;
    let answer = server
        .app()
        .follow(&known("workflow"), Pause::Ends)
        .finish()
        .await
        .unwrap();
    assert_eq!(
        (answer.status, &answer.outputs["timed_out"]),
        (Status::Succeeded, &json!("the plan"))
    );
}

#[tokio::test]
async fn a_run_that_is_found_waiting_tells_its_form_again() {
    let server = Server::start(move |asked| match asked.path.as_str() {
        EVENTS => Recording::read("human4-events-paused").reply(usize::MAX),
        "/v1/workflow/r1/events?user=u1&include_state_snapshot=true" => {
            Recording::read("human4-events-snapshot").reply(usize::MAX)
        }
        "/v1/workflows/run/r1" => Recording::read("human4-run-detail-paused").reply(usize::MAX),
        other => panic!("{other} was asked"),
    })
    .await;
    let answer = server
        .app()
        .follow(&known("workflow"), Pause::Ends)
        .finish()
        .await
        .unwrap();
    assert_eq!(answer.status, Status::Paused);
    assert_eq!(
        answer.forms[0].token.as_ref().unwrap().expose(),
        "z2njbRk5UFkJOEnrftSANc"
    );
}
