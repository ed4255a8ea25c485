//! `airlock serve`: keys from the environment, signals, one server to a home; and `airlock healthcheck`.

use std::time::Duration;

use airlock_stand_in::{Behaviour, SampleApp};
use airlock_tests::Post;
use http::StatusCode;
use serde_json::{Value, json};

use super::desk::{Desk, host, status};

#[tokio::test(flavor = "multi_thread")]
async fn the_health_check_follows_the_server() {
    let desk = Desk::new().await;
    let (server, address) = desk.serve().await;
    let check = ["healthcheck", "--listen", &address.to_string()];
    let healthy = desk.airlock.run(&check).await.expect("it ends");
    assert_eq!(healthy.code, Some(0), "{healthy:?}");
    server.signal("TERM").await.expect("it ends");
    let gone = desk.airlock.run(&check).await.expect("it ends");
    assert_eq!(gone.code, Some(1), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_leaves_the_home_to_the_first() {
    let desk = Desk::new().await;
    let (_server, _) = desk.serve().await;
    let second = desk
        .airlock
        .run(&["serve", "--listen", "127.0.0.1:0"])
        .await
        .expect("it ends");
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(
        second.stderr.contains("another airlock serves this home"),
        "{second:?}"
    );
    desk.add(SampleApp::TravelChat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_from_the_environment_are_registered_off_and_once() {
    let desk = Desk::new().await;
    let (chat, agent) = (
        desk.dify.key(SampleApp::TravelChat),
        desk.dify.key(SampleApp::WordCounter),
    );
    let file = desk.home.path().join("keys");
    std::fs::write(&file, format!("# two apps\n{agent}\n\n{chat}\n")).expect("a file");
    let airlock = desk
        .airlock
        .clone()
        .env("DIFY_APP_KEYS", &format!("{chat}, "))
        .env("DIFY_APP_KEYS_FILE", file.to_str().expect("a plain path"));
    for start in 1..=2 {
        let (mut server, _) = airlock.serve(&[]).await.expect("a server");
        let both =
            |text: &str| text.contains("off word-counter") && text.contains("off travel-chat");
        let said = server.wait_for(|said| both(&said.stdout)).await;
        let said = said.expect("what is there").stdout;
        assert_eq!(
            said.matches("registered ").count(),
            if start == 1 { 2 } else { 0 },
            "{said}"
        );
        let enable = "airlock app enable travel-chat";
        assert!(said.contains(enable), "the line that enables it: {said}");
        let list = desk.json(&["app", "list"]).await;
        assert_eq!(list["apps"].as_array().map(Vec::len), Some(2), "{list}");
        server.signal("INT").await.expect("it ends");
    }
    let (mut server, _) = airlock
        .clone()
        .env("AIRLOCK_ENABLE", "all")
        .serve(&[])
        .await
        .expect("a server");
    let both = |text: &str| {
        let reveal = |app| text.contains(&format!("airlock app show {app} --reveal\n"));
        reveal("word-counter") && reveal("travel-chat")
    };
    let said = server.wait_for(|said| both(&said.stdout)).await;
    let said = said.expect("the lines that print the addresses").stdout;
    for app in ["travel-chat", "word-counter"] {
        let url = host(&desk.json(&["app", "show", app, "--reveal"]).await);
        assert_eq!(status(&url).await, StatusCode::OK);
        assert!(!said.contains(&url), "a server's output is a log: {said}");
    }
    desk.json(&["app", "disable", "travel-chat"]).await;
    server.signal("TERM").await.expect("it ends");
    let mut server = airlock
        .env("AIRLOCK_ENABLE", "all")
        .start(&["serve", "--json", "--listen", "127.0.0.1:0"])
        .expect("it starts");
    let said = server.wait_for(|said| said.stdout.ends_with("}\n")).await;
    let said: Value = serde_json::from_str(&said.expect("one object").stdout).expect("JSON");
    let enabled = |slug: &str| {
        let mut apps = said["apps"].as_array().into_iter().flatten();
        let app = apps.find(|app| app["slug"] == slug).expect("it is listed");
        app["enabled"].as_bool()
    };
    assert_eq!(enabled("word-counter"), Some(true));
    assert_eq!(
        enabled("travel-chat"),
        Some(false),
        "what was switched off stays off"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_dify_could_not_be_asked_about_is_tried_again() {
    let desk = Desk::new().await;
    desk.dify.down().await;
    let key = desk.dify.key(SampleApp::TravelChat);
    let airlock = desk.airlock.clone().env("DIFY_APP_KEYS", key);
    let (mut server, _) = airlock.serve(&[]).await.expect("it starts without Dify");
    let said = server
        .wait_for(|said| said.stdout.contains("key 1 of DIFY_APP_KEYS is pending"))
        .await
        .expect("it says so");
    assert!(!said.stdout.contains(key), "{said:?}");
    desk.dify.up().await.expect("the port is still free");
    server
        .wait_for(|said| said.stdout.contains("registered travel-chat"))
        .await
        .expect("the next attempt finds Dify");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_lets_a_running_call_come_to_its_end() {
    let desk = Desk::new().await;
    let (server, _) = desk.serve().await;
    desk.add(SampleApp::WordCounter).await;
    let url = host(&desk.json(&["app", "enable", "word-counter"]).await);
    desk.dify.set(
        SampleApp::WordCounter,
        Behaviour::Slow {
            steps: 10,
            each: Duration::from_millis(200),
        },
    );
    let posted = Post::to(&url)
        .call("word_counter", json!({"query": "one two three"}))
        .send()
        .await
        .expect("an answer begins");
    let (text, ended) = tokio::join!(posted.tool_text(), server.signal("TERM"));
    let (text, is_error) = text.expect("a tool result");
    assert!(!is_error && text.contains("3 words"), "{text}");
    let (status, said) = ended.expect("it ends");
    assert!(status.success(), "{status}: {said:?}");
}
