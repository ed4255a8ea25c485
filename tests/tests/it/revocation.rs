//! An address dies: nothing is served on it any more, and what ran on it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use airlock::ops::{Operation, Reply};
use airlock_stand_in::{Behaviour, SampleApp};
use airlock_tests::post::{Connection, open_session};
use airlock_tests::world::address;
use airlock_tests::{Post, World};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// What is promised: running calls and streams have ended this long after the operation returned.
const PROMISED: Duration = Duration::from_millis(100);

/// Long enough for anything but a hang.
const SOON: Duration = Duration::from_secs(20);

/// The ways to kill an address.
#[derive(Clone, Copy, Debug)]
enum Way {
    Regenerate,
    Disable,
    Remove,
}

impl Way {
    fn operation(self, app: SampleApp) -> Operation {
        let app = slug(app).to_owned();
        match self {
            Self::Regenerate => Operation::Regenerate { app },
            Self::Disable => Operation::Disable { app },
            Self::Remove => Operation::Remove { app },
        }
    }
}

fn slug(app: SampleApp) -> &'static str {
    match app {
        SampleApp::TravelChat => "travel-chat",
        SampleApp::WordCounter => "word-counter",
        SampleApp::SupportDesk => "support-desk",
        SampleApp::ProductBlurb => "product-blurb",
        SampleApp::WeeklyReport => "weekly-report",
        SampleApp::FileClerk => "file-clerk",
        SampleApp::PhotoChat => "photo-chat",
    }
}

/// A request, when it was begun, and how it was answered.
struct Shot {
    begun: Instant,
    status: StatusCode,
}

/// Posts without a pause, on fresh connections and on one that is kept, until `over` and some more.
async fn hammer(
    url: String,
    keep: bool,
    served: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
) -> Vec<Shot> {
    let mut shots = Vec::new();
    let mut kept: Option<Connection> = None;
    let mut after = 0;
    while after < 10 {
        if over.load(Ordering::Acquire) {
            after += 1;
        }
        let post = Post::to(&url).rpc("tools/list", json!({}));
        let begun = Instant::now();
        let posted = if keep {
            if kept.is_none() {
                kept = Some(post.connect().await.expect("the server listens"));
            }
            let connection = kept.as_mut().expect("it was just opened");
            post.send_on(connection).await
        } else {
            post.send().await
        };
        let posted = posted.expect("an answer");
        let status = posted.status;
        let body = posted.bytes().await.expect("a body");
        if status == StatusCode::OK {
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            assert!(body["result"]["tools"].is_array(), "{body}");
            served.fetch_add(1, Ordering::Relaxed);
        }
        shots.push(Shot { begun, status });
    }
    shots
}

