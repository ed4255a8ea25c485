//! What an app is: recorded answers to `GET /info` and `GET /parameters`.

use airlock_dify::{Error, Facts};
use serde_json::Value;

use crate::recording::Recording;
use crate::server::{Server, json};

async fn facts(info: &'static str, parameters: &'static str) -> Result<Facts, Error> {
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/v1/info" => Recording::read(info).reply(9),
        "/v1/parameters" => Recording::read(parameters).reply(9),
        other => panic!("{other} was asked"),
    })
    .await;
    server.app().facts().await
}

#[tokio::test]
async fn the_facts_of_every_mode_are_read() {
    for (info, parameters, name, mode) in [
        (
            "wf_types-info",
            "wf_types-parameters",
            "All Input Types",
            "workflow",
        ),
        (
            "cf_echo-info",
            "cf_echo-parameters",
            "Echo Chatflow",
            "advanced-chat",
        ),
        ("chat_llm-info", "chat_llm-parameters", "LLM Chat", "chat"),
        (
            "compl_llm-info",
            "compl_llm-parameters",
            "LLM Completion",
            "completion",
        ),
        (
            "agent_llm-info",
            "agent_llm-parameters",
            "LLM Agent",
            "agent-chat",
        ),
    ] {
        let facts = facts(info, parameters).await.unwrap();
        assert_eq!((facts.name.as_str(), facts.mode.as_str()), (name, mode));
        assert_eq!(facts.dify_version.as_deref(), Some("1.14.2"));
        assert!(facts.parameters["user_input_form"].is_array() && !facts.description.is_empty());
    }
}

#[tokio::test]
async fn parameters_are_verbatim_but_for_the_forbidden_words() {
    let facts = facts("cf_echo-info", "cf_mod-parameters").await.unwrap();
    assert!(!facts.parameters.to_string().contains("secretword"));
    assert_eq!(
        facts.parameters["sensitive_word_avoidance"],
        serde_json::json!({"enabled": true, "type": "keywords"})
    );
    assert_eq!(facts.parameters["opening_statement"], "Welcome");
    assert_eq!(facts.parameters["suggested_questions"][1], "Two?");
    let keys: Vec<&String> = facts.parameters.as_object().unwrap().keys().collect();
    assert_eq!(
        (keys[0].as_str(), keys.len()),
        ("opening_statement", 12),
        "order and members stay"
    );
}

#[tokio::test]
async fn an_app_that_cannot_be_read_says_why() {
    let unpublished = facts("unpublished-info", "unpublished-parameters")
        .await
        .unwrap_err();
    assert!(
        matches!(unpublished, Error::AppUnavailable { .. }),
        "{unpublished:?}"
    );
    let off = facts("err-api-disabled-info", "wf_types-parameters")
        .await
        .unwrap_err();
    assert!(matches!(off, Error::Forbidden { .. }), "{off:?}");
    let web_pages = facts("v1-index", "wf_types-parameters").await.unwrap_err();
    assert!(matches!(web_pages, Error::NotDify { .. }), "{web_pages:?}");
    let health = facts("health", "wf_types-parameters").await.unwrap_err();
    assert!(
        matches!(health, Error::NotDify { .. }),
        "JSON of something else: {health:?}"
    );
}

#[tokio::test]
async fn the_key_is_sent_as_a_bearer_and_shown_nowhere() {
    let server = Server::start(|_| {
        json(
            "401 UNAUTHORIZED",
            r#"{"code": "unauthorized", "message": "no", "status": 401}"#,
        )
    })
    .await;
    let app = server.app();
    let error = app.facts().await.unwrap_err();
    assert!(
        server.asked()[0]
            .head
            .to_lowercase()
            .contains("authorization: bearer app-test")
    );
    let shown = format!("{app:?} {error:?} {error} {}", error.operator());
    assert!(!shown.contains("app-test"), "{shown}");
    assert_eq!(server.asked()[0].body, Value::Null);
}
