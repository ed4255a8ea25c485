//! What an app is: recorded answers to `GET /info` and `GET /parameters`.

use airlock_dify::{Error, Facts};
use airlock_form::Form;
use serde_json::Value;

use crate::recording::Recording;
use crate::server::{Server, json};

/// Two recordings, the app's name and mode, and the variables of its form.
#[rustfmt::skip]
const FACTS: &[(&str, &str, &str, &str, &str)] = &[
    ("agent_llm-info", "agent_llm-parameters", "LLM Agent", "agent-chat", ""),
    ("cf_echo-info", "cf_echo-parameters", "Echo Chatflow", "advanced-chat", "tone"),
    ("cf_echo-info", "cf_mod-parameters", "Echo Chatflow", "advanced-chat", ""),
    ("cf_echo-info", "cf_vision-parameters", "Echo Chatflow", "advanced-chat", ""),
    ("chat_llm-info", "chat_feat-parameters", "LLM Chat", "chat", "name age loud about"),
    ("chat_llm-info", "chat_llm-parameters", "LLM Chat", "chat", "topic style"),
    ("compl_llm-info", "compl_llm-parameters", "LLM Completion", "completion", "topic style query"),
    ("cf_echo-info", "parameters-with-user", "Echo Chatflow", "advanced-chat", "tone"),
    ("wf_types-info", "wf_def-parameters", "All Input Types", "workflow", "t p s nint nfloat nstr ctrue hid hidreq j f"),
    ("wf_types-info", "wf_def2-parameters", "All Input Types", "workflow", "t p s nint nfloat nstr ctrue hid hidreq j f"),
    ("wf_types-info", "wf_types-parameters", "All Input Types", "workflow", "title_text body_text lang count verbose cfg doc docs"),
];

/// Two recordings, and the code of what comes of them.
const UNREADABLE: &[(&str, &str, &str)] = &[
    (
        "unpublished-info",
        "unpublished-parameters",
        "app_unavailable",
    ),
    ("err-api-disabled-info", "wf_types-parameters", "forbidden"),
    // A page of the web server, and JSON of something else.
    ("v1-index", "wf_types-parameters", "not_dify"),
    ("health", "wf_types-parameters", "not_dify"),
];

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let read = FACTS
        .iter()
        .flat_map(|&(info, parameters, ..)| [info, parameters]);
    read.chain(
        UNREADABLE
            .iter()
            .flat_map(|&(info, parameters, _)| [info, parameters]),
    )
}

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
async fn what_an_app_is_and_what_it_takes_is_read() {
    for &(info, parameters, name, mode, variables) in FACTS {
        let facts = facts(info, parameters).await.unwrap();
        assert_eq!((facts.name.as_str(), facts.mode.as_str()), (name, mode));
        assert_eq!(facts.dify_version.as_deref(), Some("1.14.2"));
        assert!(!facts.description.is_empty());
        let form = Form::parse(&facts.parameters);
        let found: Vec<&str> = form
            .fields
            .iter()
            .map(|field| field.variable.as_str())
            .collect();
        assert_eq!(found.join(" "), variables, "{parameters}");
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
    for &(info, parameters, code) in UNREADABLE {
        let error = facts(info, parameters).await.unwrap_err();
        assert_eq!(error.code(), code, "{info}: {error:?}");
    }
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
