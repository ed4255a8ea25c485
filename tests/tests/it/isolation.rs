//! A guest that misbehaves harms its own call and nothing else.

use std::time::{Duration, Instant};

use airlock::config::LimitArgs;
use airlock_stand_in::{Behaviour, SampleApp};
use airlock_tests::guests::component;
use airlock_tests::post::open_session;
use airlock_tests::{Post, World, WorldConfig};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Long enough for anything but a hang.
const SOON: Duration = Duration::from_secs(20);

/// What an app runs through while its guest waits.
const SLOW: Behaviour = Behaviour::Slow {
    steps: 1_000,
    each: Duration::from_millis(20),
};

fn hostile() -> Vec<u8> {
    component("airlock-guest-hostile")
}

/// A world with these bounds, and the address of an app with a hostile guest in it.
async fn hostile_world(limits: LimitArgs) -> (World, String) {
    let config = WorldConfig {
        limits,
        ..WorldConfig::default()
    };
    let world = World::with(config).await.expect("a world");
    // An app that needs no inputs: the guest has none to give.
    let url = world
        .publish_with(SampleApp::WordCounter, Some(hostile()))
        .await
        .expect("published");
    (world, url)
}

fn narrow() -> LimitArgs {
    LimitArgs {
        guest_cpu: 300,
        guest_memory: 16,
        ..LimitArgs::default()
    }
}

/// A call's text, whether it is an error, and how long it took.
async fn call(url: &str, tool: &str, arguments: Value) -> (String, bool, Duration) {
    let began = Instant::now();
    let answer = async {
        let posted = Post::to(url).call(tool, arguments).send().await?;
        posted.tool_text().await
    };
    let (text, is_error) = tokio::time::timeout(SOON, answer)
        .await
        .expect("an answer in time")
        .expect("a tool result");
    (text, is_error, began.elapsed())
}

