//! Following a run that Dify already has.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use airlock_dify::{Answer, Config, Error, Event, Known, Mode, Pause, Status};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::recording::Recording;
use crate::server::{Asked, Reply, Server, Then, json as json_reply, sse, stream};

const EVENTS: &str = "/v1/workflow/r1/events?user=u1";
const RETOLD: &str = "/v1/workflow/r1/events?user=u1&include_state_snapshot=true";
const STATE: &str = "/v1/workflows/run/r1";
const PARAMETERS: &str = "/v1/parameters";

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

fn state(state: &Value) -> Reply {
    json_reply("200 OK", &state.to_string())
}

fn running() -> Reply {
    state(&json!({"status": "running", "outputs": {}}))
}

fn unmoderated() -> Reply {
    json_reply(
        "200 OK",
        r#"{"sensitive_word_avoidance": {"enabled": false}}"#,
    )
}

/// What a Dify without the door says there.
fn no_door() -> Reply {
    json_reply("404 NOT FOUND", "<!doctype html>")
}

fn stopped() -> Reply {
    json_reply("200 OK", r#"{"result": "success"}"#)
}

fn stops(asked: &Asked) -> bool {
    asked.path.ends_with("/stop")
}

/// A Dify that answers these three, and every stop.
async fn dify(
    events: impl Fn() -> Reply + Send + Sync + 'static,
    run: impl Fn() -> Reply + Send + Sync + 'static,
    parameters: impl Fn() -> Reply + Send + Sync + 'static,
) -> Server {
    Server::start(move |asked| match asked.path.as_str() {
        EVENTS | RETOLD => events(),
        STATE => run(),
        PARAMETERS => parameters(),
        _ if stops(asked) => stopped(),
        other => panic!("{other} was asked"),
    })
    .await
}

async fn followed(
    server: &Server,
    mode: &str,
    pause: Pause,
) -> (Result<Answer, Error>, Vec<Event>) {
    let mut run = server.app().follow(&known(mode), pause);
    let mut events = Vec::new();
    loop {
        match run.next().await {
            Ok(Some(Event::Done(answer))) => return (Ok(*answer), events),
            Ok(Some(event)) => events.push(event),
            Ok(None) => panic!("no last event"),
            Err(error) => return (Err(error), events),
        }
    }
}

#[tokio::test]
async fn what_was_recorded_after_a_form_was_answered_comes_to_the_whole_answer() {
    let note = |note: &str, action: &str| json!({"note": note, "action": action});
    for (name, mode, text, outputs) in [
        ("human-events", "workflow", "", note("ok by me", "approve")),
        (
            "cf-human-events",
            "advanced-chat",
            "Asking. Approved: yes low",
            json!({}),
        ),
        (
            "cf-human-events-early",
            "advanced-chat",
            "Asking. Approved: yes low",
            json!({}),
        ),
    ] {
        for cut in [1, usize::MAX] {
            let server = dify(
                move || Recording::read(name).reply(cut),
                || state(&json!({"status": "paused", "outputs": {}})),
                unmoderated,
            )
            .await;
            let (answer, events) = followed(&server, mode, Pause::WasAnswered).await;
            let answer = answer.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert_eq!(
                (answer.status, answer.text.as_str()),
                (Status::Succeeded, text),
                "{name}"
            );
            assert_eq!(Value::Object(answer.outputs), outputs, "{name}");
            let last = events.iter().rev().find_map(|event| match event {
                Event::Replace(text) => Some(text.as_str()),
                _ => None,
            });
            assert_eq!(
                last,
                Some(text),
                "{name}: whoever reads event by event has the same"
            );
            assert_eq!(answer.conversation.is_some(), mode == "advanced-chat");
            assert!(!server.asked().iter().any(stops), "{name}: it is over");
        }
    }
}

#[tokio::test]
async fn without_the_stream_a_run_is_asked_for_until_it_is_over() {
    let looks = Arc::new(AtomicUsize::new(0));
    let ends = [
        json!({"status": "succeeded", "outputs": {"n": 1}}),
        json!({"status": "failed", "outputs": {}, "error": "boom"}),
        json!({"status": "stopped", "outputs": {}}),
    ];
    for end in ends {
        looks.store(0, Ordering::SeqCst);
        let (count, last) = (looks.clone(), end.clone());
        let run = move || match count.fetch_add(1, Ordering::SeqCst) {
            0 => running(),
            1 => json_reply("502 Bad Gateway", "<html>"),
            _ => state(&last),
        };
        let server = dify(no_door, run, unmoderated).await;
        let (answer, _) = followed(&server, "workflow", Pause::Ends).await;
        match end["status"].as_str() {
            Some("succeeded") => assert_eq!(answer.unwrap().outputs["n"], 1),
            Some("failed") => {
                assert!(
                    matches!(answer, Err(Error::RunFailed { message, .. }) if message == "boom")
                )
            }
            _ => assert!(matches!(answer, Err(Error::Stopped { .. }))),
        }
        let asked = server.asked();
        assert!(
            asked.iter().all(|asked| asked.path != PARAMETERS),
            "no workflow is moderated"
        );
        assert_eq!(asked.iter().filter(|asked| asked.path == EVENTS).count(), 1);
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_leaves_the_end_to_the_state_of_the_run() {
    let gate = Arc::new(AtomicUsize::new(0));
    let looks = gate.clone();
    let node = json!({"event": "node_started", "task_id": "t1", "workflow_run_id": "r1", "data": {"node_id": "n", "title": "N"}});
    let server = dify(
        move || stream(std::slice::from_ref(&node), Then::Close),
        move || match looks.fetch_add(1, Ordering::SeqCst) {
            0 => running(),
            _ => state(&json!({"status": "partial-succeeded", "outputs": {"n": 2}})),
        },
        unmoderated,
    )
    .await;
    let (answer, events) = followed(&server, "workflow", Pause::Ends).await;
    let answer = answer.unwrap();
    assert_eq!(
        (answer.status, &answer.outputs["n"]),
        (Status::PartialSucceeded, &json!(2))
    );
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::NodeStarted(node) if node.title == "N"))
    );
}

