//! The official suite judges a server whose every fixture is a guest: the protocol, the host and the contract at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use airlock_stand_in::SampleApp;
use airlock_tests::World;
use airlock_tests::clients::node;
use airlock_tests::guests::{component, workspace};
use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

/// The suite takes some 30 s; a scenario that waits for nothing ends itself after 30.
const LONGEST: Duration = Duration::from_secs(300);

/// What the suite found in each scenario.
type Scenarios = BTreeMap<String, Found>;

/// How often each word was found; the suite's others (`SKIPPED`, `INFO`) say that there was nothing to find.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    passed: usize,
    failed: usize,
    warned: usize,
}

/// Runs what one revision requires, and what the suite has beyond that; the scenarios it ran are in the answer.
///
/// # Errors
/// When something fails of what counts for the revision, or the suite cannot be run.
async fn judged(revision: &str) -> anyhow::Result<Scenarios> {
    let world = World::start().await?;
    let fixtures = component("airlock-guest-conformance");
    let url = world
        .publish_with(SampleApp::TravelChat, Some(fixtures))
        .await?;
    let results = tempfile::tempdir()?;
    let suite = workspace()
        .join("target/conformance/node_modules/@modelcontextprotocol/conformance/dist/index.js");
    ensure!(
        suite.is_file(),
        "there is no {}; run `make suite`",
        suite.display()
    );
    let run = Command::new(node())
        .arg(suite)
        .args(["server", "--url", &url])
        .args(["--requirements", revision, "--output-dir"])
        .arg(results.path())
        .kill_on_drop(true)
        .output();
    let output = timeout(LONGEST, run)
        .await
        .context("the suite does not end")??;
    let said = String::from_utf8_lossy(&output.stdout);
    let summary = said
        .find("=== SUMMARY ===")
        .map_or(&*said, |at| &said[at..]);
    println!("{revision}\n{summary}");
    let scenarios = scenarios(results.path())?;
    ensure!(
        output.status.success(),
        "the suite finds fault with {revision}"
    );
    Ok(scenarios)
}

/// What the suite wrote: `server-SCENARIO-TIME/checks.json` for each scenario.
fn scenarios(results: &Path) -> anyhow::Result<Scenarios> {
    let mut scenarios = Scenarios::new();
    for entry in std::fs::read_dir(results)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let Some(name) = name.strip_prefix("server-") else {
            continue;
        };
        let checks: Value = serde_json::from_slice(&std::fs::read(path.join("checks.json"))?)?;
        let found = scenarios.entry(without_time(name).to_owned()).or_default();
        for check in checks.as_array().into_iter().flatten() {
            match check["status"].as_str() {
                Some("SUCCESS") => found.passed += 1,
                Some("FAILURE") => found.failed += 1,
                Some("WARNING") => found.warned += 1,
                _ => continue,
            }
            if check["status"] != "SUCCESS" {
                println!("{name}: {} {}", check["id"], check["errorMessage"]);
            }
        }
    }
    Ok(scenarios)
}

/// `tools-list-2026-11-22T20-14-05-123Z` without its time.
fn without_time(name: &str) -> &str {
    let length = "-2026-11-22T20-14-05-123Z".len();
    name.split_at_checked(name.len().saturating_sub(length))
        .map_or(name, |(name, _)| name)
}

/// Those in which nothing failed.
fn whole(scenarios: &Scenarios) -> usize {
    scenarios.values().filter(|found| found.failed == 0).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_requirement_of_2025_11_25_is_met() {
    let found = judged("2025-11-25")
        .await
        .expect("no requirement is missed");
    // 30 that count, and three beyond: ends of sessions, JSON Schema 2020-12, resuming a stream.
    assert_eq!((found.len(), whole(&found)), (33, 33), "{found:?}");
    assert_eq!(found["json-schema-2020-12"].passed, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_requirement_of_2026_07_28_and_the_tasks_extension_is_met() {
    let found = judged("2026-07-28")
        .await
        .expect("no requirement is missed");
    // 37 that count, ten of the tasks extension, and three beyond: JSON Schema 2020-12, and two on headers.
    assert_eq!((found.len(), whole(&found)), (50, 50), "{found:?}");
    let tasks = found.keys().filter(|name| name.starts_with("tasks-"));
    assert_eq!(tasks.count(), 10);
    for (scenario, checks) in [
        ("server-stateless", 30),
        ("http-header-validation", 14),
        ("http-custom-header-server-validation", 10),
        ("json-schema-2020-12", 8),
    ] {
        let whole = Found {
            passed: checks,
            ..Found::default()
        };
        assert_eq!(found[scenario], whole, "{scenario}");
    }
}
