//! The twenty faults of the wire: each ends in a clear result, within the deadline, with bounded memory.

use std::time::Duration;

use airlock::config::LimitArgs;
use airlock_stand_in::{Behaviour, SampleApp};
use airlock_tests::rogue::{Rogue, STREAM, Script, Step, sse};
use airlock_tests::{World, WorldConfig};
use serde_json::{Value, json};

use super::{IDLE, call, nothing_internal};

const CHAT: SampleApp = SampleApp::TravelChat;
const WORKFLOW: SampleApp = SampleApp::WeeklyReport;

/// Seconds that a call may take.
const DEADLINE: u64 = 10;
/// MiB that a call may add to the process, which here is server, client and Dify in one.
const MEMORY: u64 = 24;

/// A fault, and what the caller must read of it.
struct Fault {
    number: usize,
    name: &'static str,
    app: SampleApp,
    arm: Arm,
    want: Want,
}

enum Arm {
    /// Nobody listens.
    Refused,
    /// The stand-in has a way for it.
    Dify(Behaviour),
    /// The run is answered like this.
    Wire(Script),
    /// The same, and from then on the key is refused.
    Revoked(Script),
}

enum Want {
    /// The answer, which begins so.
    Answer(&'static str),
    /// An error with these words.
    Error(&'static str),
}
use Arm::{Dify, Refused, Revoked, Wire};
use Want::{Answer, Error};

const LOST: Want = Error("ended before the app's answer was complete");
const NOT_DIFY: Want = Error("is not Dify. Nothing you send can change that: tell the operator");
const KEY: Want = Error("the operator has to renew the key");
const SILENT: Want = Error("fell silent for 1 s");
const LATE: Want = Error("ended after 10 seconds");

#[rustfmt::skip]
fn faults() -> Vec<Fault> {
    use Behaviour::{Busy, EarlyErrorNoEof, EofWithoutTerminal, SilentAfterPing};
    let mut faults = Vec::new();
    let mut fault = |number, name, app, arm, want| {
        faults.push(Fault {
            number,
            name,
            app,
            arm,
            want,
        });
    };

    fault(1, "refused connection", CHAT, Refused, Error("Dify cannot be reached right now"));
    fault(2, "reset before the head", CHAT, Wire(vec![Step::Reset]), LOST);
    fault(2, "reset within the head", CHAT, wire(["HTTP/1.1 200 OK\r\nConte"], Step::Reset), LOST);
    fault(2, "reset after the head", WORKFLOW, wire([STREAM], Step::Reset), LOST);

    let html = |status| reply(status, "text/html", "<html>Nothing here</html>");
    fault(3, "HTML 404", CHAT, html("404 Not Found"), NOT_DIFY);
    fault(3, "HTML 502", WORKFLOW, html("502 Bad Gateway"), Error("Dify failed with status 502"));

    for (name, message) in [
        ("401, no header", "Authorization header must be provided and start with 'Bearer'"),
        ("401, wrong scheme", "Authorization scheme must be 'Bearer'"),
        ("401, unknown key", "Access token is invalid"),
    ] {
        fault(4, name, CHAT, refusal(401, "unauthorized", message), KEY);
    }
    for (name, message, words) in [
        ("403, app deleted", "The app no longer exists.", "no longer exists"),
        ("403, app abnormal", "The app's status is abnormal.", "suspended"),
        ("403, API off", "The app's API service has been disabled.", "API access is switched off"),
        ("403, archived", "The workspace's status is archived.", "archived"),
        ("403, another reason", "Not today.", "tell the operator"),
    ] {
        fault(4, name, WORKFLOW, refusal(403, "forbidden", message), Error(words));
    }

    fault(5, "429, the app's limit", CHAT, refusal(429, "too_many_requests", "Slow."), Error("Try again in 5 s"));
    fault(5, "429, a quota", CHAT, refusal(429, "rate_limit_error", "Slow."), Error("Try again in 17 s"));
    fault(5, "429 as HTML", CHAT, html("429 Too Many Requests"), Error("Try again in 17 s"));
    fault(5, "400 that means 429", WORKFLOW, Dify(Busy), Error("as often at once as Dify allows"));

    let redirect = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/login\r\nContent-Length: 0\r\n\r\n";
    fault(6, "redirect", CHAT, wire([redirect], Step::Silence), NOT_DIFY);

    let second = Duration::from_secs(1);
    let drip = |text: &str| Step::Drip(text.as_bytes().to_vec(), second * 9 / 10);
    fault(7, "slow drip of the head", CHAT, Wire(vec![drip(STREAM)]), SILENT);
    fault(7, "slow drip of the body", CHAT, Wire(vec![head(), drip("data: {\"event\": \"message\"")]), LATE);

    fault(8, "silence, chat", CHAT, Dify(SilentAfterPing), SILENT);
    fault(8, "silence after the first ping", WORKFLOW, Dify(SilentAfterPing), SILENT);

    fault(9, "error without an end", WORKFLOW, Dify(EarlyErrorNoEof), Error("The app failed while it ran"));

    fault(10, "end without an end, chat", CHAT, Dify(EofWithoutTerminal), LOST);
    fault(10, "end without an end, asked for", WORKFLOW, Dify(EofWithoutTerminal), Answer("{\n  \"report\": \"# Week 1"));

    let noise = b"\0\x01garbage\n: comment\nid: 7\ndata: not json\n\ndata: [1]\n\nevent: x\n\n{\n\n".to_vec();
    fault(11, "garbage between events", CHAT, Wire(vec![
        head(), Step::Send(noise.clone()), said("All "), Step::Send(noise.clone()), said("is well."), Step::Send(noise), over(),
    ]), Answer("All is well."));

    let huge = |event: &str, field: &str| Wire(vec![
        head(), started(), Step::Send(format!("data: {{\"event\": \"{event}\", \"data\": {{\"{field}\": \"").into_bytes()),
        Step::Repeat(vec![b'x'; 50 << 10], 1 << 10), Step::Send(b"\"}}\n\n".to_vec()), finished(), Step::Silence,
    ]);
    fault(12, "an event of 50 MB", WORKFLOW, huge("text_chunk", "text"), Error("more than 8192 KiB in one piece"));
    // It only tells of a step, and is passed over unread.
    fault(12, "an event of 50 MB, a step", WORKFLOW, huge("node_finished", "outputs"), Answer("All is well."));

    let small = sse(&[message("y")]).repeat(100);
    fault(13, "100,000 small events", CHAT, Wire(vec![head(), Step::Repeat(small, 1_000), over()]), Answer("yyyyyyyy"));

    fault(14, "invalid UTF-8", CHAT, Wire(vec![
        head(), Step::Send(b"data: {\"event\": \"message\", \"task_id\": \"t-1\", \"answer\": \"caf\xe9 \xff\"}\n\n".to_vec()), over(),
    ]), Answer("caf\u{fffd} \u{fffd}"));

    fault(15, "JSON for a stream", WORKFLOW, reply("200 OK", "application/json", "{}"), NOT_DIFY);
    fault(15, "a web page for a stream", CHAT, html("200 OK"), NOT_DIFY);

    let whole: Vec<u8> = sse(&[message("All is well."), end()]);
    let promised = |bytes: usize| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {bytes}\r\n\r\n");
        Wire(vec![Step::Send(head.into_bytes()), Step::Send(whole.clone()), Step::Send(whole.clone())])
    };
    fault(16, "more than promised", CHAT, promised(whole.len()), Answer("All is well."));
    fault(16, "promised too little", CHAT, promised(whole.len() - 20), LOST);
    fault(16, "promised too much", CHAT, Wire(vec![
        Step::Send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 999\r\n\r\n".to_vec()), said("All "),
    ]), LOST);

    fault(17, "an end twice", CHAT, Wire(vec![head(), said("All is well."), over(), over()]), Answer("All is well."));
    fault(17, "an end twice, workflow", WORKFLOW, Wire(vec![head(), started(), finished(), finished()]), Answer("All is well."));

    let node = sse(&[json!({"event": "node_started", "task_id": "t-1", "data": {"node_id": "n", "title": "Again"}})]);
    fault(18, "a stream that never ends", WORKFLOW, Wire(vec![head(), started(), Step::Repeat(node, usize::MAX)]), LATE);

    fault(19, "a key revoked in mid-run", WORKFLOW, Revoked(vec![head(), started()]), KEY);

    // The file is named, and where it lies is not.
    let file = json!({"dify_model_identity": "__dify__file__", "transfer_method": "tool_file", "filename": "chart.png",
        "url": "/files/tools/1.png?timestamp=1600000000&sign=x"});
    let ended = json!({"event": "workflow_finished", "task_id": "t-1", "workflow_run_id": "r-1",
        "data": {"status": "succeeded", "outputs": {"report": "All is well.", "chart": file}}});
    fault(20, "a file whose address is relative and expired", WORKFLOW, Wire(vec![head(), started(), Step::Send(sse(&[ended]))]),
        Answer("{"));
    faults
}

fn wire<const N: usize>(texts: [&str; N], last: Step) -> Arm {
    let texts = texts
        .into_iter()
        .map(|text| Step::Send(text.as_bytes().to_vec()));
    Wire(texts.chain([last]).collect())
}

fn reply(status: &str, kind: &str, body: &str) -> Arm {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nRetry-After: 17\r\nContent-Length: {length}\r\n\r\n"
    );
    Wire(vec![
        Step::Send(head.into_bytes()),
        Step::Send(body.as_bytes().to_vec()),
        Step::Silence,
    ])
}

