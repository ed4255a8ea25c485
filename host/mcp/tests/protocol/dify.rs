//! Dify as a client, word for word as it was recorded. See `recordings/`.

use http::Request;

use crate::fixture::{Client, Heard, echo, hear};

/// Plays the requests of a recording, in order.
async fn play(client: &Client, recording: &str) -> Vec<Heard> {
    let mut heard = Vec::new();
    for request in recording.split("# --- request ").skip(1) {
        let (head, body) = request
            .split_once("\n\n")
            .unwrap_or((request.trim_end(), ""));
        let mut lines = head.lines().skip(1);
        let mut first = lines.next().expect("a request line").split(' ');
        let (method, path) = (
            first.next().expect("a method"),
            first.next().expect("a path"),
        );
        let mut request = Request::builder().method(method).uri(path);
        for line in lines {
            let (name, value) = line.split_once(": ").expect("a header");
            request = request.header(name, value);
        }
        let body = body.trim_end().to_owned();
        heard.push(
            hear(
                client
                    .send(request.body(body.into()).expect("a request"))
                    .await,
            )
            .await,
        );
    }
    heard
}

#[tokio::test]
async fn a_workflow_of_dify_calls_the_tool() {
    let heard = play(
        &echo(),
        include_str!("../recordings/dify-as-client-call-plain.http"),
    )
    .await;
    assert_eq!(heard.len(), 3);
    let initialized = heard[0].json();
    assert_eq!(
        (heard[0].status.as_u16(), &initialized["id"]),
        (200, &0.into())
    );
    assert_eq!(initialized["result"]["protocolVersion"], "2025-06-18");
    assert!(
        !heard[0].headers.contains_key("mcp-session-id"),
        "Dify would open a stream and delete it for each call"
    );
    assert_eq!(
        (heard[1].status.as_u16(), heard[1].text.as_str()),
        (202, "")
    );
    let text = heard[2].json()["result"]["content"][0]["text"].clone();
    assert_eq!(
        text,
        r#"greet {"loud":true,"opts":{},"times":2,"who":"Bob"}"#
    );
}

#[tokio::test]
async fn dify_registers_the_server_even_where_it_gets_first() {
    let heard = play(
        &echo(),
        include_str!("../recordings/dify-as-client-register-nopath.http"),
    )
    .await;
    let statuses: Vec<_> = heard.iter().map(|heard| heard.status.as_u16()).collect();
    assert_eq!(statuses, [405, 200, 202, 200]);
    assert_eq!(heard[3].json()["result"]["tools"][0]["name"], "run");
}

#[tokio::test]
async fn a_session_of_another_server_ends_dify_s_call_and_nothing_hangs() {
    let heard = play(
        &echo(),
        include_str!("../recordings/dify-as-client-call-session.http"),
    )
    .await;
    let statuses: Vec<_> = heard.iter().map(|heard| heard.status.as_u16()).collect();
    assert_eq!(statuses, [200, 405, 404, 404, 404]);
}
