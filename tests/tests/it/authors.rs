//! The way of a guest's author, from an empty directory to a published tool, outside of this workspace.

use std::time::Duration;

use airlock_stand_in::{Options, SampleApp, StandIn};
use airlock_tests::guests::workspace;
use airlock_tests::{Post, Program};
use serde_json::json;

/// Where the standard library for guests comes as source, the first build compiles it: two minutes on two cores.
const BUILD: Duration = Duration::from_secs(170);

#[tokio::test(flavor = "multi_thread")]
async fn an_author_makes_builds_checks_and_publishes_a_guest() {
    let dify = StandIn::start(Options::instant()).await.expect("a Dify");
    let directory = tempfile::tempdir().expect("a directory");
    let target = workspace().join("target");
    let mut airlock = Program::new(&directory.path().join("home"))
        .env("DIFY_URL", &dify.url())
        // The standard library for guests is compiled once, not in each run.
        .env(
            "CARGO_TARGET_DIR",
            target.join("outside").to_str().expect("a plain path"),
        );
    let toolchain = target.join("toolchain");
    if toolchain.is_dir() {
        airlock = airlock.env(
            "AIRLOCK_WASM_TOOLCHAIN",
            toolchain.to_str().expect("a plain path"),
        );
    }
    let project = directory.path().join("shouting-guest");
    let project = project.to_str().expect("a plain path");
    let component = directory.path().join("shouting.wasm");
    let component = component.to_str().expect("a plain path");

    let made = airlock
        .run(&["guest", "new", project])
        .await
        .expect("it ends");
    assert_eq!(made.code, Some(0), "{made:?}");
    let again = airlock
        .run(&["guest", "new", project])
        .await
        .expect("it ends");
    assert_eq!(again.code, Some(1), "nothing is written over: {again:?}");
    assert!(again.stderr.contains("is not empty"), "{again:?}");

    let built = airlock
        .clone()
        .within(BUILD)
        .run(&["guest", "build", project, "--out", component])
        .await
        .expect("it ends");
    assert_eq!(built.code, Some(0), "{built:?}");

    let checked = airlock
        .json(&["guest", "check", component])
        .await
        .expect("a reply");
    let imports = checked["imports"].as_array().expect("imports");
    assert!(
        imports.contains(&json!("airlock:guest/dify@0.1.0")),
        "{checked}"
    );
    assert!(
        imports.iter().all(|import| import
            .as_str()
            .is_some_and(|name| name.starts_with("airlock:guest/"))),
        "nothing but the contract: {checked}"
    );
    assert_eq!(checked["describes"]["tools"][0]["name"], "ask_loudly");

    let (_server, _) = airlock.serve(&[]).await.expect("a server");
    let added = airlock
        .json_with(
            &["app", "add", "-", "--guest", component],
            dify.key(SampleApp::WordCounter),
        )
        .await
        .expect("added");
    assert_eq!(added["app"]["guest"], checked["digest"]);
    let enabled = airlock.json(&["app", "enable", "word-counter"]).await;
    let enabled = enabled.expect("enabled");
    let url = enabled["app"]["addresses"]["host"].as_str();
    let posted = Post::to(url.expect("an address"))
        .call("ask_loudly", json!({"question": "how many are these"}))
        .send()
        .await
        .expect("an answer");
    let (text, is_error) = posted.tool_text().await.expect("a tool result");
    assert!(
        !is_error && text.contains("THE MESSAGE HAS 4 WORDS"),
        "{text}"
    );
}
