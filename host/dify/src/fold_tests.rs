//! What the recordings cannot show: sequences that Dify's code makes and that nobody has recorded, and hostile ones.

use serde_json::json;

use super::*;
use crate::Answer;

/// Folds events and gives everything that came of them.
fn fold(mode: Mode, events: &[Value]) -> (Vec<Event>, Result<(), Error>) {
    fold_with(Fold::new(mode, None, 1000), events)
}

fn fold_with(mut fold: Fold, events: &[Value]) -> (Vec<Event>, Result<(), Error>) {
    let mut out = VecDeque::new();
    let end = events
        .iter()
        .try_for_each(|event| fold.apply(event.to_string().as_bytes(), &mut out));
    (out.into(), end)
}

fn answer(mode: Mode, events: &[Value]) -> Answer {
    match fold(mode, events).0.pop() {
        Some(Event::Done(answer)) => *answer,
        other => panic!("no answer but {other:?}"),
    }
}

fn finished(status: &str, error: Value) -> Value {
    json!({"event": "workflow_finished", "workflow_run_id": "r", "data": {"status": status, "outputs": {"a": 1}, "error": error}})
}

#[test]
fn the_new_agents_closing_message_does_not_double_its_deltas() {
    let deltas = [
        json!({"event": "agent_message", "answer": "Hel"}),
        json!({"event": "agent_message", "answer": "lo"}),
    ];
    let end = json!({"event": "message_end"});
    let same = [
        &deltas[..],
        &[json!({"event": "message", "answer": "Hello"}), end.clone()],
    ]
    .concat();
    let (events, _) = fold(Mode::Agent, &same);
    assert!(
        !events
            .iter()
            .any(|event| matches!(event, Event::Replace(_))),
        "the same text is no news"
    );
    assert_eq!(answer(Mode::Agent, &same).text, "Hello");
    let better = [
        &deltas[..],
        &[json!({"event": "message", "answer": "Hello!"}), end.clone()],
    ]
    .concat();
    assert_eq!(answer(Mode::Agent, &better).text, "Hello!");
    let alone = [json!({"event": "message", "answer": "Hello"}), end.clone()];
    assert_eq!(answer(Mode::Agent, &alone).text, "Hello");
    let old_agent = [
        &deltas[..],
        &[json!({"event": "message", "answer": "!"}), end],
    ]
    .concat();
    assert_eq!(
        answer(Mode::AgentChat, &old_agent).text,
        "Hello!",
        "there every message is a delta"
    );
}

#[test]
fn a_mode_nobody_has_heard_of_is_answered_by_what_its_events_say() {
    let mode = || Mode::Other("oracle".to_owned());
    let said = |event: &str, text: &str| json!({"event": event, "answer": text});
    let end = json!({"event": "message_end"});
    for (events, text) in [
        (vec![said("message", "Hel"), said("message", "lo")], "Hello"),
        (
            vec![said("agent_message", "Hel"), said("agent_message", "lo")],
            "Hello",
        ),
        // As the new agent does it, and as the old one does.
        (
            vec![said("agent_message", "Hello"), said("message", "Hello!")],
            "Hello!",
        ),
        (
            vec![said("agent_message", "Hello"), said("message", "!")],
            "Hello!",
        ),
    ] {
        let events = [events, vec![end.clone()]].concat();
        assert_eq!(answer(mode(), &events).text, text, "{events:?}");
    }
    let started = json!({"event": "workflow_started", "task_id": "t", "workflow_run_id": "r"});
    let flow = [started.clone(), finished("succeeded", Value::Null)];
    assert_eq!(answer(mode(), &flow).outputs["a"], 1, "all that it says");
    let talking = [
        started.clone(),
        said("message", "Hello"),
        finished("succeeded", Value::Null),
    ];
    let talking = answer(mode(), &talking);
    assert_eq!((talking.text.as_str(), talking.outputs.len()), ("Hello", 0));
    let forbidden = [
        started,
        said("message_replace", ""),
        finished("succeeded", Value::Null),
    ];
    let forbidden = answer(mode(), &forbidden);
    assert!(
        forbidden.text.is_empty() && forbidden.outputs.is_empty(),
        "outputs hold what was forbidden"
    );
}

