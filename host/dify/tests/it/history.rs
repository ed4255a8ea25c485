//! What a workflow has put out before: the recorded log, and a recorded run behind each of its entries.

use serde_json::{Value, json as value};

use crate::recording::Recording;
use crate::server::{Server, json};

#[tokio::test]
async fn the_outputs_of_the_latest_runs_are_read_one_by_one() {
    let server = Server::start(|asked| match asked.path.split('?').next() {
        Some("/v1/workflows/logs") => Recording::read("wf-logs").reply(9),
        _ => Recording::read("wf-run-detail").reply(9),
    })
    .await;
    let outputs = server.app().latest_outputs(20).await.expect("a log");
    let one = value!({"body": "{\"path\":\"/sleep/400\"}", "status": 200});
    assert_eq!(value!(outputs), value!([one, one]));
    let asked: Vec<String> = server.asked().iter().map(|it| it.path.clone()).collect();
    assert_eq!(
        asked,
        [
            "/v1/workflows/logs?page=1&limit=100",
            "/v1/workflows/run/1f650a17-4bf6-41fe-9d14-0f60b0916145",
            "/v1/workflows/run/0776ab3b-6223-4df9-aaea-a36d61b43f10",
        ]
    );
    let outputs = server.app().latest_outputs(1).await.expect("a log");
    assert_eq!(outputs.len(), 1);
}

#[tokio::test]
async fn runs_that_failed_or_are_forgotten_are_passed_over() {
    let run = |id: &str, status: &str| value!({"workflow_run": {"id": id, "status": status}});
    let log = value!({"data": [
        run("a", "failed"), run("b", "succeeded"), run("c", "running"), run("../d", "succeeded"),
        {"workflow_run": Value::Null}, run("e", "partial-succeeded"),
    ]});
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/v1/workflows/run/b" => json(
            "404 NOT FOUND",
            r#"{"code": "not_found", "message": "Workflow run not found.", "status": 404}"#,
        ),
        "/v1/workflows/run/e" => json(
            "200 OK",
            r#"{"id": "e", "status": "partial-succeeded", "outputs": {"x": 1}}"#,
        ),
        path if path.starts_with("/v1/workflows/logs") => json("200 OK", &log.to_string()),
        other => panic!("{other} was asked"),
    })
    .await;
    let outputs = server.app().latest_outputs(20).await.expect("a log");
    assert_eq!(value!(outputs), value!([{"x": 1}]));
}
