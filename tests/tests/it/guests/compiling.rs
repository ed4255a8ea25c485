//! Components that are made to be compiled for ever, and the bounds that end that.

use std::time::{Duration, Instant};

use airlock::ops::Operation;
use airlock_stand_in::SampleApp;
use airlock_tests::guests::component;
use airlock_tests::{World, WorldConfig};
use serde_json::json;

use super::{behaves, call, in_a_process, publish};

/// A small component that is a guest by its export, and that a compiler takes much time and memory for: every one of many
/// loops is left with every one of many variables alive.
fn bomb() -> Vec<u8> {
    const VARIABLES: usize = 20_000;
    const LOOPS: usize = 4_000;
    let mut body = String::new();
    for at in 0..LOOPS {
        let variable = at % VARIABLES;
        body += &format!(
            "(loop (br_if 0 (local.tee {variable} (i32.sub (local.get {variable}) (i32.const 1)))))\n"
        );
    }
    for variable in 0..VARIABLES {
        body += &format!("(drop (i32.load (local.get {variable})))\n");
    }
    let variables = "i32 ".repeat(VARIABLES);
    let text = format!(
        r#"(component
            (core module (memory 1) (func (local {variables}) {body}))
            (component $hollow)
            (instance $tools (instantiate $hollow))
            (export "airlock:guest/tools@0.1.0" (instance $tools)))"#
    );
    wat::parse_str(text).expect("a component's text")
}

async fn world(adjust: fn(&mut airlock::server::ServerConfig)) -> (World, String) {
    let config = WorldConfig {
        adjust,
        ..WorldConfig::default()
    };
    let world = World::with(config).await.expect("a world");
    let url = publish(&world, component("airlock-guest-hostile")).await;
    (world, url)
}

async fn refusal(world: &World, component: Vec<u8>) -> String {
    let given = Operation::SetGuest {
        app: "word-counter".into(),
        component: Some(component),
    };
    let refused = world.ask(given).await.expect_err("it is refused");
    refused.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_takes_too_long_to_compile_is_given_up_and_the_old_guest_serves_meanwhile()
{
    let (world, url) = world(|config| {
        in_a_process(config);
        config.guests.compile_time = 5;
    })
    .await;
    let chat = world
        .publish(SampleApp::TravelChat)
        .await
        .expect("published");
    let refused = refusal(&world, bomb());
    let meanwhile = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..50 {
            let began = Instant::now();
            behaves(&url).await;
            let trip = json!({"query": "Where to?", "topic": "Lisbon"});
            assert!(!call(&chat, "travel_chat", trip).await.1);
            slowest = slowest.max(began.elapsed());
        }
        slowest
    };
    let (words, slowest) = tokio::join!(refused, meanwhile);
    println!("two calls took {slowest:?} at the most beside the compiler");
    assert!(
        words.contains("compiling it took more than 5 s (AIRLOCK_COMPILE_TIME)"),
        "{words}"
    );
    behaves(&url).await;
    // The next one has its turn at once.
    let next = refusal(&world, b"#!/bin/sh\n".to_vec()).await;
    assert!(next.contains("not WebAssembly"), "{next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_takes_too_much_memory_to_compile_is_given_up() {
    let (world, url) = world(|config| {
        in_a_process(config);
        config.guests.compile_memory = 512;
    })
    .await;
    let words = refusal(&world, bomb()).await;
    assert!(
        words.contains("compiling it took more than 512 MiB of memory (AIRLOCK_COMPILE_MEMORY)"),
        "{words}"
    );
    behaves(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_is_too_large_is_not_looked_at() {
    let (world, url) = world(|config| {
        in_a_process(config);
        config.guests.compile_size = 1;
    })
    .await;
    let words = refusal(&world, vec![0; 200 << 20]).await;
    assert!(
        words.contains("it has 209715200 bytes, and 1048576 is the most (AIRLOCK_COMPILE_SIZE)"),
        "{words}"
    );
    behaves(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_refuses_is_said_in_the_same_words() {
    let (world, url) = world(in_a_process).await;
    let words = refusal(&world, b"\0asm\x01\0\0\0".to_vec()).await;
    assert!(
        words.starts_with("the guest is refused: this core module carries no component type"),
        "{words}"
    );
    behaves(&url).await;
}
