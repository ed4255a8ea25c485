//! How a run that a person was asked about ends besides: with its call, as a task, and without a word of its form.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_goes_on_is_stopped_with_its_call() {
    let dify = Options {
        step: Duration::from_secs(2),
        ..Options::instant()
    };
    let (world, url) = report(WorldConfig {
        dify,
        ..WorldConfig::default()
    })
    .await;
    let pause = handle(&deaf(&url, TOOL, call(json!({}))).await);
    let answer = Post::to(&url)
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", ANSWER);
    let mut params = reply(&pause, "approve", good());
    params["_meta"] = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
    let hanging = tokio::spawn(answer.rpc("tools/call", params).send());
    let taken = world.dify.wait_until(
        |seen| {
            seen.requests
                .iter()
                .any(|asked| asked.path.starts_with("/v1/form/"))
        },
        SOON,
    );
    taken.await.expect("the answer reaches Dify");
    hanging.abort();
    let stopped = world
        .dify
        .wait_until(|seen| seen.stops.iter().any(|stop| stop.effective), SOON);
    stopped
        .await
        .expect("a modern client that hangs up ends its call");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_waits_for_its_user_and_goes_on() {
    let dify = Options {
        step: Duration::from_secs(1),
        ..Options::instant()
    };
    let (_world, url) = report(WorldConfig {
        dify,
        ..WorldConfig::default()
    })
    .await;
    let follower = json!({"elicitation": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}});
    let task = result_of(&url, "tools/call", Some(TOOL), call(json!({})), &follower).await;
    assert_eq!(task["resultType"], "task", "{task}");
    let id = task["taskId"].as_str().expect("an id");
    let until = async |status: &str| {
        let looks = async {
            loop {
                let now = result_of(
                    &url,
                    "tasks/get",
                    Some(id),
                    json!({"taskId": id}),
                    &follower,
                )
                .await;
                if now["status"] == status {
                    return now;
                }
                assert_eq!(now["status"], "working", "{now}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(SOON, looks).await.expect(status)
    };
    let asked = until("input_required").await;
    assert_eq!(
        asked["inputRequests"]["form"]["method"], "elicitation/create",
        "{asked}"
    );
    let content = json!({"note": "later", "level": "low", "action": "Approve"});
    let responses =
        json!({"taskId": id, "inputResponses": {"form": {"action": "accept", "content": content}}});
    result_of(&url, "tasks/update", Some(id), responses, &follower).await;
    let done = until("completed").await;
    assert_eq!(
        structured(&done["result"])["reviews"][0]["inputs"]["note"],
        "later"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_opens_a_form_reaches_no_client() {
    let (world, url) = report(WorldConfig::default()).await;
    let asked = asking(&url, call(json!({}))).await;
    let stream: Posted = Post::to(&url)
        .call(TOOL, arguments())
        .send()
        .await
        .expect("an answer");
    let streamed = String::from_utf8(stream.bytes().await.expect("a body")).expect("UTF-8");
    let done = asking(
        &url,
        accepted(&asked, json!({"level": "low", "action": "Approve"})),
    )
    .await;
    let tokens: Vec<String> = world
        .dify
        .seen()
        .requests
        .iter()
        .filter_map(|asked| {
            asked
                .path
                .strip_prefix("/v1/form/human_input/")
                .map(str::to_owned)
        })
        .collect();
    assert_eq!(tokens.len(), 1);
    for text in [asked.to_string(), done.to_string(), streamed] {
        assert!(
            !text.contains(&tokens[0]) && !text.contains("form_token"),
            "{text}"
        );
    }
}
