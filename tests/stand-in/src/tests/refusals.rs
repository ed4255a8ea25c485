//! Refusals, word for word.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use super::client::{Client, get, post, request};
use crate::{Behaviour, Options, SampleApp, StandIn};

async fn refused(dify: &StandIn, request: Request<Full<Bytes>>) -> (u16, String) {
    let reply = Client::connect(dify)
        .await
        .unwrap()
        .send(request)
        .await
        .unwrap();
    (reply.status.as_u16(), reply.text().await)
}

#[tokio::test]
async fn keys_are_refused_in_three_ways() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    for (header, message) in [
        (
            None,
            "Authorization header must be provided and start with 'Bearer'",
        ),
        (
            Some("Bearer "),
            "Authorization header must be provided and start with 'Bearer'",
        ),
        (Some("Basic abc"), "Authorization scheme must be 'Bearer'"),
        (Some("Bearer app-doesnotexist"), "Access token is invalid"),
    ] {
        let mut request = Request::get("/v1/info").header("host", "127.0.0.1");
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        let reply = Client::connect(&dify)
            .await
            .unwrap()
            .send(request.body(Full::default()).unwrap())
            .await
            .unwrap();
        assert_eq!(reply.status, 401);
        assert_eq!(reply.headers["www-authenticate"], "Bearer realm=\"api\"");
        let body = format!(
            "{{\"code\": \"unauthorized\", \"message\": \"{message}\", \"status\": 401}}\n"
        );
        assert_eq!(reply.text().await, body);
    }
}

#[tokio::test]
async fn an_app_has_as_many_keys_as_are_made_for_it() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    let app = SampleApp::WordCounter;
    let (one, two) = (dify.another_key(app), dify.another_key(app));
    assert_ne!(one, two);
    for key in [&one, &two, dify.key(app)] {
        let request = Request::get("/v1/info")
            .header("host", "127.0.0.1")
            .header("authorization", format!("Bearer {key}"))
            .body(Full::default())
            .unwrap();
        let (status, body) = refused(&dify, request).await;
        assert_eq!(status, 200);
        assert!(body.contains(app.name()), "{body}");
    }
}

#[tokio::test]
async fn wrong_requests_get_the_recorded_bodies() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    let body = |body: Value| body;
    let run = "/v1/workflows/run";
    let chat = "/v1/chat-messages";
    let invalid = |message: &str| {
        format!("{{\"code\": \"invalid_param\", \"message\": \"{message}\", \"status\": 400}}\n")
    };
    let (workflow, travel) = (SampleApp::WeeklyReport, SampleApp::TravelChat);
    for (app, path, body, expected) in [
        (workflow, run, body(json!({"inputs": {}})), invalid("Arg user must be provided.")),
        (workflow, run, body(json!({"inputs": {}, "user": ""})), invalid("Arg user must be provided.")),
        (workflow, run, body(json!({"inputs": {}, "user": "u1"})), invalid("title is required in input form")),
        (
            workflow,
            run,
            body(json!({"inputs": {}, "user": "u1", "response_mode": "turbo"})),
            invalid(
                "1 validation error for WorkflowRunPayload\\nresponse_mode\\n  Input should be 'blocking' or 'streaming' \
                 [type=literal_error, input_value='turbo', input_type=str]\\n    For further information visit \
                 https://errors.pydantic.dev/2.12/v/literal_error",
            ),
        ),
        (
            workflow,
            run,
            body(json!({"response_mode": "blocking", "user": "u1"})),
            invalid(
                "1 validation error for WorkflowRunPayload\\ninputs\\n  Field required [type=missing, \
                 input_value={'response_mode': 'blocking', 'user': 'u1'}, input_type=dict]\\n    For further information \
                 visit https://errors.pydantic.dev/2.12/v/missing",
            ),
        ),
        (
            workflow,
            chat,
            body(json!({"inputs": {}, "query": "x", "user": "u1"})),
            "{\"code\": \"not_chat_app\", \"message\": \"Please check if your app mode matches the right API route.\", \
             \"status\": 400}\n"
                .to_owned(),
        ),
        (
            travel,
            run,
            body(json!({"inputs": {}, "user": "u1"})),
            "{\"code\": \"not_workflow_app\", \"message\": \"Please check if your app mode matches the right API route.\", \
             \"status\": 400}\n"
                .to_owned(),
        ),
        (
            travel,
            "/v1/completion-messages",
            body(json!({"inputs": {}, "user": "u1"})),
            "{\"code\": \"app_unavailable\", \"message\": \"App unavailable, please check your app configurations.\", \
             \"status\": 400}\n"
                .to_owned(),
        ),
        (travel, chat, body(json!({"inputs": {}, "query": "", "user": "u1"})), invalid("query is required")),
        // A chat app's inputs are checked before its stream begins.
        (
            travel,
            chat,
            body(json!({"inputs": {}, "query": "x", "user": "u1", "response_mode": "streaming"})),
            invalid("topic is required in input form"),
        ),
        (
            SampleApp::WordCounter,
            chat,
            body(json!({"inputs": {}, "query": "x", "user": "u1"})),
            invalid("Agent Chat App does not support blocking mode"),
        ),
    ] {
        let reply = post(&dify, app, path, &body).await;
        assert_eq!((reply.status.as_u16(), reply.text().await), (400, expected), "{path} {body}");
    }
}