async fn nothing_is_served_after(way: Way) {
    let world = World::start().await.expect("a world");
    let url = world
        .publish(SampleApp::TravelChat)
        .await
        .expect("published");
    let served = Arc::new(AtomicUsize::new(0));
    let over = Arc::new(AtomicBool::new(false));
    let mut hammers = JoinSet::new();
    for worker in 0..8 {
        let (served, over) = (Arc::clone(&served), Arc::clone(&over));
        hammers.spawn(hammer(url.clone(), worker % 2 == 0, served, over));
    }
    // The hammers are at work when the address dies under them.
    while served.load(Ordering::Relaxed) < 100 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    world
        .ask(way.operation(SampleApp::TravelChat))
        .await
        .expect("done");
    let returned = Instant::now();
    over.store(true, Ordering::Release);
    let shots: Vec<Shot> = hammers.join_all().await.into_iter().flatten().collect();

    let (before, after): (Vec<_>, Vec<_>) =
        shots.into_iter().partition(|shot| shot.begun < returned);
    println!(
        "{way:?}: {} begun before, {} after",
        before.len(),
        after.len()
    );
    assert!(after.len() >= 8 * 9);
    for shot in after {
        // So many misses at once meet the bound on misses, which serves nothing either.
        assert!(
            matches!(
                shot.status,
                StatusCode::NOT_FOUND | StatusCode::TOO_MANY_REQUESTS
            ),
            "a request begun {:?} after the return got {}",
            shot.begun - returned,
            shot.status
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_begun_after_regenerate_returned_is_served_on_the_old_address() {
    nothing_is_served_after(Way::Regenerate).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_begun_after_disable_returned_is_served() {
    nothing_is_served_after(Way::Disable).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_begun_after_remove_returned_is_served() {
    nothing_is_served_after(Way::Remove).await;
}

/// Five calls of an app that Dify runs three at a time: three run, two wait, and all are open streams.
async fn what_runs_ends_after(way: Way, app: SampleApp, tool: &'static str, arguments: Value) {
    const CALLS: usize = 5;
    const RUNNING: usize = 3;
    let world = World::start().await.expect("a world");
    let url = world.publish(app).await.expect("published");
    world.dify.set(
        app,
        Behaviour::Slow {
            steps: 1_000,
            each: Duration::from_millis(50),
        },
    );
    let mut streams = Vec::new();
    for _ in 0..CALLS {
        let posted = Post::to(&url)
            .call(tool, arguments.clone())
            .send()
            .await
            .expect("an answer begins");
        assert!(posted.streams(), "a slow call becomes a stream");
        streams.push(posted);
    }
    world
        .dify
        .wait_until(|seen| seen.streams == RUNNING, SOON)
        .await
        .expect("they run");

    let ends: Vec<_> = streams
        .into_iter()
        .map(|mut posted| {
            tokio::spawn(async move {
                let mut last = Value::Null;
                while let Some(message) = posted.next().await.expect("a whole stream") {
                    last = message;
                }
                (Instant::now(), last)
            })
        })
        .collect();
    world.ask(way.operation(app)).await.expect("done");
    let returned = Instant::now();

    let mut slowest = Duration::ZERO;
    for end in ends {
        let (ended, last) = tokio::time::timeout(SOON, end)
            .await
            .expect("the stream ends")
            .expect("no panic");
        slowest = slowest.max(ended.saturating_duration_since(returned));
        assert_eq!(last["error"]["code"], 404, "{last}");
        assert!(
            last["error"]["message"]
                .as_str()
                .is_some_and(|words| words.contains("no longer valid")),
            "{last}"
        );
    }
    println!("{way:?} of {app:?}: the last of {CALLS} streams ended {slowest:?} after the return");
    assert!(slowest < PROMISED, "{slowest:?}");

    let seen = world
        .dify
        .wait_until(
            |seen| seen.stops.iter().filter(|stop| stop.effective).count() == RUNNING,
            SOON,
        )
        .await
        .expect("every run is stopped");
    assert!(seen.stops.iter().all(|stop| stop.app == app));
    let seen = world
        .dify
        .wait_until(|seen| seen.streams == 0, SOON)
        .await
        .expect("nothing runs on");
    let runs = seen
        .requests
        .iter()
        .filter(|request| request.body["response_mode"] == "streaming")
        .count();
    assert_eq!(runs, RUNNING, "what waited was never begun");
}

fn trip() -> Value {
    json!({"query": "Where to?", "topic": "Lisbon"})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_ends_within_100_ms_of_regenerate_and_is_stopped_in_dify() {
    what_runs_ends_after(
        Way::Regenerate,
        SampleApp::TravelChat,
        "travel_chat",
        trip(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_ends_within_100_ms_of_disable_and_is_stopped_in_dify() {
    let arguments = json!({"title": "Week 1", "audience": "team"});
    what_runs_ends_after(
        Way::Disable,
        SampleApp::WeeklyReport,
        "weekly_report",
        arguments,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_ends_within_100_ms_of_remove_and_is_stopped_in_dify() {
    let arguments = json!({"query": "Where is it?"});
    what_runs_ends_after(
        Way::Remove,
        SampleApp::SupportDesk,
        "support_desk",
        arguments,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_has_not_answered_a_byte_ends_too() {
    let world = World::start().await.expect("a world");
    let url = world
        .publish(SampleApp::WordCounter)
        .await
        .expect("published");
    world
        .dify
        .set(SampleApp::WordCounter, Behaviour::SilentAfterPing);
    // A client that reads no streams gets one JSON body, at the end.
    let call = Post::to(&url)
        .call("word_counter", json!({"query": "one two"}))
        .header("accept", "application/json");
    let call = tokio::spawn(async move {
        let response = call.send().await.expect("an answer").response().await;
        (Instant::now(), response.expect("a message"))
    });
    world
        .dify
        .wait_until(|seen| seen.streams == 1, SOON)
        .await
        .expect("it runs");
    world
        .ask(Way::Regenerate.operation(SampleApp::WordCounter))
        .await
        .expect("done");
    let returned = Instant::now();
    let (ended, response) = tokio::time::timeout(SOON, call)
        .await
        .expect("it ends")
        .expect("no panic");
    let took = ended.saturating_duration_since(returned);
    println!("the call ended {took:?} after the return");
    assert!(took < PROMISED, "{took:?}");
    assert_eq!(response["error"]["code"], 404, "{response}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enabled_app_has_the_address_that_it_had_before_it_was_disabled() {
    let world = World::start().await.expect("a world");
    let url = world
        .publish(SampleApp::TravelChat)
        .await
        .expect("published");
    let app = || "travel-chat".to_owned();
    world
        .ask(Operation::Disable { app: app() })
        .await
        .expect("disabled");
    let enabled = world.ask(Operation::Enable { app: app() }).await;
    assert_eq!(address(enabled.expect("enabled")).expect("an address"), url);
    let posted = Post::to(&url)
        .call("travel_chat", trip())
        .send()
        .await
        .expect("an answer");
    let (text, is_error) = posted.tool_text().await.expect("a tool result");
    assert!(!is_error, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn regenerating_a_disabled_app_keeps_it_off_and_kills_its_old_address_for_good() {
    let world = World::start().await.expect("a world");
    let old = world
        .publish(SampleApp::TravelChat)
        .await
        .expect("published");
    let app = || "travel-chat".to_owned();
    world
        .ask(Operation::Disable { app: app() })
        .await
        .expect("disabled");
    let Reply::App { app: view } = world
        .ask(Operation::Regenerate { app: app() })
        .await
        .expect("regenerated")
    else {
        panic!("regenerate answers with the app");
    };
    assert!(!view.enabled);
    let new = view.addresses.expect("a new address").host;
    assert_ne!(new, old);
    let status = async |url: &str| {
        let post = Post::to(url).rpc("tools/list", json!({}));
        post.send().await.expect("an answer").status
    };
    assert_eq!(status(&new).await, StatusCode::NOT_FOUND);
    world
        .ask(Operation::Enable { app: app() })
        .await
        .expect("enabled");
    assert_eq!(status(&new).await, StatusCode::OK);
    assert_eq!(status(&old).await, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_die_with_the_address_that_they_were_opened_at() {
    let world = World::start().await.expect("a world");
    let old = world
        .publish(SampleApp::TravelChat)
        .await
        .expect("published");
    let session = open_session(&old).await.expect("a session");
    let list = async |url: &str, session: &str| {
        let post = Post::to(url).session(session).rpc("tools/list", json!({}));
        post.send().await.expect("an answer")
    };
    assert_eq!(list(&old, &session).await.status, StatusCode::OK);

    let app = "travel-chat".to_owned();
    let reply = world.ask(Operation::Regenerate { app }).await;
    let new = address(reply.expect("regenerated")).expect("an address");
    let refused = list(&new, &session).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    let refused = refused.response().await.expect("a message");
    assert_eq!(refused["error"]["code"], -32001, "{refused}");

    let session = open_session(&new).await.expect("a new session");
    assert_eq!(list(&new, &session).await.status, StatusCode::OK);
}
