//! `airlock app …`, with a running server and without one.

use airlock_stand_in::SampleApp;
use airlock_tests::guests::workspace;
use airlock_tests::{Post, Program};
use http::StatusCode;
use serde_json::json;

use super::desk::{Desk, at, host, status, tools};

/// Everything that an operator does with one app, in order; what each command replied, as JSON and for people. What
/// differs from home to home is named: the id, and the addresses in the order in which they were given out.
async fn life_of_an_app(desk: &Desk) -> Vec<String> {
    let hostile = workspace().join("target/guests/airlock-guest-hostile.wasm");
    let hostile = hostile.to_str().expect("a plain path");
    let key = desk.home.path().join("key");
    std::fs::write(&key, desk.dify.key(SampleApp::TravelChat)).expect("a file");
    let key = key.to_str().expect("a plain path");
    let added = desk.add(SampleApp::TravelChat).await;
    let id = added["app"]["id"].as_str().expect("an id").to_owned();
    let mut addresses: Vec<String> = Vec::new();
    let mut replies = vec![
        added.to_string(),
        desk.add(SampleApp::TravelChat).await.to_string(),
    ];
    for arguments in [
        &["app", "list"][..],
        &["app", "show", "travel-chat"],
        &["app", "show", "travel-chat", "--reveal"],
        &["app", "enable", "travel-chat"],
        &["app", "show", "travel-chat", "--reveal"],
        &["app", "disable", "travel-chat"],
        &["app", "enable", "travel-chat"],
        &["app", "regenerate", "travel-chat"],
        &[
            "app",
            "describe",
            "travel-chat",
            "--name",
            "plan_trip",
            "--title",
            "Plan a trip",
            "--description",
            "Plans a trip. Use it for travel questions.",
            "--input",
            "topic=Where the trip goes",
            "--pin",
            "style=\"brief\"",
        ],
        &[
            "app",
            "describe",
            "travel-chat",
            "--unpin",
            "style",
            "--title",
            "",
        ],
        &["app", "guest", "travel-chat", hostile],
        &["app", "guest", "travel-chat", "--built-in"],
        &["app", "refresh", "travel-chat"],
        &["app", "key", "travel-chat", "--key-file", key],
        &["app", "list"],
        &["app", "remove", "travel-chat"],
        &["app", "list"],
    ] {
        let reply = desk.json(arguments).await;
        if let Some(address) = reply["app"]["addresses"]["host"].as_str()
            && !addresses.iter().any(|known| known == address)
        {
            addresses.push(address.to_owned());
        }
        replies.push(reply.to_string());
    }
    assert_eq!(addresses.len(), 2, "one by enabling, one by regenerating");
    let name = |reply: String| {
        let reply = reply.replace(&id, "ID");
        let number = 1..;
        addresses
            .iter()
            .zip(number)
            .fold(reply, |reply, (address, number)| {
                reply.replace(address, &format!("ADDRESS {number}"))
            })
    };
    replies.into_iter().map(name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_replies_the_same_with_a_running_server_and_without() {
    let (alone, served) = (Desk::new().await, Desk::new().await);
    let (_server, _) = served.serve().await;
    let (without, with) = tokio::join!(life_of_an_app(&alone), life_of_an_app(&served));
    for (without, with) in without.iter().zip(&with) {
        assert_eq!(without, with);
    }
    assert_eq!(without.len(), with.len());
    assert!(without[0].contains(r#""existed":false"#), "{}", without[0]);
    assert!(without[1].contains(r#""existed":true"#), "{}", without[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_without_a_server_is_there_when_one_starts() {
    let desk = Desk::new().await;
    desk.add(SampleApp::WordCounter).await;
    let url = host(&desk.json(&["app", "enable", "word-counter"]).await);
    let (server, address) = desk.serve().await;
    let url = at(&url, address);
    assert_eq!(tools(&url).await[0]["name"], "word_counter");
    let shown = desk
        .json(&["app", "show", "word-counter", "--reveal"])
        .await;
    assert_eq!(
        at(&host(&shown), address),
        url,
        "the same address, on the server's own port"
    );
    let (status, _) = server.signal("TERM").await.expect("it ends");
    assert!(status.success(), "{status}");

    // And the other way round.
    desk.json(&["app", "disable", "word-counter"]).await;
    let (_server, address) = desk.serve().await;
    assert_eq!(
        self::status(&at(&url, address)).await,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_has_acted_on_the_running_server_when_it_returns() {
    let desk = Desk::new().await;
    let (_server, _) = desk.serve().await;
    desk.add(SampleApp::TravelChat).await;
    let url = host(&desk.json(&["app", "enable", "travel-chat"]).await);
    assert_eq!(tools(&url).await[0]["name"], "travel_chat");

    desk.json(&[
        "app",
        "describe",
        "travel-chat",
        "--name",
        "plan_trip",
        "--description",
        "Plans a trip. Use it for travel questions.",
        "--input",
        "topic=Where the trip goes",
        "--pin",
        "style=\"detailed\"",
    ])
    .await;
    let tool = tools(&url).await[0].clone();
    assert_eq!(tool["name"], "plan_trip");
    assert_eq!(
        tool["description"],
        "Plans a trip. Use it for travel questions."
    );
    let properties = &tool["inputSchema"]["properties"];
    assert_eq!(properties["topic"]["description"], "Where the trip goes");
    assert!(
        properties["style"].is_null(),
        "a pinned input is not shown: {tool}"
    );
    let arguments = json!({"query": "Where to?", "topic": "Lisbon"});
    let posted = Post::to(&url).call("plan_trip", arguments).send().await;
    let (text, _) = posted
        .expect("an answer")
        .tool_text()
        .await
        .expect("a tool result");
    assert!(
        text.contains("style: detailed"),
        "the pinned value is sent: {text}"
    );

    let new = host(&desk.json(&["app", "regenerate", "travel-chat"]).await);
    assert_eq!(status(&url).await, StatusCode::NOT_FOUND);
    assert_eq!(status(&new).await, StatusCode::OK);
    desk.json(&["app", "disable", "travel-chat"]).await;
    assert_eq!(status(&new).await, StatusCode::NOT_FOUND);
    desk.json(&["app", "enable", "travel-chat"]).await;
    assert_eq!(status(&new).await, StatusCode::OK);
    let removed = desk.json(&["app", "remove", "travel-chat"]).await;
    assert_eq!(removed, json!({"removed": "travel-chat"}));
    assert_eq!(status(&new).await, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_fails_says_what_to_do_and_ends_with_a_code() {
    let desk = Desk::new().await;
    desk.add(SampleApp::TravelChat).await;
    let cases = [
        (
            &["app", "show", "nobody"][..],
            "",
            1,
            "`airlock app list` shows them",
        ),
        (
            &["app", "regenerate", "travel-chat"],
            "",
            1,
            "enable it first",
        ),
        (
            &["app", "add", "-"],
            "app-neverseen\n",
            1,
            "does not know the key",
        ),
        (&["app", "add", "-"], "", 1, "key"),
        (
            &["app", "add", "app-onthecommandline"],
            "",
            2,
            "[possible values: -]",
        ),
        (&["app", "describe", "travel-chat"], "", 1, "nothing to set"),
        (
            &["app", "describe", "travel-chat", "--pin", "style=odd"],
            "",
            1,
            "a text needs quotes",
        ),
        (
            &["app", "describe", "travel-chat", "--pin", "style=\"odd\""],
            "",
            1,
            "does not fit",
        ),
        (
            &["app", "describe", "travel-chat", "--pin", "colour=1"],
            "",
            1,
            "it has: ",
        ),
        (
            &["app", "describe", "travel-chat", "--name", "no good"],
            "",
            1,
            "1 to 64 letters",
        ),
        (
            &["app", "guest", "travel-chat", "/dev/null"],
            "",
            1,
            "not WebAssembly",
        ),
        (
            &["app", "guest", "travel-chat", "/nowhere.wasm"],
            "",
            1,
            "cannot read the component",
        ),
        (&["app", "guest", "travel-chat"], "", 2, "<FILE>"),
        (&["app", "frobnicate"], "", 2, "unrecognized subcommand"),
        (
            &["healthcheck", "--listen", "127.0.0.1:1"],
            "",
            1,
            "is `airlock serve` running?",
        ),
    ];
    let (_server, _) = desk.serve().await;
    for (arguments, input, code, words) in cases {
        for arguments in [arguments.to_vec(), [arguments, &["--json"]].concat()] {
            let ran = desk.airlock.run_with(&arguments, input).await;
            let ran = ran.expect("it ends");
            assert_eq!(ran.code, Some(code), "{arguments:?}: {ran:?}");
            assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
            assert!(ran.stdout.is_empty(), "{arguments:?}: {}", ran.stdout);
        }
    }
    let list = desk.json(&["app", "list"]).await;
    assert_eq!(list["apps"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_added_by_a_key_file_and_without_a_dify_not_at_all() {
    let desk = Desk::new().await;
    let file = desk.home.path().join("key");
    std::fs::write(&file, desk.dify.key(SampleApp::ProductBlurb)).expect("a file");
    let add = [
        "app",
        "add",
        "--key-file",
        file.to_str().expect("a plain path"),
    ];
    let homeless = Program::new(desk.home.path());
    let refused = homeless.run(&add).await.expect("it ends");
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("set DIFY_URL"), "{refused:?}");
    let added = desk.json(&add).await;
    assert_eq!(added["app"]["slug"], "product-blurb");
    assert_eq!(added["app"]["enabled"], false, "off until enabled");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_guest_would_change_is_said_with_a_running_server_and_without() {
    let desk = Desk::new().await;
    desk.add(SampleApp::TravelChat).await;
    let hostile = workspace().join("target/guests/airlock-guest-hostile.wasm");
    let hostile = hostile.to_str().expect("a plain path");
    let check = ["guest", "check", hostile, "--app", "travel-chat"];
    let without = desk.json(&check).await;
    let (_server, _) = desk.serve().await;
    let with = desk.json(&check).await;
    assert_eq!(without, with);
    let check = &with["check"];
    assert_eq!(check["app"], "travel-chat");
    assert_eq!(check["changes"]["removed"], json!(["travel_chat"]));
    assert_eq!(check["changes"]["added"][0], "behave");
    let shown = desk.json(&["app", "show", "travel-chat"]).await;
    assert_eq!(shown["app"]["guest"], "built-in", "nothing changed");

    let arguments = ["guest", "check", hostile, "--app", "travel-chat"];
    let told = desk.airlock.run(&arguments).await.expect("it ends");
    for line in [
        "asks for  airlock:guest/dify@0.1.0: may run the Dify app that it serves, and no other\n",
        "describes behave for travel-chat: Does this: behave.\n",
        "as the guest of travel-chat:\n  + tool behave comes\n",
        "  - tool travel_chat goes\n",
    ] {
        assert!(told.stdout.contains(line), "{}", told.stdout);
    }
}
