//! The way of a guest's author, from an empty directory to a published tool, outside of this workspace.

use std::path::PathBuf;
use std::time::Duration;

use airlock_registry::Digest;
use airlock_stand_in::{Options, SampleApp, StandIn};
use airlock_tests::guests::workspace;
use airlock_tests::{Post, Program};
use serde_json::json;

/// Where the standard library for guests comes as source, the first build compiles it: two to five minutes on two cores.
const BUILD: Duration = Duration::from_secs(600);

/// A directory outside of the workspace, always the same one for a workspace: cargo compiles the standard library again
/// for a project in another place, because the place is among the compiler's flags.
struct Outside(PathBuf);

impl Outside {
    fn empty() -> Self {
        let place = workspace().to_string_lossy().into_owned();
        let name = Digest::of(place.as_bytes()).to_string();
        let name = name.rsplit(':').next().expect("a digest has digits");
        let path = std::env::temp_dir().join(format!("airlock-author-{}", &name[..16]));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a temporary directory");
        Self(path)
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_author_makes_builds_checks_and_publishes_a_guest() {
    let dify = StandIn::start(Options::instant()).await.expect("a Dify");
    let directory = Outside::empty();
    let target = workspace().join("target");
    let mut airlock = Program::new(&directory.0.join("home"))
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
    let project = directory.0.join("shouting-guest");
    let project = project.to_str().expect("a plain path");
    let component = directory.0.join("shouting.wasm");
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

    // The versions that this workspace builds with: what crates.io has since is no matter of this test.
    std::fs::copy(
        workspace().join("Cargo.lock"),
        format!("{project}/Cargo.lock"),
    )
    .expect("a lock file");
    let tested = tokio::process::Command::new(env!("CARGO"))
        .args(["test", "--quiet", "--lib"])
        .current_dir(project)
        .env("CARGO_TARGET_DIR", target.join("outside"))
        .output()
        .await
        .expect("cargo runs");
    assert!(tested.status.success(), "its own test passes: {tested:?}");

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
    let checked = &checked["check"];
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