#[tokio::test]
async fn a_chatflow_s_answer_is_taken_from_its_outputs_where_nothing_may_have_replaced_it() {
    let over = || {
        state(
            &json!({"status": "succeeded", "outputs": {"answer": "All of it", "files": [{"filename": "a.png"}]}}),
        )
    };
    let server = dify(no_door, over, unmoderated).await;
    let answer = followed(&server, "advanced-chat", Pause::Ends)
        .await
        .0
        .unwrap();
    assert_eq!((answer.text.as_str(), answer.files.len()), ("All of it", 1));
    assert_eq!(answer.conversation.as_deref(), Some("c1"));
    assert!(answer.outputs.is_empty() && !answer.conversation_restarted);

    let moderated = || Recording::read("cf_mod-parameters").reply(usize::MAX);
    for parameters in [moderated as fn() -> Reply, || json_reply("200 OK", "{}")] {
        let server = dify(no_door, over, parameters).await;
        let (answer, events) = followed(&server, "advanced-chat", Pause::Ends).await;
        assert!(
            matches!(answer, Err(Error::Incomplete { .. })),
            "{answer:?}"
        );
        assert!(events.is_empty(), "{events:?}");
        assert!(!server.asked().iter().any(stops), "it is over");
    }
}

#[tokio::test]
async fn whoever_comes_when_it_is_over_is_told_so_by_the_stream() {
    let end = json!({"event": "workflow_finished", "task_id": "r1", "workflow_run_id": "r1",
        "data": {"status": "succeeded", "outputs": {"answer": "All of it"}, "files": [{"filename": "a.png"}]}});
    let server = dify(
        move || stream(std::slice::from_ref(&end), Then::Close),
        || state(&json!({"status": "succeeded", "outputs": {"answer": "All of it"}})),
        unmoderated,
    )
    .await;
    let answer = followed(&server, "advanced-chat", Pause::Ends).await.0;
    let answer = answer.unwrap();
    assert_eq!((answer.text.as_str(), answer.files.len()), ("All of it", 1));
    assert_eq!(
        answer.task_id.as_deref(),
        Some("t1"),
        "by this name it was stopped"
    );
}