#[test]
fn all_replacements_together_are_told_as_far_as_one_answer_may_reach() {
    let replace = |size: usize| json!({"event": "message_replace", "answer": "x".repeat(size)});
    let events = [
        replace(900),
        replace(600),
        replace(100),
        replace(1),
        json!({"event": "message_end"}),
    ];
    let (told, _) = fold(Mode::Chat, &events);
    let sizes: Vec<usize> = told
        .iter()
        .filter_map(|event| match event {
            Event::Replace(text) => Some(text.len()),
            _ => None,
        })
        .collect();
    assert_eq!(sizes, [900, 0, 100, 0], "of 1,000 bytes");
    assert_eq!(answer(Mode::Chat, &events).text, "x");
}

#[test]
fn an_agent_that_only_thinks_answers_with_its_last_thought() {
    let thought =
        |id: &str, text: &str| json!({"event": "agent_thought", "id": id, "thought": text});
    let events = [
        thought("1", "look"),
        thought("1", "look"),
        thought("2", ""),
        thought("2", "42"),
        json!({"event": "message_end"}),
    ];
    let (told, _) = fold(Mode::AgentChat, &events);
    let thoughts = told
        .iter()
        .filter(|event| matches!(event, Event::Thought(_)))
        .count();
    assert_eq!(
        thoughts, 2,
        "a thought that is sent again unchanged is no news"
    );
    assert_eq!(answer(Mode::AgentChat, &events).text, "42");
}

#[test]
fn text_labelled_as_a_file_is_text_and_a_file_stays_a_file() {
    let file = json!({"event": "message_file", "id": "f", "type": "image", "belongs_to": "assistant", "url": "/files/f"});
    let theirs = json!({"event": "message_file", "id": "u", "type": "image", "belongs_to": "user", "url": "/files/u"});
    let events = [
        file,
        theirs,
        json!({"event": "message_file", "answer": "seen"}),
        json!({"event": "message_end"}),
    ];
    let answer = answer(Mode::AgentChat, &events);
    assert_eq!(answer.text, "seen");
    assert_eq!(
        answer.files.len(),
        1,
        "the caller's own upload is not the app's file"
    );
}

#[test]
fn forbidden_text_does_not_come_back_after_a_replacement() {
    let events = [
        json!({"event": "text_chunk", "workflow_run_id": "r", "data": {"text": "secret"}}),
        json!({"event": "text_replace", "workflow_run_id": "r", "data": {"text": "no"}}),
        json!({"event": "text_chunk", "workflow_run_id": "r", "data": {"text": " more secret"}}),
        finished("succeeded", Value::Null),
    ];
    assert_eq!(answer(Mode::Workflow, &events).text, "no");
    let emptied = [
        json!({"event": "agent_thought", "id": "1", "thought": "secret"}),
        json!({"event": "message_replace", "answer": ""}),
        json!({"event": "message_end"}),
    ];
    assert_eq!(
        answer(Mode::AgentChat, &emptied).text,
        "",
        "not even as a thought"
    );
}

#[test]
fn a_chatflows_outputs_never_stand_in_for_its_text() {
    let started = json!({"event": "workflow_started", "workflow_run_id": "r", "task_id": "t"});
    let end = json!({"event": "message_end", "workflow_run_id": null});
    let state = || RunState {
        status: Some("succeeded".to_owned()),
        outputs: Some(Map::from_iter([("answer".to_owned(), json!("secret"))])),
        ..RunState::default()
    };
    let mut out = VecDeque::new();
    let mut cut = Fold::new(Mode::AdvancedChat, None, 100);
    cut.apply(started.to_string().as_bytes(), &mut out)
        .expect("no end");
    assert!(
        !cut.recover(Some(state()), &mut out).expect("it went well"),
        "moderation may have been in the lost part"
    );
    cut.apply(end.to_string().as_bytes(), &mut out)
        .expect("no end");
    assert!(cut.recover(Some(state()), &mut out).expect("it went well"));
    let Some(Event::Done(answer)) = out.pop_back() else {
        panic!("no answer")
    };
    assert!(answer.outputs.is_empty() && answer.text.is_empty());
}