async fn neighbour(url: &str) -> Duration {
    let trip = json!({"query": "Where to?", "topic": "Lisbon"});
    let (text, is_error, took) = call(url, "travel_chat", trip).await;
    assert!(!is_error, "{text}");
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn each_misbehaviour_ends_its_own_call_with_words_for_the_caller() {
    let (world, url) = hostile_world(narrow()).await;
    let other = world
        .publish(SampleApp::TravelChat)
        .await
        .expect("published");
    for (way, words) in [
        ("panic", "crashed during the call"),
        ("spin", "computed for more than 300ms"),
        ("eat_memory", "more than 16 MiB of memory"),
        ("recurse", "crashed during the call"),
    ] {
        let (text, is_error, took) = call(&url, way, json!({})).await;
        println!("{way}: {took:?}: {text}");
        assert!(is_error && text.contains(words), "{way}: {text}");
        for internal in ["wasm", "trap", "unreachable", "backtrace", "as asked", "/"] {
            assert!(!text.contains(internal), "{way}: {text}");
        }
        let (text, is_error, _) = call(&url, "behave", json!({})).await;
        assert!(!is_error && text == "good", "after {way}: {text}");
        neighbour(&other).await;
    }
    // A log over its bound is cut, and no fault of the call's.
    let (text, is_error, _) = call(&url, "flood_log", json!({})).await;
    assert!(!is_error && text == "logged", "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spinning_guest_is_stopped_soon_after_its_bound() {
    let (_world, url) = hostile_world(narrow()).await;
    // The first call compiles nothing any more, since publishing did; still, it is not the one that is timed.
    call(&url, "behave", json!({})).await;
    let (_, is_error, took) = call(&url, "spin", json!({})).await;
    println!("stopped after {took:?} of 300ms");
    assert!(is_error);
    assert!(
        took >= Duration::from_millis(300) && took < Duration::from_millis(900),
        "{took:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_neighbour_is_served_quickly_while_guests_spin() {
    let (world, url) = hostile_world(LimitArgs {
        guest_cpu: 3_000,
        ..LimitArgs::default()
    })
    .await;
    let other = world
        .publish(SampleApp::TravelChat)
        .await
        .expect("published");
    neighbour(&other).await;
    let mut begun = JoinSet::new();
    for _ in 0..4 {
        begun.spawn(Post::to(&url).call("spin", json!({})).send());
    }
    // What is answered by a stream has gone on for half a second: all four spin.
    let spinners: Vec<_> = begun
        .join_all()
        .await
        .into_iter()
        .map(|posted| tokio::spawn(posted.expect("an answer begins").tool_text()))
        .collect();
    let (mut calls, mut lists) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        calls.push(neighbour(&other).await);
        let began = Instant::now();
        let listed = Post::to(&other).rpc("tools/list", json!({})).send().await;
        assert_eq!(listed.expect("an answer").status, StatusCode::OK);
        lists.push(began.elapsed());
    }
    assert!(
        spinners.iter().all(|spinner| !spinner.is_finished()),
        "the guests must spin while the neighbour is timed"
    );
    calls.sort();
    lists.sort();
    println!(
        "with 4 spinners, a neighbour's call took {:?} (median) and {:?} (most), a list {:?} and {:?}",
        calls[10], calls[19], lists[10], lists[19]
    );
    assert!(calls[19] < Duration::from_millis(250), "{calls:?}");
    assert!(lists[19] < Duration::from_millis(250), "{lists:?}");
    for spinner in spinners {
        let ended = spinner.await.expect("no panic");
        let (text, is_error) = ended.expect("a tool result");
        assert!(
            is_error && text.contains("computed for more than 3s"),
            "{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_ends_a_guest_that_waits() {
    let (_world, url) = hostile_world(LimitArgs {
        call_deadline: 1,
        ..LimitArgs::default()
    })
    .await;
    let (text, is_error, took) = call(&url, "wait_long", json!({})).await;
    println!("ended after {took:?} of 1 s");
    assert!(is_error && text.contains("ended after 1 second"), "{text}");
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_millis(1_500),
        "{took:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_ends_a_run_that_a_guest_keeps_open_and_stops_it_in_dify() {
    let (world, url) = hostile_world(LimitArgs {
        call_deadline: 1,
        ..LimitArgs::default()
    })
    .await;
    world.dify.set(SampleApp::WordCounter, SLOW);
    let (text, is_error, _) = call(&url, "follow", json!({})).await;
    assert!(is_error, "{text}");
    stopped(&world).await;
}

async fn running(world: &World) {
    world
        .dify
        .wait_until(|seen| seen.streams == 1, SOON)
        .await
        .expect("the guest's run is open");
}

async fn stopped(world: &World) {
    world
        .dify
        .wait_until(
            |seen| seen.streams == 0 && seen.stops.iter().any(|stop| stop.effective),
            SOON,
        )
        .await
        .expect("the run is stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_stops_the_run_after_the_grace() {
    for grace in [0, 1] {
        let (world, url) = hostile_world(LimitArgs {
            hangup_grace: grace,
            ..LimitArgs::default()
        })
        .await;
        world.dify.set(SampleApp::WordCounter, SLOW);
        let posted = Post::to(&url).call("follow", json!({})).send().await;
        let posted = posted.expect("an answer begins");
        assert!(posted.streams());
        running(&world).await;
        let hung_up = Instant::now();
        drop(posted);
        stopped(&world).await;
        let took = hung_up.elapsed();
        println!("stopped {took:?} after the client hung up; grace {grace} s");
        let grace = Duration::from_secs(grace);
        assert!(
            took >= grace && took < grace + Duration::from_millis(500),
            "{took:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_call_stops_its_run_and_says_nothing_more() {
    let (world, url) = hostile_world(LimitArgs::default()).await;
    world.dify.set(SampleApp::WordCounter, SLOW);
    let session = open_session(&url).await.expect("a session");
    let mut posted = Post::to(&url)
        .session(&session)
        .call("follow", json!({}))
        .send()
        .await
        .expect("an answer begins");
    running(&world).await;
    let cancel = Post::to(&url)
        .session(&session)
        .notify("notifications/cancelled", json!({"requestId": 1}));
    let accepted = cancel.send().await.expect("an answer");
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    let rest = async {
        while let Some(message) = posted.next().await.expect("a whole stream") {
            assert_eq!(message["method"], "notifications/progress", "{message}");
        }
    };
    tokio::time::timeout(SOON, rest)
        .await
        .expect("the stream ends");
    stopped(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_cancels_the_call_of_another_session() {
    let (world, url) = hostile_world(LimitArgs {
        call_deadline: 2,
        ..LimitArgs::default()
    })
    .await;
    let mine = open_session(&url).await.expect("a session");
    let theirs = open_session(&url).await.expect("a session");
    let posted = Post::to(&url)
        .session(&mine)
        .call("wait_long", json!({}))
        .send()
        .await
        .expect("an answer begins");
    for cancel in [Post::to(&url).session(&theirs), Post::to(&url)] {
        let cancel = cancel.notify("notifications/cancelled", json!({"requestId": 1}));
        cancel.send().await.expect("an answer");
    }
    // It goes on to its deadline, where it would have ended without a word.
    let (text, is_error) = posted.tool_text().await.expect("a tool result");
    assert!(is_error && text.contains("ended after 2 seconds"), "{text}");
    drop(world);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_at_its_limit_of_calls_says_so_and_its_neighbour_is_not_asked_to_wait() {
    let (world, url) = hostile_world(LimitArgs {
        calls_per_app: 1,
        ..LimitArgs::default()
    })
    .await;
    let other = world
        .publish(SampleApp::TravelChat)
        .await
        .expect("published");
    let held = Post::to(&url).call("wait_long", json!({})).send().await;
    let held = held.expect("an answer begins");
    let waits = Post::to(&url).call("behave", json!({})).send().await;
    let waits = waits.expect("an answer begins, with word that it waits");
    let (text, is_error, _) = call(&url, "behave", json!({})).await;
    assert!(is_error && text.contains("try again in 5 s"), "{text}");
    neighbour(&other).await;
    drop((held, waits));
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_with_guests_of_their_own_run_side_by_side_and_each_reaches_its_own_app() {
    let (world, hostile) = hostile_world(LimitArgs::default()).await;
    let brief = world
        .publish_with(
            SampleApp::ProductBlurb,
            Some(component("airlock-guest-brief")),
        )
        .await
        .expect("published");
    let default = world
        .publish(SampleApp::TravelChat)
        .await
        .expect("published");
    world.dify.set(
        SampleApp::ProductBlurb,
        Behaviour::Slow {
            steps: 5,
            each: Duration::from_millis(50),
        },
    );
    // `follow` says "hello" to whichever app it reaches, and keeps that run open.
    let followed = Post::to(&hostile).call("follow", json!({})).send().await;
    let followed = followed.expect("an answer begins");
    let (briefed, _) = tokio::join!(
        call(&brief, "brief", json!({"topic": "bees"})),
        neighbour(&default)
    );
    assert!(!briefed.1, "{}", briefed.0);

    let seen = world.dify.seen();
    let runs: Vec<_> = seen
        .requests
        .iter()
        .filter(|request| request.body["response_mode"] == "streaming")
        .collect();
    assert_eq!(runs.len(), 3);
    for run in &runs {
        let app = run.app.expect("a run has a key");
        let said = run.body.to_string();
        let (expected, path) = if said.contains("hello") {
            (SampleApp::WordCounter, "/v1/chat-messages")
        } else if said.contains("bees") {
            (SampleApp::ProductBlurb, "/v1/completion-messages")
        } else {
            assert!(said.contains("Lisbon"), "{said}");
            (SampleApp::TravelChat, "/v1/chat-messages")
        };
        assert_eq!((app, run.path.as_str()), (expected, path), "{said}");
    }
    let users: std::collections::HashSet<_> = runs.iter().map(|run| &run.user).collect();
    assert_eq!(users.len(), 3, "a caller has another name at each app");
    drop(followed);

    // Nor does one app's address lead to another's tools.
    for (url, tool) in [(&default, "behave"), (&brief, "travel_chat")] {
        let posted = Post::to(url).call(tool, json!({})).send().await;
        let response = posted.expect("an answer").response().await;
        let response = response.expect("a message");
        assert_eq!(response["error"]["code"], -32602, "{response}");
    }
}
