//! A person's answer that holds a file.

use airlock::server::ServerConfig;

use super::*;
use crate::files::{data, to_localhost, web};

const CLERK: SampleApp = SampleApp::FileClerk;
const CLERK_TOOL: &str = "file_clerk";
const CLERK_ANSWER: &str = "file_clerk_answer";

/// An app that asks for a file, and where it is published.
async fn clerk(adjust: fn(&mut ServerConfig)) -> (World, String) {
    let dify = Options {
        apps: vec![CLERK],
        ..Options::instant()
    };
    let world = World::with(WorldConfig {
        dify,
        adjust,
        ..WorldConfig::default()
    })
    .await
    .expect("a world");
    world.dify.set(CLERK, asks(1));
    let url = world.publish(CLERK).await.expect("published");
    (world, url)
}

fn uploads(dify: &StandIn) -> usize {
    dify.seen().calls("/v1/files/upload")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_is_asked_for_a_file_gives_its_address() {
    let port = web().await;
    let note = format!("http://localhost:{port}/note.txt");
    let by_dify: fn(&mut ServerConfig) = |_| {};
    for (adjust, method, uploaded) in [(by_dify, "remote_url", 0), (to_localhost, "local_file", 1)]
    {
        let (world, url) = clerk(adjust).await;
        let ask = async |params: Value| {
            let asker = json!({"elicitation": {}});
            result_of(&url, "tools/call", Some(CLERK_TOOL), params, &asker).await
        };
        let mut params = json!({"name": CLERK_TOOL, "arguments": {}});
        let asked = ask(params.clone()).await;
        let schema = &asked["inputRequests"]["form"]["params"]["requestedSchema"];
        let proof = &schema["properties"]["proof"];
        assert_eq!(
            (&proof["type"], &proof["format"]),
            (&json!("string"), &json!("uri")),
            "{asked}"
        );
        let content = json!({"proof": note, "note": "n", "level": "low", "action": "Approve"});
        params["requestState"] = asked["requestState"].clone();
        params["inputResponses"] = json!({"form": {"action": "accept", "content": content}});
        let done = ask(params).await;
        let review = &structured(&done)["reviews"][0];
        assert_eq!(review["inputs"]["proof"]["filename"], "note.txt", "{done}");
        let sent = &sent(&world.dify)[0]["inputs"]["proof"];
        assert_eq!(
            (&sent["transfer_method"], &sent["type"]),
            (&json!(method), &json!("document")),
            "{sent}"
        );
        assert_eq!(uploads(&world.dify), uploaded, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_an_answer_by_tool_is_judged_and_uploaded_and_what_is_wrong_never_is() {
    let (world, url) = clerk(|_| {}).await;
    let arguments = json!({"name": CLERK_TOOL, "arguments": {}});
    let pause = handle(&deaf(&url, CLERK_TOOL, arguments).await);
    let answer = async |proof: Value| {
        let inputs = json!({"note": "n", "level": "low", "proof": proof});
        let mut params = reply(&pause, "approve", inputs);
        params["name"] = CLERK_ANSWER.into();
        deaf(&url, CLERK_ANSWER, params).await
    };
    for (proof, fault) in [
        (
            data(b"x", "song.mp3"),
            "`proof` takes document, image, not an audio",
        ),
        (json!("report.pdf"), "`proof` is no http or https address"),
        (Value::Null, "`proof` is required and missing"),
    ] {
        let refused = answer(proof).await;
        assert!(
            refused["isError"] == true && words(&refused).contains(fault),
            "{fault}: {refused}"
        );
    }
    assert!(sent(&world.dify).is_empty() && uploads(&world.dify) == 0);

    let done = answer(data(b"hello", "proof.txt")).await;
    let review = &structured(&done)["reviews"][0];
    assert_eq!(review["inputs"]["proof"]["filename"], "proof.txt", "{done}");
    assert_eq!(uploads(&world.dify), 1);
    let sent = &sent(&world.dify)[0]["inputs"]["proof"];
    assert_eq!(sent["transfer_method"], "local_file", "{sent}");
    let content = done["content"].as_array().expect("content");
    let comes_back = content.iter().any(|it| it["resource"]["text"] == "hello");
    assert!(comes_back, "as a file of the app's outputs: {done}");
}