#[test]
fn a_workflow_whose_end_was_lost_is_answered_from_its_stored_state() {
    let mut out = VecDeque::new();
    let mut fold = Fold::new(Mode::Workflow, None, 100);
    let state = |status: &str| {
        serde_json::from_str::<RunState>(
            &json!({"status": status, "outputs": {"a": 1}}).to_string(),
        )
        .expect("a state")
    };
    assert!(
        !fold
            .recover(Some(state("running")), &mut out)
            .expect("no failure"),
        "it goes on"
    );
    assert!(!fold.recover(None, &mut out).expect("no failure"));
    assert!(
        fold.recover(Some(state("succeeded")), &mut out)
            .expect("it went well")
    );
    assert!(matches!(
        Fold::new(Mode::Workflow, None, 100).recover(Some(state("failed")), &mut out),
        Err(Error::RunFailed { .. })
    ));
    assert!(matches!(
        Fold::new(Mode::Workflow, None, 100).recover(Some(state("stopped")), &mut out),
        Err(Error::Stopped { .. })
    ));
}

#[test]
fn every_end_of_a_workflow_is_told_apart() {
    let end = |status: &str, error: Value| fold(Mode::Workflow, &[finished(status, error)]).1;
    assert!(matches!(
        end("stopped", Value::Null),
        Err(Error::Stopped { .. })
    ));
    assert!(matches!(
        end("failed", json!("Aborted: User requested stop")),
        Err(Error::Stopped { .. })
    ));
    assert!(
        matches!(end("failed", json!("boom")), Err(Error::RunFailed { message, .. }) if message == "boom")
    );
    assert!(matches!(
        end("wound-down", json!("boom")),
        Err(Error::RunFailed { .. })
    ));
    let later = answer(Mode::Workflow, &[finished("wound-down", Value::Null)]);
    assert_eq!(
        (later.status, later.outputs["a"].clone()),
        (Status::Other("wound-down".to_owned()), json!(1))
    );
    let part = answer(
        Mode::Workflow,
        &[finished("partial-succeeded", Value::Null)],
    );
    assert!(part.status == Status::PartialSucceeded && part.extra.contains_key("note"));
}

#[test]
fn a_conversation_that_was_asked_for_and_not_gone_on_with_is_noticed() {
    let end = json!({"event": "message_end", "conversation_id": "c2"});
    for (asked, restarted) in [
        (Some("c1"), true),
        (Some("c2"), false),
        (Some(""), false),
        (None, false),
    ] {
        let (events, _) = fold_with(
            Fold::new(Mode::Chat, asked.map(str::to_owned), 10),
            std::slice::from_ref(&end),
        );
        let [Event::Done(answer)] = &events[..] else {
            panic!("no answer")
        };
        assert_eq!(
            (
                answer.conversation.as_deref(),
                answer.conversation_restarted
            ),
            (Some("c2"), restarted),
            "{asked:?}"
        );
    }
}

#[test]
fn what_is_new_or_broken_does_not_end_a_run() {
    let mut out = VecDeque::new();
    let mut fold = Fold::new(Mode::Chat, None, 100);
    for data in [
        "",
        "nonsense",
        "[]",
        "7",
        "{\"data\":{}}",
        "{\"event\":7}",
        "\u{fffd}",
    ] {
        fold.apply(data.as_bytes(), &mut out).expect("passed over");
    }
    fold.apply(b"{\"event\":\"message\",\"answer\":\"a\xff\"}", &mut out)
        .expect("read with a substitute");
    let task = "../../../admin";
    fold.apply(
        json!({"event": "reasoning_chunk", "task_id": task, "data": {"reasoning": "hm"}})
            .to_string()
            .as_bytes(),
        &mut out,
    )
    .expect("passed on");
    assert_eq!(
        fold.ids().task,
        None,
        "what cannot stand in a path is no id"
    );
    let [Event::Text(text), Event::Other { name, data }] = out.make_contiguous() else {
        panic!("{out:?}")
    };
    assert_eq!(
        (text.as_str(), name.as_str(), data.get()),
        ("a\u{fffd}", "reasoning_chunk", "{\"reasoning\":\"hm\"}")
    );
}

#[test]
fn text_over_the_cap_is_cut_and_the_run_goes_on_to_its_end() {
    let events: Vec<Value> = (0..5)
        .map(|_| json!({"event": "message", "answer": "abcd"}))
        .chain([json!({"event": "message_end"})])
        .collect();
    let (told, end) = fold_with(Fold::new(Mode::Chat, None, 10), &events);
    end.expect("no error");
    let Some(Event::Done(answer)) = told.last() else {
        panic!("no answer")
    };
    assert_eq!(
        (answer.text.as_str(), answer.truncated),
        ("abcdabcdab", true)
    );
    let streamed: String = told
        .iter()
        .filter_map(|event| {
            if let Event::Text(text) = event {
                Some(text.as_str())
            } else {
                None
            }
        })
        .collect();
    assert_eq!(streamed, answer.text, "what was streamed is what is kept");
}

