//! `tools/call`: how arguments go in, and in which form the answer comes.

use std::time::Duration;

use airlock_mcp::{CallError, CallResult, Config};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::fixture::{BOTH, JSON, WITH_PROGRESS, call, client, client_with, echo, slow};

#[tokio::test]
async fn arguments_reach_the_tool_as_they_were_written() {
    let client = echo();
    let said = async |more: &str| {
        client.post(BOTH, &call("1", more)).await.json()["result"]["content"][0]["text"].clone()
    };
    assert_eq!(
        said(r#","arguments":{"z":1.0, "a":"\u0041", "big":1e400}"#).await,
        r#"run {"z":1.0, "a":"\u0041", "big":1e400}"#
    );
    assert_eq!(said("").await, "run {}");
    assert_eq!(said(r#","arguments":null"#).await, "run {}");
}

#[tokio::test]
async fn a_call_that_cannot_be_understood_reaches_no_tool() {
    let client = client(|_| panic!("no call should come this far"));
    let deep = format!(
        r#","arguments":{{"a":{}{}}}"#,
        "[".repeat(127),
        "]".repeat(127)
    );
    for more in [
        r#","arguments":[]"#,
        r#","arguments":"{}""#,
        r#","arguments":{},"arguments":{}"#,
        r#","name":"run""#,
        r#","_meta":{"progressToken":1.5}"#,
        r#","_meta":{"progressToken":{}}"#,
        r#","_meta":[]"#,
        &deep,
    ] {
        assert_eq!(
            client.post(BOTH, &call("1", more)).await.error(),
            (200, -32602, json!(1)),
            "{more}"
        );
    }
    let nameless = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}"#;
    assert_eq!(
        client.post(BOTH, nameless).await.error(),
        (200, -32602, json!(1))
    );
}

#[tokio::test]
async fn failures_of_a_call_have_the_form_that_the_version_wants() {
    let client = client(|call| {
        Box::pin(async move {
            Err(match call.tool.as_str() {
                "run" => CallError::InvalidArguments("query is missing".to_owned()),
                "broken" => CallError::Internal("The guest is broken".to_owned()),
                "stopped" => CallError::Cancelled,
                "gone" => CallError::Gone,
                _ => CallError::Unknown,
            })
        })
    });
    let named = |name: &str| call("1", "").replace("run", name);
    let new = [("mcp-protocol-version", "2025-11-25")];
    let result = client.post(&new, &named("run")).await.json()["result"].clone();
    assert_eq!(
        result,
        json!({"content": [{"type": "text", "text": "query is missing"}], "isError": true})
    );
    assert_eq!(
        client.post(BOTH, &named("run")).await.error(),
        (200, -32602, json!(1))
    );
    for (name, code) in [
        ("broken", -32603),
        ("stopped", -32800),
        ("gone", 404),
        ("nobody", -32602),
    ] {
        assert_eq!(
            client.post(&new, &named(name)).await.error(),
            (200, code, json!(1)),
            "{name}"
        );
    }
    let long = client.post(&new, &named(&"x".repeat(5000))).await;
    assert!(long.text.len() < 300, "{}", long.text);
}

#[tokio::test(start_paused = true)]
async fn a_quick_answer_is_json() {
    let heard = slow(Duration::from_millis(499))
        .post(BOTH, &call("1", WITH_PROGRESS))
        .await;
    assert!(!heard.is_stream());
    assert_eq!(heard.headers["content-type"], "application/json");
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_a_stream_that_is_never_silent_for_long() {
    let client = slow(Duration::from_secs(600));
    let start = Instant::now();
    let response = client.open(BOTH, &call("1", "")).await;
    assert_eq!(start.elapsed(), Duration::from_millis(500));
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    assert_eq!(response.headers()["cache-control"], "no-store");

    let mut body = response.into_body();
    let (mut last, mut text, mut comments) = (start.elapsed(), String::new(), 0);
    while let Some(frame) = body.frame().await {
        let bytes = frame
            .expect("bodies do not fail")
            .into_data()
            .expect("data");
        assert!(start.elapsed() - last <= Duration::from_secs(10));
        last = start.elapsed();
        comments += usize::from(bytes.starts_with(b":"));
        text.push_str(str::from_utf8(&bytes).expect("UTF-8"));
    }
    assert_eq!(
        comments, 60,
        "one at once, one every ten seconds of silence"
    );
    assert!(
        text.ends_with("\n\n") && text.matches("data: ").count() == 1,
        "{text}"
    );
    assert_eq!(start.elapsed(), Duration::from_secs(600));
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_name_event_streams_waits_for_json() {
    let client = client(|call| {
        Box::pin(async move {
            assert!(
                !call.context.progress.wanted(),
                "there is no stream for it to travel on"
            );
            sleep(Duration::from_secs(100)).await;
            Ok(CallResult::text("late").into())
        })
    });
    for headers in [JSON, &[("accept", "*/*")], &[]] {
        let heard = client.post(headers, &call("1", WITH_PROGRESS)).await;
        assert_eq!(heard.json()["result"]["content"][0]["text"], "late");
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_starts_the_stream_before_the_grace_is_over_and_the_token_comes_back_as_it_was() {
    let client = client(|call| {
        Box::pin(async move {
            for step in 0..3 {
                call.context.progress.report(
                    Some(f64::from(step) * 50.0),
                    Some(100.0),
                    Some(format!("step {step}")),
                );
                sleep(Duration::from_millis(50)).await;
            }
            Ok(CallResult::text("done").into())
        })
    });
    for token in ["7", r#""t\u0041""#, r#""""#] {
        let heard = client
            .post(
                BOTH,
                &call("1", &format!(r#","_meta":{{"progressToken":{token}}}"#)),
            )
            .await;
        assert!(heard.is_stream());
        assert!(
            heard.text.contains(&format!(r#""progressToken":{token},"#)),
            "{}",
            heard.text
        );
        let events = heard.events();
        let numbers: Vec<_> = events
            .iter()
            .filter_map(|event| event["params"]["progress"].as_f64())
            .collect();
        assert_eq!(numbers, [0.0, 50.0, 100.0]);
        assert_eq!(events[1]["params"]["message"], "step 1");
        assert_eq!(events[1]["params"]["total"], 100.0);
        assert_eq!(
            events.last().expect("an answer")["result"]["content"][0]["text"],
            "done"
        );
    }
    let silent = client.post(BOTH, &call("1", "")).await;
    assert!(!silent.is_stream(), "nobody asked for progress");
}

#[tokio::test(start_paused = true)]
async fn a_silent_call_has_a_heartbeat_whose_number_rises() {
    let heard = slow(Duration::from_secs(61))
        .post(BOTH, &call("1", WITH_PROGRESS))
        .await;
    let events = heard.events();
    let numbers: Vec<_> = events
        .iter()
        .filter_map(|event| event["params"]["progress"].as_f64())
        .collect();
    assert_eq!(numbers.len(), 12, "one every five seconds: {}", heard.text);
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    assert!(events.last().expect("an answer").get("result").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_reports_is_thinned_and_its_last_word_is_heard() {
    let client = client(|call| {
        Box::pin(async move {
            for step in 1..=1000 {
                call.context
                    .progress
                    .report(Some(f64::from(step)), None, None);
                sleep(Duration::from_millis(2)).await;
            }
            Ok(CallResult::text("done").into())
        })
    });
    let heard = client.post(BOTH, &call("1", WITH_PROGRESS)).await;
    let numbers: Vec<_> = heard
        .events()
        .iter()
        .filter_map(|event| event["params"]["progress"].as_f64())
        .collect();
    assert!(
        (8..=14).contains(&numbers.len()),
        "two seconds hold a burst of 4, and 4 a second: {numbers:?}"
    );
    assert_eq!(numbers.last(), Some(&1000.0));
}

#[tokio::test]
async fn a_result_with_line_breaks_is_one_event() {
    let client = client(|_| {
        let block = serde_json::from_str("{\"type\":\"text\",\n\"text\":\"a\\nb\"}").expect("JSON");
        Box::pin(async move {
            Ok(CallResult {
                content: vec![block],
                ..CallResult::default()
            }
            .into())
        })
    });
    let heard = client
        .post(&[("accept", "text/event-stream")], &call("1", ""))
        .await;
    assert_eq!(heard.events()[0]["result"]["content"][0]["text"], "a\nb");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_is_answered() {
    let client = client(|_| {
        Box::pin(async {
            sleep(Duration::from_secs(1)).await;
            panic!("a fault of the server")
        })
    });
    assert_eq!(
        client.post(JSON, &call("1", "")).await.error(),
        (200, -32603, json!(1))
    );
    assert_eq!(
        client.post(BOTH, &call("1", "")).await.events()[0]["error"]["code"],
        -32603
    );
}

#[tokio::test(start_paused = true)]
async fn calls_are_counted_in_all_and_by_session() {
    let config = Config {
        calls: 3,
        calls_per_session: 2,
        ..Config::default()
    };
    let client = client_with(config, |_| Box::pin(std::future::pending()));
    let session = client.session("2025-06-18").await;
    let mine = [BOTH[0], ("mcp-session-id", session.as_str())];
    let _first = client.open(&mine, &call("1", "")).await;
    let _second = client.open(&mine, &call("1", "")).await;
    assert_eq!(
        client.post(&mine, &call("2", "")).await.error(),
        (200, 429, json!(2))
    );
    let _third = client.open(BOTH, &call("1", "")).await;
    assert_eq!(
        client.post(BOTH, &call("3", "")).await.error(),
        (200, 429, json!(3))
    );
    let list = r#"{"jsonrpc":"2.0","id":4,"method":"tools/list"}"#;
    assert_eq!(
        client.post(&mine, list).await.status,
        200,
        "lists always answer"
    );
}
