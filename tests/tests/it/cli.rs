//! The program at a terminal: with a running server and without one, for people and for programs.

use std::net::SocketAddr;
use std::time::Duration;

use airlock_stand_in::{Options, SampleApp, StandIn};
use airlock_tests::guests::workspace;
use airlock_tests::program::Running;
use airlock_tests::{Post, Program};
use http::StatusCode;
use serde_json::{Value, json};

/// A Dify and a home, and the program that knows both.
struct Desk {
    dify: StandIn,
    home: tempfile::TempDir,
    airlock: Program,
}

impl Desk {
    async fn new() -> Self {
        let dify = StandIn::start(Options::instant()).await.expect("a Dify");
        let home = tempfile::tempdir().expect("a directory");
        let airlock = Program::new(home.path()).env("DIFY_URL", &dify.url());
        Self {
            dify,
            home,
            airlock,
        }
    }

    /// Adds an app by its key on standard input. The reply.
    async fn add(&self, app: SampleApp) -> Value {
        let key = format!("{}\n", self.dify.key(app));
        self.airlock
            .json_with(&["app", "add", "-"], &key)
            .await
            .expect("added")
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        self.airlock.json(arguments).await.expect("a reply")
    }

    async fn serve(&self) -> (Running, SocketAddr) {
        self.airlock.serve(&[]).await.expect("a server")
    }
}

fn host(reply: &Value) -> String {
    reply["app"]["addresses"]["host"]
        .as_str()
        .unwrap_or_else(|| panic!("no address: {reply}"))
        .to_owned()
}

/// The address as the server on this port has it.
fn at(url: &str, address: SocketAddr) -> String {
    let (_, path) = url.split_once("/server/").expect("…/server/CODE/mcp");
    format!("http://{address}/server/{path}")
}

async fn tools(url: &str) -> Value {
    let posted = Post::to(url).rpc("tools/list", json!({})).send().await;
    let response = posted.expect("an answer").response().await;
    response.expect("a list")["result"]["tools"].clone()
}

async fn status(url: &str) -> StatusCode {
    let posted = Post::to(url).rpc("tools/list", json!({})).send().await;
    posted.expect("an answer").status
}

/// Everything that an operator does with one app, in order; what each command replied, as JSON and for people. What
/// differs from home to home is named: the id, and the addresses in the order in which they were given out.
async fn life_of_an_app(desk: &Desk) -> Vec<String> {
    let hostile = workspace().join("target/guests/airlock-guest-hostile.wasm");
    let hostile = hostile.to_str().expect("a plain path");
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
async fn the_demo_answers_on_every_address_and_leaves_nothing_behind() {
    let unused = tempfile::tempdir().expect("a directory");
    for signal in ["INT", "TERM"] {
        let airlock = Program::new(unused.path());
        let mut demo = airlock
            .start(&["demo", "--json", "--listen", "127.0.0.1:0"])
            .expect("it starts");
        let said = demo.wait_for(|said| said.stdout.contains('\n')).await;
        let said: Value = serde_json::from_str(&said.expect("a line").stdout).expect("JSON");
        let apps = said["apps"].as_array().expect("apps");
        assert_eq!(apps.len(), 5);
        for app in apps {
            let url = app["addresses"]["host"].as_str().expect("an address");
            let listed = tools(url).await;
            assert_eq!(listed[0]["name"], app["tools"][0]["name"]);
        }
        let home = std::path::PathBuf::from(said["home"].as_str().expect("a home"));
        let list = Program::new(&home).json(&["app", "list"]).await;
        assert_eq!(
            list.expect("a reply")["apps"].as_array().map(Vec::len),
            Some(5)
        );
        let (status, _) = demo.signal(signal).await.expect("it ends");
        assert!(status.success(), "{status}");
        assert!(!home.exists(), "{} is left", home.display());
    }
    let left = std::fs::read_dir(unused.path())
        .expect("a directory")
        .count();
    assert_eq!(left, 0, "the demo keeps out of the user's home");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_a_line_that_works_as_it_stands() {
    let unused = tempfile::tempdir().expect("a directory");
    let mut demo = Program::new(unused.path())
        .start(&["demo", "--listen", "127.0.0.1:0"])
        .expect("it starts");
    let said = demo
        .wait_for(|said| said.stdout.contains("Ctrl-C ends the demo"))
        .await
        .expect("the introduction")
        .stdout;
    let line = said
        .lines()
        .find(|line| line.trim().starts_with("curl "))
        .unwrap_or_else(|| panic!("no line to copy: {said}"));
    // The shell is what a person would paste it into.
    let ran = tokio::process::Command::new("sh")
        .args(["-c", line])
        .output();
    let ran = tokio::time::timeout(Duration::from_secs(60), ran)
        .await
        .expect("it ends")
        .expect("a shell");
    let answer = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{line}: {ran:?}");
    assert!(
        answer.contains(r#""isError":false"#) && answer.contains("notifications/progress"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_lets_a_running_call_come_to_its_end() {
    let desk = Desk::new().await;
    let (server, _) = desk.serve().await;
    desk.add(SampleApp::WordCounter).await;
    let url = host(&desk.json(&["app", "enable", "word-counter"]).await);
    desk.dify.set(
        SampleApp::WordCounter,
        airlock_stand_in::Behaviour::Slow {
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
