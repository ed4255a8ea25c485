//! The server is killed, or stopped, while something of a client's is under way, and started again in the same home.

mod answered;

use std::time::Duration;

use airlock_stand_in::{Behaviour, Options, SampleApp, Seen};
use airlock_tests::Post;
use airlock_tests::guests::component;
use airlock_tests::post::open_session;
use airlock_tests::program::Running;
use serde_json::{Value, json};

use crate::cli::desk::{Desk, at, host};
use crate::offers::{result, result_of};

/// Long enough for anything but a hang.
const SOON: Duration = Duration::from_secs(60);

/// One app behind a server that comes and goes.
struct Served {
    desk: Desk,
    app: SampleApp,
    server: Running,
    /// The address as the server that runs has it.
    url: String,
}

impl Served {
    /// The app is slower than a call may be that becomes no task.
    async fn new(app: SampleApp, guest: Option<&str>, dify: Options) -> Self {
        let mut desk = Desk::with(dify).await;
        desk.airlock = desk.airlock.env("AIRLOCK_LOG", "warn,airlock=debug");
        let mut add = vec!["app", "add", "-"];
        let file = desk.home.path().join("guest.wasm");
        if let Some(guest) = guest {
            std::fs::write(&file, component(guest)).expect("a file");
            add.extend(["--guest", file.to_str().expect("a plain path")]);
        }
        let key = format!("{}\n", desk.dify.key(app));
        let added = desk.airlock.json_with(&add, &key).await.expect("added");
        let slug = added["app"]["slug"].as_str().expect("a slug").to_owned();
        let url = host(&desk.json(&["app", "enable", &slug]).await);
        desk.dify.set(app, slow(30));
        let (server, address) = desk.serve().await;
        let url = at(&url, address);
        Self {
            desk,
            app,
            server,
            url,
        }
    }

    fn slug(&self) -> String {
        self.app.name().to_lowercase().replace(' ', "-")
    }

    /// Ends the server with this signal, does something, and starts it again.
    async fn restart_after(self, signal: &str, meanwhile: impl AsyncFnOnce(&Desk)) -> Self {
        let Self {
            desk,
            app,
            server,
            url,
        } = self;
        server.signal(signal).await.expect("it ends");
        meanwhile(&desk).await;
        let (server, address) = desk.serve().await;
        Self {
            url: at(&url, address),
            desk,
            app,
            server,
        }
    }

    async fn killed(self) -> Self {
        self.restart_after("KILL", async |_| {}).await
    }

    /// Calls a tool; the call becomes a task, whose id this is.
    async fn call(&self, tool: &str, arguments: Value) -> String {
        let params = json!({"name": tool, "arguments": arguments});
        let task = result_of(&self.url, "tools/call", Some(tool), params, &follower()).await;
        assert_eq!(task["resultType"], "task", "{task}");
        task["taskId"].as_str().expect("an id").to_owned()
    }

    /// The same, until a crash would find its run again.
    async fn begin(&mut self, tool: &str, arguments: Value) -> String {
        let task = self.call(tool, arguments).await;
        self.noted(1).await;
        task
    }

    /// Waits until so many runs can be found again after a crash.
    async fn noted(&mut self, runs: usize) {
        let noted = |text: &str| text.matches("a run of a task is written down").count();
        let said = self
            .server
            .wait_for(|said| noted(&said.stdout) + noted(&said.stderr) >= runs);
        said.await.expect("it is written down");
    }

    async fn get(&self, task: &str) -> Value {
        let params = json!({"taskId": task});
        result_of(&self.url, "tasks/get", Some(task), params, &follower()).await
    }