#[test]
fn a_loop_stopped_early_reports_the_rounds_it_made_and_not_its_maximum() {
    let event =
        |name: &str, data: Value| json!({"event": name, "workflow_run_id": "r", "data": data});
    let (told, _) = fold(
        Mode::Workflow,
        &[
            event(
                "loop_started",
                json!({"node_id": "l", "title": "Up", "metadata": {"loop_length": 5}}),
            ),
            event("loop_next", json!({"node_id": "l", "index": 1})),
            event("loop_completed", json!({"node_id": "l"})),
        ],
    );
    let rounds: Vec<_> = told
        .iter()
        .map(|event| match event {
            Event::Round(round) => (
                round.begun,
                round.total,
                round.finished,
                round.title.as_str(),
            ),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        rounds,
        [
            (1, Some(5), false, "Up"),
            (2, Some(5), false, "Up"),
            (2, Some(5), true, "Up")
        ]
    );
}

#[test]
fn outputs_over_the_cap_are_cut_and_say_so() {
    let outputs =
        json!({"short": "fits", "long": "é".repeat(2000), "list": vec![7; 2000], "last": 1});
    let end =
        json!({"event": "workflow_finished", "data": {"status": "succeeded", "outputs": outputs}});
    let answer = answer(Mode::Workflow, &[end]);
    assert!(answer.truncated);
    assert_eq!(answer.outputs["short"], "fits");
    let long = answer.outputs["long"].as_str().expect("a text stays one");
    assert!((900..1000).contains(&long.len()), "{}", long.len());
    assert!(!answer.outputs.contains_key("list"));
}

#[test]
fn a_step_is_the_same_wherever_its_name_stands() {
    let first = r#"{"event":"node_finished","task_id":"t","data":{"node_id":"n","status":"failed","outputs":{"a":[1]}}}"#;
    let last = r#"{"data":{"node_id":"n","status":"failed","outputs":{"a":[1]}},"task_id":"t","event":"node_finished"}"#;
    let odd = r#"{"event":"node_finished","task_id":"t","data":"no object"}"#;
    let told = |json: &str| {
        let mut out = VecDeque::new();
        let mut fold = Fold::new(Mode::Workflow, None, 1000);
        fold.apply(json.as_bytes(), &mut out).expect("no end");
        format!("{out:?}")
    };
    assert_eq!(told(first), told(last));
    assert!(told(odd).contains("NodeFinished"), "{}", told(odd));
}

#[test]
fn a_pause_waits_for_the_forms_among_its_reasons_and_a_token_may_come_with_either_telling() {
    let form =
        |id: &str, token: Value| json!({"form_id": id, "node_title": id, "form_token": token});
    let told = |form: Value| json!({"event": "human_input_required", "data": form});
    let paused = |reasons: Value| json!({"event": "workflow_paused", "workflow_run_id": "r", "data": {"reasons": reasons}});
    let reason = |form: &Value| {
        let mut reason = form.clone();
        reason["TYPE"] = json!("human_input_required");
        reason
    };
    let tokens = |events: &[Value]| -> Vec<(String, Option<String>)> {
        let forms = answer(Mode::Workflow, events).forms.into_iter();
        forms
            .map(|form| (form.id, form.token.map(|token| token.expose().to_owned())))
            .collect()
    };
    let (a, b) = (form("a", json!("secret")), form("b", Value::Null));
    let both = [
        told(a.clone()),
        told(b.clone()),
        paused(json!([reason(&form("a", Value::Null)), reason(&b)])),
    ];
    let secret = Some("secret".to_owned());
    assert_eq!(
        tokens(&both),
        [("a".to_owned(), secret.clone()), ("b".to_owned(), None)]
    );
    let only = [
        told(b),
        told(a.clone()),
        paused(json!([reason(&a), {"TYPE": "scheduled"}])),
    ];
    assert_eq!(tokens(&only), [("a".to_owned(), secret.clone())]);
    assert_eq!(
        tokens(&[told(a), paused(Value::Null)]),
        [("a".to_owned(), secret)]
    );
    let wild = json!({"event": "human_input_required", "data": {"form_token": "a/../b", "inputs": 7, "actions": [1]}});
    assert_eq!(
        tokens(&[wild, paused(Value::Null)]),
        [(String::new(), None)],
        "no token makes another path"
    );
}