#[tokio::test]
async fn a_replacement_that_was_seen_is_the_answer_of_a_moderated_chatflow() {
    let looks = Arc::new(AtomicUsize::new(0));
    let server = dify(
        || Recording::read("mod-cf_modout-output-streaming").reply(50),
        move || match looks.fetch_add(1, Ordering::SeqCst) {
            0 => running(),
            _ => state(&json!({"status": "succeeded", "outputs": {"answer": "secretword"}})),
        },
        || Recording::read("cf_mod-parameters").reply(usize::MAX),
    )
    .await;
    let answer = followed(&server, "advanced-chat", Pause::Ends)
        .await
        .0
        .unwrap();
    assert_eq!(answer.text, "I cannot say that.");
}

#[tokio::test]
async fn a_run_that_waits_for_a_person_has_paused_though_its_stream_only_pings() {
    let server = dify(
        || {
            stream(
                &[],
                Then::Repeat(b"event: ping\n\n", Duration::from_millis(50)),
            )
        },
        || Recording::read("human4-run-detail-paused").reply(usize::MAX),
        unmoderated,
    )
    .await;
    let answer = followed(&server, "workflow", Pause::Ends).await.0.unwrap();
    assert_eq!(answer.status, Status::Paused);
}

#[tokio::test]
async fn a_run_that_dify_does_not_have_is_gone() {
    let unknown = || Recording::read("err-run-detail-unknown").reply(usize::MAX);
    let foreign = || Recording::read("err-human4-events-other-user").reply(usize::MAX);
    // Dify 1.13 answers the second way.
    let empty = || state(&json!({"id": null, "status": null, "outputs": null}));
    for run in [unknown as fn() -> Reply, empty] {
        let server = dify(foreign, run, unmoderated).await;
        let (answer, _) = followed(&server, "workflow", Pause::Ends).await;
        assert!(matches!(answer, Err(Error::RunGone { .. })), "{answer:?}");
    }
    let nameless = Known {
        run: None,
        ..known("chat")
    };
    assert!(!nameless.can_be_followed() && known("workflow").can_be_followed());
    let server = dify(foreign, unknown, unmoderated).await;
    let mut run = server.app().follow(&nameless, Pause::Ends);
    assert!(matches!(run.next().await, Err(Error::RunGone { .. })));
}