    /// Looks until the task is over, as a client does.
    async fn end(&self, task: &str) -> Value {
        let over = async {
            loop {
                let now = self.get(task).await;
                if now["status"] != "working" {
                    return now;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let end = tokio::time::timeout(SOON, over).await;
        end.expect("the task comes to an end")
    }

    /// The whole of a completed task's text.
    async fn text(&self, task: &str) -> String {
        let end = self.end(task).await;
        assert_eq!(end["status"], "completed", "{end}");
        assert_eq!(end["result"]["isError"], false, "{end}");
        let content = end["result"]["content"].as_array().expect("content");
        let texts: Vec<_> = content
            .iter()
            .filter_map(|it| it["text"].as_str())
            .collect();
        texts.join("\n")
    }

    async fn interrupted(&self, task: &str) {
        let end = self.end(task).await;
        assert_eq!(end["status"], "failed", "{end}");
        let words = end["error"]["message"].as_str().unwrap_or_default();
        assert!(words.starts_with("Interrupted"), "{words}");
    }

    /// Waits until the app's only run was stopped.
    async fn stopped(&self) -> Seen {
        let seen = self
            .seen(|seen| seen.stops.iter().any(|stop| stop.effective))
            .await;
        assert_eq!(runs(&seen), 1);
        seen
    }

    async fn seen(&self, condition: impl FnMut(&Seen) -> bool) -> Seen {
        self.desk
            .dify
            .wait_until(condition, SOON)
            .await
            .expect("it is seen")
    }
}

fn follower() -> Value {
    json!({"elicitation": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}})
}

/// Takes this many tenths of a second.
fn slow(steps: usize) -> Behaviour {
    Behaviour::Slow {
        steps,
        each: Duration::from_millis(100),
    }
}

/// How often the app was run.
fn runs(seen: &Seen) -> usize {
    let streaming = seen
        .requests
        .iter()
        .filter(|it| it.body["response_mode"] == "streaming");
    streaming.count()
}

fn follows(seen: &Seen) -> usize {
    let events = seen
        .requests
        .iter()
        .filter(|it| it.path.contains("/events?user=airlock-"));
    events.count()
}

fn report() -> Value {
    json!({"title": "Week 7", "notes": "Shipped it", "audience": "team"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_over_a_workflow_goes_on_after_a_kill() {
    let mut served = Served::new(SampleApp::WeeklyReport, None, Options::instant()).await;
    served.desk.dify.set(SampleApp::WeeklyReport, slow(100));
    let task = served.begin("weekly_report", report()).await;
    let served = served.killed().await;
    assert_eq!(served.get(&task).await["status"], "working");
    let end = served.end(&task).await;
    assert_eq!(end["status"], "completed", "{end}");
    let outputs = &end["result"]["structuredContent"];
    assert_eq!(outputs["title"], "Week 7", "{end}");
    let seen = served.desk.dify.seen();
    assert_eq!((runs(&seen), follows(&seen)), (1, 1));
    assert!(seen.stops.is_empty(), "{:?}", seen.stops);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_over_a_chatflow_goes_on_after_a_kill_and_so_does_its_conversation() {
    let mut served = Served::new(SampleApp::SupportDesk, None, Options::instant()).await;
    served.desk.dify.set(SampleApp::SupportDesk, slow(100));
    let task = served
        .begin("support_desk", json!({"query": "Where is it?"}))
        .await;
    let served = served.killed().await;
    let text = served.text(&task).await;
    let whole = "You asked: Where is it?\nOrder unknown, answered in a plain tone (turn 1).";
    assert!(text.starts_with(whole), "{text}");
    assert_eq!(runs(&served.desk.dify.seen()), 1);

    served
        .desk
        .dify
        .set(SampleApp::SupportDesk, Behaviour::Normal);
    let meta = &served.get(&task).await["result"]["_meta"];
    let arguments = json!({"query": "Still?", "conversation": meta["airlock/conversation"]});
    let params = json!({"name": "support_desk", "arguments": arguments});
    let again = result(&served.url, "tools/call", Some("support_desk"), params).await;
    assert!(again.to_string().contains("(turn 2)"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ended_while_no_server_was_there_is_fetched() {
    for events in [true, false] {
        for app in [SampleApp::WeeklyReport, SampleApp::SupportDesk] {
            let dify = Options {
                events,
                ..Options::instant()
            };
            let mut served = Served::new(app, None, dify).await;
            let (tool, arguments, said) = match app {
                SampleApp::WeeklyReport => ("weekly_report", report(), "Week 7"),
                _ => (
                    "support_desk",
                    json!({"query": "Well?"}),
                    "You asked: Well?",
                ),
            };
            let task = served.begin(tool, arguments).await;
            let over = async |desk: &Desk| {
                let over = desk.dify.wait_until(|seen| seen.running == 0, SOON).await;
                over.expect("the run goes on by itself");
            };
            let served = served.restart_after("KILL", over).await;
            let text = served.text(&task).await;
            assert!(text.contains(said), "{app:?}, {events}: {text}");
            assert_eq!(runs(&served.desk.dify.seen()), 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dify_without_a_door_for_events_is_asked_until_the_run_is_over() {
    let dify = Options {
        events: false,
        ..Options::instant()
    };
    let mut served = Served::new(SampleApp::WeeklyReport, None, dify).await;
    served.desk.dify.set(SampleApp::WeeklyReport, slow(100));
    let task = served.begin("weekly_report", report()).await;
    let served = served.killed().await;
    assert!(served.text(&task).await.contains("Week 7"));
    assert_eq!(runs(&served.desk.dify.seen()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_two_runs_is_given_back_both() {
    let guest = Some("airlock-guest-brief");
    let app = SampleApp::SupportDesk;
    let mut served = Served::new(app, guest, Options::instant()).await;
    served.desk.dify.set(app, Behaviour::Normal);
    let first = served.desk.dify.hold(app);
    let arguments = json!({"left": "bees", "right": "wasps", "points": 1});
    let task = served.begin("compare", arguments).await;
    let second = served.desk.dify.hold(app);
    drop(first);
    served.noted(2).await;
    assert_eq!(served.desk.dify.seen().running, 1, "the second");
    let served = served.killed().await;
    drop(second);
    let text = served.text(&task).await;
    assert!(text.contains("bees") && text.contains("wasps"), "{text}");
    let seen = served.desk.dify.seen();
    assert_eq!((runs(&seen), follows(&seen)), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_over_a_chat_app_was_interrupted_and_its_run_is_stopped() {
    let mut served = Served::new(SampleApp::TravelChat, None, Options::instant()).await;
    served.desk.dify.set(SampleApp::TravelChat, slow(1_000));
    let arguments = json!({"query": "Where to?", "topic": "Lisbon"});
    let task = served.begin("travel_chat", arguments).await;
    let served = served.killed().await;
    assert_eq!(
        served.get(&task).await["status"],
        "failed",
        "known before the first request"
    );
    served.interrupted(&task).await;
    served.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dify_had_not_named_is_neither_found_nor_started_again() {
    let served = Served::new(SampleApp::WeeklyReport, None, Options::instant()).await;
    let silent = Behaviour::SilentAfterPing;
    served.desk.dify.set(SampleApp::WeeklyReport, silent);
    let task = served.call("weekly_report", report()).await;
    served.seen(|seen| runs(seen) == 1).await;
    let served = served.killed().await;
    served.interrupted(&task).await;
    assert_eq!(runs(&served.desk.dify.seen()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_asks_for_something_else_than_before_starts_nothing() {
    let mut served = Served::new(SampleApp::WeeklyReport, None, Options::instant()).await;
    served.desk.dify.set(SampleApp::WeeklyReport, slow(1_000));
    let arguments = json!({"title": "Week 7", "audience": "team"});
    let task = served.begin("weekly_report", arguments).await;
    let slug = served.slug();
    let pin = async |desk: &Desk| {
        let pin = ["app", "describe", &slug, "--pin", r#"notes="Other""#];
        desk.json(&pin).await;
    };
    let served = served.restart_after("KILL", pin).await;
    served.interrupted(&task).await;
    let seen = served.stopped().await;
    assert_eq!(follows(&seen), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_cancelled_after_a_restart_is_stopped_in_dify() {
    for followed in [false, true] {
        let mut served = Served::new(SampleApp::WeeklyReport, None, Options::instant()).await;
        served.desk.dify.set(SampleApp::WeeklyReport, slow(1_000));
        let task = served.begin("weekly_report", report()).await;
        let served = served.killed().await;
        if followed {
            served.seen(|seen| follows(seen) == 1).await;
        }
        let params = json!({"taskId": task});
        result_of(
            &served.url,
            "tasks/cancel",
            Some(&task),
            params,
            &follower(),
        )
        .await;
        assert_eq!(served.end(&task).await["status"], "cancelled");
        served.stopped().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_goes_on_ends_with_its_address() {
    let mut served = Served::new(SampleApp::WeeklyReport, None, Options::instant()).await;
    served.desk.dify.set(SampleApp::WeeklyReport, slow(1_000));
    served.begin("weekly_report", report()).await;
    let served = served.killed().await;
    served.seen(|seen| follows(seen) == 1).await;
    served
        .desk
        .json(&["app", "regenerate", &served.slug()])
        .await;
    served.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_of_an_app_that_was_switched_off_meanwhile_was_interrupted() {
    let mut served = Served::new(SampleApp::WeeklyReport, None, Options::instant()).await;
    served.desk.dify.set(SampleApp::WeeklyReport, slow(1_000));
    let task = served.begin("weekly_report", report()).await;
    let slug = served.slug();
    let disable = async |desk: &Desk| drop(desk.json(&["app", "disable", &slug]).await);
    let served = served.restart_after("KILL", disable).await;
    served.stopped().await;
    served.desk.json(&["app", "enable", &slug]).await;
    served.interrupted(&task).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_whose_address_was_replaced_meanwhile_is_stopped() {
    let mut served = Served::new(SampleApp::WeeklyReport, None, Options::instant()).await;
    served.desk.dify.set(SampleApp::WeeklyReport, slow(1_000));
    served.begin("weekly_report", report()).await;
    let slug = served.slug();
    let replace = async |desk: &Desk| drop(desk.json(&["app", "regenerate", &slug]).await);
    let served = served.restart_after("KILL", replace).await;
    let seen = served.stopped().await;
    assert_eq!(follows(&seen), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_stopped_leaves_a_workflow_s_task_to_the_next_one() {
    let mut served = Served::new(SampleApp::WeeklyReport, None, Options::instant()).await;
    served.desk.dify.set(SampleApp::WeeklyReport, slow(100));
    let task = served.begin("weekly_report", report()).await;
    let runs_on = async |desk: &Desk| assert_eq!(desk.dify.seen().running, 1);
    let served = served.restart_after("TERM", runs_on).await;
    assert!(served.text(&task).await.contains("Week 7"));
    let seen = served.desk.dify.seen();
    assert_eq!(runs(&seen), 1);
    assert!(seen.stops.is_empty(), "{:?}", seen.stops);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_stopped_stops_a_chat_app_s_task() {
    let mut served = Served::new(SampleApp::TravelChat, None, Options::instant()).await;
    served.desk.dify.set(SampleApp::TravelChat, slow(1_000));
    let arguments = json!({"query": "Where to?", "topic": "Lisbon"});
    let task = served.begin("travel_chat", arguments).await;
    let stopped = async |desk: &Desk| {
        let seen = desk.dify.seen();
        assert!(
            seen.stops.iter().any(|stop| stop.effective),
            "{:?}",
            seen.stops
        );
    };
    let served = served.restart_after("TERM", stopped).await;
    served.interrupted(&task).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_of_questions_and_a_session_go_on_after_a_kill() {
    let guest = Some("airlock-guest-conformance");
    let served = Served::new(SampleApp::TravelChat, guest, Options::instant()).await;
    const ASKS: &str = "test_input_required_result_request_state";
    const TASK: &str = "confirm_delete";
    let session = open_session(&served.url).await.expect("a session");
    let params = json!({"name": ASKS, "arguments": {}});
    let asked = result(&served.url, "tools/call", Some(ASKS), params.clone()).await;
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let params_of_task = json!({"name": TASK, "arguments": {"filename": "a.txt"}});
    let task = result_of(
        &served.url,
        "tools/call",
        Some(TASK),
        params_of_task,
        &follower(),
    )
    .await;
    let task = task["taskId"].as_str().expect("a task").to_owned();
    assert_eq!(served.end(&task).await["status"], "input_required");

    let served = served.killed().await;
    let questions = asked["inputRequests"].as_object().expect("questions");
    let answers: serde_json::Map<_, _> = questions
        .keys()
        .map(|key| (key.clone(), json!({"action": "accept", "content": {"ok": true, "confirm": true, "name": "Ada"}})))
        .collect();
    let mut params = params;
    params["inputResponses"] = json!(answers);
    params["requestState"] = asked["requestState"].clone();
    let done = result(&served.url, "tools/call", Some(ASKS), params).await;
    assert_eq!(
        (&done["resultType"], &done["isError"]),
        (&json!("complete"), &json!(false)),
        "{done}"
    );

    let answers = json!({"confirm": {"action": "accept", "content": {"confirm": true}}});
    let params = json!({"taskId": task, "inputResponses": answers});
    result_of(
        &served.url,
        "tasks/update",
        Some(&task),
        params,
        &follower(),
    )
    .await;
    assert_eq!(served.text(&task).await, "It is deleted.");

    let post = Post::to(&served.url).session(&session);
    let listed = post
        .rpc("tools/list", json!({}))
        .send()
        .await
        .expect("an answer");
    let listed = listed.response().await.expect("a response");
    assert!(listed["result"]["tools"].is_array(), "{listed}");
}