#[tokio::test]
async fn unreadable_requests_get_the_recorded_statuses() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    let app = SampleApp::WeeklyReport;
    let mut untyped = request(
        &dify,
        app,
        "POST",
        "/v1/workflows/run",
        &json!({"user": "u1"}),
    );
    untyped.headers_mut().remove("content-type");
    let (status, body) = refused(&dify, untyped).await;
    assert_eq!(status, 415);
    assert!(body.contains("Did not attempt to load JSON data because the request Content-Type was not 'application/json'."));
    let list = request(&dify, app, "POST", "/v1/workflows/run", &json!([]));
    assert_eq!(refused(&dify, list).await.0, 500);
    let broken =
        request(&dify, app, "POST", "/v1/workflows/run", &Value::Null).map(|_| Full::from("{nope"));
    let (status, body) = refused(&dify, broken).await;
    assert_eq!(status, 400);
    assert!(body.contains("\"bad_request\""), "{body}");
    let (status, body) = refused(
        &dify,
        request(&dify, app, "GET", "/v1/workflows/run", &Value::Null),
    )
    .await;
    assert_eq!(status, 405);
    assert!(body.contains("method_not_allowed"), "{body}");
    let reply = get(&dify, app, "/v1/nosuch").await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers["content-type"]),
        (404, &"text/html; charset=utf-8".parse().unwrap())
    );
    assert_eq!(
        reply.text().await.len(),
        207,
        "the recorded page has 207 bytes"
    );
    let unknown = get(
        &dify,
        app,
        "/v1/workflows/run/00000000-0000-4000-8000-000000000000",
    )
    .await;
    assert_eq!(
        unknown.text().await,
        "{\"code\": \"not_found\", \"message\": \"Workflow run not found.\", \"status\": 404}\n"
    );
}

#[tokio::test]
async fn an_unknown_conversation_is_refused_by_chats_and_begun_anew_by_chatflows() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    let strange = "6ef35fbd-3b48-4a4e-8e80-5c45c4bb9a36";
    let body = json!({"inputs": {"topic": "x"}, "query": "x", "user": "u1", "conversation_id": strange, "response_mode": "blocking"});
    let reply = post(&dify, SampleApp::TravelChat, "/v1/chat-messages", &body).await;
    assert_eq!(reply.status, 404);
    assert!(
        reply
            .text()
            .await
            .contains("Conversation Not Exists. You have requested this URI [/v1/chat-messages]")
    );
    let whole = post(&dify, SampleApp::SupportDesk, "/v1/chat-messages", &body)
        .await
        .json()
        .await;
    assert_ne!(whole["conversation_id"], strange);
    assert!(whole["answer"].as_str().unwrap().ends_with("(turn 1)."));
    // Another user's conversation is as unknown.
    let mut other = body.clone();
    other["conversation_id"] = whole["conversation_id"].clone();
    other["user"] = json!("u2");
    let whole = post(&dify, SampleApp::SupportDesk, "/v1/chat-messages", &other)
        .await
        .json()
        .await;
    assert_ne!(whole["conversation_id"], other["conversation_id"]);
}

#[tokio::test]
async fn a_switched_off_app_and_an_unpublished_one_say_so() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    let app = SampleApp::WeeklyReport;
    let run = json!({"inputs": {}, "user": "u1", "response_mode": "streaming"});
    for (behaviour, info, parameters, run_status, words) in [
        (
            Behaviour::RefuseKey,
            401,
            401,
            401,
            "Access token is invalid",
        ),
        (
            Behaviour::ApiDisabled,
            403,
            403,
            403,
            "The app's API service has been disabled.",
        ),
        (
            Behaviour::NotPublished,
            200,
            400,
            400,
            "Workflow not published",
        ),
        (
            Behaviour::Busy,
            200,
            200,
            400,
            "Too many requests. Please try again later.",
        ),
        (
            Behaviour::BadGateway,
            502,
            502,
            502,
            "<h1>502 Bad Gateway</h1>",
        ),
    ] {
        dify.set(app, behaviour.clone());
        assert_eq!(
            get(&dify, app, "/v1/info").await.status,
            info,
            "{behaviour:?}"
        );
        assert_eq!(
            get(&dify, app, "/v1/parameters").await.status,
            parameters,
            "{behaviour:?}"
        );
        let reply = post(&dify, app, "/v1/workflows/run", &run).await;
        assert_eq!(reply.status, run_status, "{behaviour:?}");
        let body = reply.text().await;
        assert!(body.contains(words), "{behaviour:?}: {body}");
        // Nobody else is touched.
        assert_eq!(
            get(&dify, SampleApp::TravelChat, "/v1/info").await.status,
            200
        );
    }
}
