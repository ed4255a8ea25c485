//! `airlock demo`: what a newcomer sees first.

use std::path::PathBuf;
use std::time::Duration;

use airlock_tests::Program;
use serde_json::Value;

use super::desk::tools;

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
        let home = PathBuf::from(said["home"].as_str().expect("a home"));
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