#[tokio::test]
async fn a_dify_that_stays_away_is_given_up() {
    let server = dify(
        no_door,
        || json_reply("502 Bad Gateway", "<html>"),
        unmoderated,
    )
    .await;
    let app = server.app_with(Config {
        patience: Duration::ZERO,
        ..server.config()
    });
    let gone = app.follow(&known("workflow"), Pause::Ends).next().await;
    assert!(
        matches!(gone, Err(Error::Server { status: 502, .. })),
        "{gone:?}"
    );
    let server = dify(
        no_door,
        || json_reply("401 UNAUTHORIZED", r#"{"code": "unauthorized"}"#),
        unmoderated,
    )
    .await;
    let refused = server
        .app()
        .follow(&known("workflow"), Pause::Ends)
        .next()
        .await;
    assert!(
        matches!(refused, Err(Error::Unauthorized { .. })),
        "no patience helps: {refused:?}"
    );
}

#[tokio::test]
async fn a_followed_run_that_is_dropped_is_stopped_and_one_that_is_left_is_not() {
    let node = || {
        stream(
            &[json!({"event": "node_started", "task_id": "t1", "workflow_run_id": "r1"})],
            Then::Hold,
        )
    };
    for (mode, path) in [
        ("workflow", "/v1/workflows/tasks/t1/stop"),
        ("advanced-chat", "/v1/chat-messages/t1/stop"),
        ("completion", "/v1/completion-messages/t1/stop"),
    ] {
        let server = dify(node, running, unmoderated).await;
        drop(server.app().follow(&known(mode), Pause::Ends));
        let stop = server.wait_for(stops).await;
        assert_eq!(
            (stop.path.as_str(), stop.body),
            (path, json!({"user": "u1"}))
        );
        assert_eq!(server.asked().len(), 1, "nothing else was asked");
    }
    let server = dify(node, running, unmoderated).await;
    let app = server.app();
    let mut run = app.follow(&known("workflow"), Pause::Ends);
    assert!(matches!(run.next().await, Ok(Some(Event::NodeStarted(_)))));
    assert_eq!(run.known(), Some(known("workflow")));
    run.leave();
    // The stop of another run shows that the first had its time.
    let mut run = app.follow(&known("advanced-chat"), Pause::Ends);
    assert!(matches!(run.next().await, Ok(Some(Event::NodeStarted(_)))));
    drop(run);
    server.wait_for(stops).await;
    let stops: Vec<_> = server
        .asked()
        .into_iter()
        .filter(stops)
        .map(|asked| asked.path)
        .collect();
    assert_eq!(stops, ["/v1/chat-messages/t1/stop"]);
}

#[tokio::test]
async fn a_followed_run_waits_for_its_slot_longer_than_a_new_one_would() {
    let gate = Arc::new(Notify::new());
    let named = json!({"event": "workflow_started", "task_id": "t0", "workflow_run_id": "r0"});
    let over = json!({"event": "workflow_finished", "task_id": "t0", "workflow_run_id": "r0", "data": {"status": "succeeded"}});
    let held = gate.clone();
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/v1/workflows/run" => stream(
            std::slice::from_ref(&named),
            Then::Later(held.clone(), sse(std::slice::from_ref(&over))),
        ),
        EVENTS => no_door(),
        _ => state(&json!({"status": "succeeded", "outputs": {"n": 3}})),
    })
    .await;
    let app = server.app_with(Config {
        per_app: 1,
        queue: 0,
        queue_wait: Duration::from_millis(1),
        ..server.config()
    });
    let first = app
        .run(Recording::read("wf-run-streaming").run("workflow"))
        .await
        .unwrap();
    let second = app
        .run(Recording::read("wf-run-streaming").run("workflow"))
        .await;
    assert!(matches!(second, Err(Error::QueueFull { .. })));
    let follow = tokio::spawn(app.follow(&known("workflow"), Pause::Ends).finish());
    gate.notify_one();
    first.finish().await.unwrap();
    assert_eq!(follow.await.unwrap().unwrap().outputs["n"], 3);
}

#[tokio::test]
async fn a_run_tells_by_what_it_is_found_as_soon_as_dify_has_named_it() {
    for (name, mode, has_run) in [
        ("wf-run-streaming", "workflow", true),
        ("chat-streaming-1", "advanced-chat", true),
        ("llm-chat-streaming", "chat", false),
    ] {
        let recording = Recording::read(name);
        let request = recording.run(mode);
        let server = Server::start(move |_| recording.reply(100)).await;
        let mut run = server.app().run(request).await.unwrap();
        assert_eq!(run.known(), None);
        assert!(matches!(run.next().await, Ok(Some(Event::Started))));
        let known = run.known().unwrap_or_else(|| panic!("{name}: no name"));
        assert_eq!(
            (known.can_be_followed(), known.run.is_some()),
            (has_run, has_run),
            "{name}"
        );
        assert_eq!((known.mode.as_str(), known.user.as_str()), (mode, "u1"));
        assert_eq!(known.conversation.is_some(), mode != "workflow", "{name}");
        let text = serde_json::to_string(&known).unwrap();
        assert_eq!(serde_json::from_str::<Known>(&text).unwrap(), known);
        while run.next().await.unwrap().is_some() {}
        assert_eq!(run.known(), None, "what is over is not to be followed");
    }
}