fn refusal(status: u16, code: &str, message: &str) -> Arm {
    let body = json!({"code": code, "message": message, "status": status});
    reply(
        &format!("{status} Refused"),
        "application/json",
        &body.to_string(),
    )
}

fn head() -> Step {
    Step::Send(STREAM.into())
}

fn message(text: &str) -> Value {
    json!({"event": "message", "task_id": "t-1", "conversation_id": "c-1", "answer": text})
}

fn end() -> Value {
    json!({"event": "message_end", "task_id": "t-1", "conversation_id": "c-1", "metadata": {}})
}

fn said(text: &str) -> Step {
    Step::Send(sse(&[message(text)]))
}

fn over() -> Step {
    Step::Send(sse(&[end()]))
}

fn started() -> Step {
    Step::Send(sse(&[
        json!({"event": "workflow_started", "task_id": "t-1", "workflow_run_id": "r-1", "data": {}}),
    ]))
}

fn finished() -> Step {
    Step::Send(sse(&[
        json!({"event": "workflow_finished", "task_id": "t-1", "workflow_run_id": "r-1",
        "data": {"status": "succeeded", "outputs": {"report": "All is well."}}}),
    ]))
}

/// KiB of memory that this process uses, and the most that it has used since the last call of [`forget_peak`].
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let field = |name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.trim().strip_suffix("kB"));
        number
            .and_then(|number| number.trim().parse().ok())
            .expect("a number of kB")
    };
    (field("VmRSS:"), field("VmHWM:"))
}

fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").expect("a process may forget its own peak");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_the_wire_ends_in_words_in_time_and_in_bounds() {
    let rogue = Rogue::start().await.expect("a free port");
    let world = World::with(WorldConfig {
        dify_url: Some(rogue.url()),
        limits: LimitArgs {
            call_deadline: DEADLINE,
            ..LimitArgs::default()
        },
        adjust: |server| {
            let dify = server.dify.as_mut().expect("every world has a Dify");
            (dify.idle_flow, dify.idle_chat, dify.read_timeout) = (IDLE, IDLE, IDLE);
        },
        ..WorldConfig::default()
    })
    .await
    .expect("a world");
    rogue.before(&world.dify.url()).expect("its address");
    let mut urls = std::collections::HashMap::new();
    for app in [CHAT, WORKFLOW] {
        let url = world.publish(app).await.expect("published");
        let (text, is_error, _) = call(&url, app).await;
        assert!(!is_error, "{app:?} is well at first: {text}");
        urls.insert(app, url);
    }
    // Other tests are in this process, unless each has its own.
    let alone =
        std::env::var_os("NEXTEST_EXECUTION_MODE").is_some_and(|mode| mode == "process-per-test");
    let mut wrong = Vec::new();
    let mut met = std::collections::BTreeSet::new();
    for Fault {
        number,
        name,
        app,
        arm,
        want,
    } in faults()
    {
        let refused = matches!(arm, Refused);
        match arm {
            Refused => rogue.down().await,
            Dify(behaviour) => world.dify.set(app, behaviour),
            Wire(script) => rogue.play(Some(script)),
            Revoked(script) => {
                rogue.play(Some(script));
                world.dify.set(app, Behaviour::RefuseKey);
            }
        }
        forget_peak();
        let (before, _) = memory();
        let (text, is_error, took) = call(&urls[&app], app).await;
        let more = memory().1.saturating_sub(before) >> 10;
        let read: String = text.chars().take(90).collect();
        println!("{number:>2} {name:<44} {took:>8.1?} {more:>3} MiB  {read}");
        let clear = match want {
            Answer(words) => !is_error && text.starts_with(words),
            Error(words) => is_error && text.contains(words),
        };
        let in_time = took < Duration::from_secs(DEADLINE + 1);
        let in_bounds = !alone || more < MEMORY;
        if !(clear && in_time && in_bounds) {
            wrong.push(format!(
                "{number} {name}: error {is_error}, {took:?}, {more} MiB: {read}"
            ));
        }
        nothing_internal(&text);
        met.insert(number);

        // It is over when Dify is well again.
        if refused {
            rogue.up().await.expect("the port is still free");
        }
        rogue.play(None);
        world.dify.set(app, Behaviour::Normal);
        let (text, is_error, _) = call(&urls[&app], app).await;
        assert!(!is_error, "{app:?} after {name}: {text}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(met.into_iter().eq(1..=20), "each of the twenty was met");
}
