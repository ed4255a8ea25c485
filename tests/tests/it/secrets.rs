//! What must never be printed: app keys and the master key nowhere, addresses only where they were asked for.

use airlock_stand_in::{Behaviour, Options, SampleApp, StandIn};
use airlock_tests::guests::workspace;
use airlock_tests::program::Ran;
use airlock_tests::{Post, Program};
use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};
use serde_json::json;

/// A home's master key, in every spelling that somebody might print.
fn spellings(line: &str) -> Vec<String> {
    let key = HEXLOWER
        .decode(line.trim().as_bytes())
        .expect("a generated key is hexadecimal");
    vec![
        HEXLOWER.encode(&key),
        HEXUPPER.encode(&key),
        // Without the padding, which would hide a run inside a longer text.
        BASE64.encode(&key).trim_end_matches('=').to_owned(),
        BASE64URL.encode(&key).trim_end_matches('=').to_owned(),
        // As `Debug` prints bytes.
        format!("{key:?}").trim_matches(['[', ']']).to_owned(),
    ]
}

fn code(url: &str) -> String {
    let code = url.split('/').nth_back(1).expect("…/server/CODE/mcp");
    assert!(code.len() >= 32, "160 bits and more");
    code.to_owned()
}

fn printed(ran: &Ran) -> Vec<String> {
    ran.stdout
        .lines()
        .filter(|line| line.contains("from this host"))
        .filter_map(|line| line.split_whitespace().last())
        .map(code)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_no_reply_and_no_error_holds_a_secret() {
    let dify = StandIn::start(Options::instant()).await.expect("a Dify");
    let home = tempfile::tempdir().expect("a directory");
    let airlock = Program::new(home.path())
        .env("DIFY_URL", &dify.url())
        .env("AIRLOCK_LOG", "trace")
        .env("RUST_BACKTRACE", "1");
    let keys: Vec<String> = dify
        .keys()
        .iter()
        .map(|(_, key)| (*key).to_owned())
        .collect();
    let given = dify.key(SampleApp::SupportDesk).to_owned();
    let (mut server, address) = airlock
        .clone()
        // One app comes by `app add` instead, and one key is nobody's.
        .env(
            "DIFY_APP_KEYS",
            &keys
                .iter()
                .filter(|key| **key != given)
                .cloned()
                .chain([
                    "app-nobodyknowsthiskey1234".to_owned(),
                    "no key at all".to_owned(),
                ])
                .collect::<Vec<_>>()
                .join(","),
        )
        .serve(&[])
        .await
        .expect("a server");
    server
        .wait_for(|said| said.stdout.contains("off weekly-report"))
        .await
        .expect("it lists what it registered");
    let master = std::fs::read_to_string(home.path().join("master.key")).expect("a key");

    let run = async |arguments: &[&str]| airlock.run(arguments).await.expect("it ends");
    let hostile = workspace().join("target/guests/airlock-guest-hostile.wasm");
    let hostile = hostile.to_str().expect("a plain path");

    // What may hold an address, and does.
    let mut may = vec![
        run(&["app", "enable", "travel-chat"]).await,
        run(&["app", "enable", "word-counter"]).await,
        run(&["app", "regenerate", "word-counter"]).await,
        run(&["app", "show", "travel-chat", "--reveal"]).await,
    ];
    let codes: Vec<String> = may.iter().flat_map(printed).collect();
    assert_eq!(codes.len(), 4, "{may:?}");
    let chat = format!("http://{address}/server/{}/mcp", codes[0]);
    let dead = format!("http://{address}/server/{}/mcp", codes[1]);
    may.push(run(&["app", "enable", "travel-chat", "--json"]).await);
    may.push(run(&["app", "regenerate", "word-counter", "--json"]).await);
    let regenerated: serde_json::Value =
        serde_json::from_str(&may.last().expect("it ran").stdout).expect("JSON");
    let agent = regenerated["app"]["addresses"]["host"]
        .as_str()
        .expect("an address");

    // What may not: replies, errors, and everything that requests bring about.
    let add = async |key: &str| {
        let ran = airlock.run_with(&["app", "add", "-"], key).await;
        ran.expect("it ends")
    };
    let mut must_not = vec![
        add(&given).await,
        add(&given).await,
        add("app-nobodyknowsthiskeyeither").await,
        add(&format!("{given} and more")).await,
        // A credential in the wrong place.
        run(&["app", "show", &given]).await,
        run(&["app", "show", &codes[0]]).await,
        run(&["app", "add", &given]).await,
    ];
    for arguments in [
        &["app", "list"][..],
        &["app", "show", "travel-chat"],
        &["app", "show", "travel-chat", "--json"],
        &["app", "list", "--json"],
        &["app", "describe", "travel-chat", "--title", "Trips"],
        &["app", "describe", "travel-chat", "--name", "no good"],
        &["app", "guest", "word-counter", hostile],
        &["app", "guest", "word-counter", "/dev/null"],
        &["app", "disable", "support-desk"],
        &["app", "remove", "nobody"],
        &["serve", "--listen", "127.0.0.1:0"],
    ] {
        must_not.push(run(arguments).await);
    }
    // The bridge is given an address, good or dead, and passes on what is said there.
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    for url in [chat.as_str(), &dead, &dead.replace("http", "gopher")] {
        let bridged = airlock.run_with(&["stdio", url], list).await;
        must_not.push(bridged.expect("it ends"));
    }
    let mut answers = Vec::new();
    let trip = json!({"query": "Where to?", "topic": "Lisbon"});
    for behaviour in [
        Behaviour::Normal,
        Behaviour::Fail,
        Behaviour::RefuseKey,
        Behaviour::BadGateway,
        Behaviour::ApiDisabled,
    ] {
        dify.set(SampleApp::TravelChat, behaviour);
        answers.push(Post::to(&chat).call("travel_chat", trip.clone()));
    }
    answers.extend([
        Post::to(&chat).initialize(),
        Post::to(&chat).rpc("tools/list", json!({})),
        Post::to(&chat).call("travel_chat", json!({})),
        Post::to(&chat).call("nothing", json!({})),
        Post::to(&chat).body("{"),
        Post::to(&chat).header("host", "evil.example"),
        Post::to(&chat).method(http::Method::GET),
        Post::to(&dead).rpc("tools/list", json!({})),
        Post::to(agent).call("panic", json!({})),
        Post::to(agent).call("flood_log", json!({})),
    ]);
    let mut bodies = String::new();
    for post in answers {
        let posted = post.send().await.expect("an answer");
        bodies.push_str(&format!("{:?}\n", posted.headers));
        let body = posted.bytes().await.expect("a body");
        bodies.push_str(&String::from_utf8_lossy(&body));
    }
    dify.down().await;
    let down = Post::to(&chat).call("travel_chat", trip).send().await;
    let down = down.expect("an answer").bytes().await.expect("a body");
    bodies.push_str(&String::from_utf8_lossy(&down));
    must_not.push(add("app-addedwhiledifyisdown").await);

    let (status, said) = server.signal("TERM").await.expect("it ends");
    assert!(status.success(), "{status}");
    let log = said.stderr.clone();
    for speaker in ["INFO airlock::call", "sqlx::query", "TRACE hyper_util"] {
        assert!(log.contains(speaker), "{speaker} says nothing: {log}");
    }

    let mut never = keys;
    never.extend(spellings(&master));
    never.extend(
        [
            "app-nobodyknowsthiskey1234",
            "app-nobodyknowsthiskeyeither",
            "app-addedwhiledifyisdown",
        ]
        .map(str::to_owned),
    );
    let mut places: Vec<(String, String)> = vec![
        ("the server's output".into(), said.stdout),
        ("the log".into(), said.stderr),
        ("what clients were answered".into(), bodies),
    ];
    for ran in &must_not {
        places.push(("a command's output".into(), ran.words()));
    }
    let addresses = codes
        .iter()
        .chain([&code(agent)])
        .cloned()
        .collect::<Vec<_>>();
    for (place, text) in &places {
        for address in &addresses {
            let line = text.lines().find(|line| line.contains(address));
            assert!(line.is_none(), "an address in {place}: {line:?}");
        }
    }
    for ran in &may {
        places.push(("the output of enable or regenerate".into(), ran.words()));
    }
    for (place, text) in &places {
        for secret in &never {
            // What clap quotes of a wrong use is the user's own command line, which is public already.
            let line = text
                .lines()
                .find(|line| line.contains(secret) && !line.contains("invalid value"));
            assert!(line.is_none(), "a key in {place}: {line:?}");
        }
    }
}
