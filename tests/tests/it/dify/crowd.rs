//! More callers than Dify takes: they wait in a fair line.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use airlock::config::LimitArgs;
use airlock_stand_in::{Behaviour, Options, SampleApp};
use airlock_tests::{Post, World, WorldConfig};
use serde_json::{Value, json};

use super::{SOON, call};

const CHAT: SampleApp = SampleApp::TravelChat;
const WORKFLOW: SampleApp = SampleApp::WeeklyReport;

/// Calls that each caller makes, one after the other.
const ROUNDS: usize = 3;

/// How much longer than the median anybody may wait. In a fair line everybody waits once around; the first round is
/// shorter, and a slow machine adds its own. A line that served the newest first would let some wait for all rounds.
const FAIR: f64 = 3.0;

#[tokio::test(flavor = "multi_thread")]
async fn fifty_callers_are_served_in_turn_within_the_limits_and_lists_go_on() {
    let limits = LimitArgs::default();
    let most = limits.dify_in_flight;
    let world = World::with(WorldConfig {
        dify: Options {
            connections: 10,
            step: Duration::from_millis(40),
            ..Options::instant()
        },
        limits,
        ..WorldConfig::default()
    })
    .await
    .expect("a world");
    let chat = world.publish(CHAT).await.expect("published");
    let workflow = world.publish(WORKFLOW).await.expect("published");

    let crowd = |url: &str, app, callers: usize| -> Vec<_> {
        let caller = |_| {
            let url = url.to_owned();
            tokio::spawn(async move {
                let mut waits = Vec::new();
                for _ in 0..ROUNDS {
                    let (text, is_error, took) = patient_call(&url, app).await;
                    assert!(!is_error, "{text}");
                    waits.push(took);
                }
                waits
            })
        };
        (0..callers).map(caller).collect()
    };
    let crowds = [crowd(&chat, CHAT, 35), crowd(&workflow, WORKFLOW, 15)];

    let gone = Arc::new(AtomicBool::new(false));
    let home = Arc::clone(&gone);
    let lists = tokio::spawn(async move {
        let (mut count, mut slowest) = (0, Duration::ZERO);
        while !home.load(Ordering::Relaxed) {
            let began = Instant::now();
            let posted = Post::to(&chat).rpc("tools/list", json!({})).send().await;
            let list = posted.expect("an answer").response().await.expect("a list");
            assert_eq!(list["result"]["tools"][0]["name"], "travel_chat", "{list}");
            slowest = slowest.max(began.elapsed());
            count += 1;
            // The pace of a client that looks often.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        (count, slowest)
    });
    for (name, crowd) in ["35 at one app", "15 at another"].into_iter().zip(crowds) {
        let mut waits = Vec::new();
        for caller in crowd {
            waits.extend(caller.await.expect("nobody is refused"));
        }
        waits.sort();
        let (longest, median) = (waits[waits.len() - 1], waits[waits.len() / 2]);
        let ratio = longest.as_secs_f64() / median.as_secs_f64();
        println!(
            "{name}: {} calls, median {median:.1?}, longest {longest:.1?}, longest ÷ median {ratio:.2}",
            waits.len()
        );
        assert!(ratio <= FAIR, "{name}: somebody starves: {waits:?}");
    }
    gone.store(true, Ordering::Relaxed);
    let (count, slowest) = lists.await.expect("lists go on");
    println!("meanwhile {count} lists, the slowest {slowest:.1?}");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");

    let seen = world.dify.seen();
    println!(
        "most runs at once {}, most connections {}",
        seen.most_running, seen.most_open
    );
    assert_eq!(seen.most_running, most, "the limit is used, and kept");
    assert!(seen.most_open <= 10, "Dify takes no more");
    assert_eq!(seen.running, 0);
}

/// A call that may wait for its turn.
async fn patient_call(url: &str, app: SampleApp) -> (String, bool, Duration) {
    let (tool, arguments) = super::good(app);
    let began = Instant::now();
    let posted = Post::to(url).call(tool, arguments).send().await;
    let answer = posted.expect("an answer").tool_text();
    let (text, is_error) = tokio::time::timeout(SOON * 6, answer)
        .await
        .expect("nobody hangs")
        .expect("a tool result");
    (text, is_error, began.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_told_so_and_who_finds_no_room_is_told_when_to_come_back() {
    let world = World::with(WorldConfig {
        limits: LimitArgs {
            dify_per_app: 1,
            ..LimitArgs::default()
        },
        adjust: |server| {
            let dify = server.dify.as_mut().expect("every world has a Dify");
            dify.queue_per_app = 1;
        },
        ..WorldConfig::default()
    })
    .await
    .expect("a world");
    let url = world.publish(CHAT).await.expect("published");
    world.dify.set(CHAT, Behaviour::SilentAfterPing);
    let (tool, arguments) = super::good(CHAT);
    let post = || Post::to(&url).call(tool, arguments.clone());
    let held = tokio::spawn(post().send());
    let running = |seen: &airlock_stand_in::Seen| seen.streams == 1;
    world.dify.wait_until(running, SOON).await.expect("it runs");

    let mut waiting = post().send().await.expect("an answer begins");
    let told: Value = waiting.next().await.expect("a stream").expect("a message");
    assert_eq!(told["method"], "notifications/progress", "{told}");
    assert_eq!(
        told["params"]["message"], "Waiting for a free place",
        "{told}"
    );

    let (text, is_error, took) = call(&url, CHAT).await;
    println!("{took:?}: {text}");
    assert!(
        is_error && text.contains("Nothing was started; try again in 5 s"),
        "{text}"
    );
    assert!(took < Duration::from_secs(2), "at once: {took:?}");
    drop((held, waiting));
}
