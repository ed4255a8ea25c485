//! Recorded refusals, served as they were, and what they must mean.

use airlock_dify::Error;

use crate::recording::Recording;
use crate::server::Server;

/// Recording, status, code, retryable, words that the caller must find.
#[rustfmt::skip]
const REFUSALS: &[(&str, u16, &str, bool, &str)] = &[
    ("cap-agent-after-mcp", 429, "busy", true, "as often at once as Dify allows"),
    ("cap-cf-busy-blocking", 429, "busy", true, "Try again in"),
    ("cap-cf-streaming-alone", 429, "busy", true, "Try again in"),
    ("cap-chat-busy-blocking", 429, "busy", true, "Try again in"),
    ("cap-chat-busy-streaming", 429, "busy", true, "Try again in"),
    ("cap-wf-busy-blocking", 429, "busy", true, "Try again in"),
    ("cap-wf-busy-streaming", 429, "busy", true, "Try again in"),
    ("cap-wf-streaming-alone", 429, "busy", true, "Try again in"),
    ("chat-required-2", 400, "invalid_param", false, "ms is required in input form"),
    ("def-hidreq", 400, "invalid_param", false, "j in input form must be a dict"),
    ("def2-exp", 400, "invalid_param", false, "nstr in input form must be a valid number"),
    ("def2-max-over", 400, "invalid_param", false, "t in input form must be less than 5 characters"),
    ("def2-none", 400, "invalid_param", false, "hidreq is required in input form"),
    ("def2-number-inf", 400, "invalid_param", false, "nint in input form must be a valid number"),
    ("def2-number-nan", 400, "invalid_param", false, "nint in input form must be a valid number"),
    ("def2-select-empty", 400, "invalid_param", false, "must be one of the following: ['a', 'b']"),
    ("err-404", 0, "not_dify", false, "not Dify"),
    ("err-api-disabled", 403, "forbidden", false, "API access is switched off"),
    ("err-auth-empty", 401, "unauthorized", false, "renew the key"),
    ("err-auth-scheme", 401, "unauthorized", false, "renew the key"),
    ("err-bad-key", 401, "unauthorized", false, "renew the key"),
    ("err-bad-response-mode", 400, "invalid_param", false, "response_mode Input should be 'blocking' or 'streaming'. "),
    ("err-cf-image-too-many-blocking", 400, "invalid_param", false, "Number of image files exceeds"),
    ("err-cf-image-type-blocking", 400, "invalid_param", false, "File validation failed"),
    ("err-cf-no-provider-blocking", 400, "provider_not_initialize", false, "not set up"),
    ("err-cf-not-initialized-blocking", 400, "provider_not_initialize", false, "Model is not configured"),
    ("err-chat-bad-conversation-id", 400, "invalid_param", false, "must be a valid UUID"),
    ("err-chat-empty-query", 400, "invalid_param", false, "query is required"),
    ("err-chat-missing-required", 400, "invalid_param", false, "ms is required"),
    ("err-chat-no-model-blocking", 400, "provider_not_initialize", false, "Model no-such-model not exist."),
    ("err-chat-no-model-streaming", 400, "provider_not_initialize", false, "Model no-such-model not exist."),
    ("err-chat-no-provider-blocking", 400, "provider_not_initialize", false, "Provider local/none/none"),
    ("err-chat-no-provider-streaming", 400, "provider_not_initialize", false, "Provider local/none/none"),
    ("err-chat-no-query", 400, "invalid_param", false, "query Field required"),
    ("err-chat-no-user", 400, "invalid_param", false, "Arg user must be provided."),
    ("err-chat-not-initialized-blocking", 400, "provider_not_initialize", false, "credentials is not initialized"),
    ("err-chat-not-initialized-streaming", 400, "provider_not_initialize", false, "credentials is not initialized"),
    ("err-chat-query-number", 400, "invalid_param", false, "query Input should be a valid string"),
    ("err-chat-select-unknown", 400, "invalid_param", false, "['plain', 'formal']"),
    ("err-empty-user", 400, "invalid_param", false, "Arg user must be provided."),
    ("err-feat-chat-too-long", 400, "invalid_param", false, "less than 8 characters"),
    ("err-file-bad-transfer", 400, "invalid_param", false, "'magic' is not a valid FileTransferMethod"),
    ("err-file-not-object", 400, "invalid_param", false, "doc in input form must be a file"),
    ("err-file-other-user", 400, "invalid_param", false, "Invalid upload file"),
    ("err-file-unknown-id", 400, "invalid_param", false, "Invalid upload file"),
    ("err-file-unreachable-url", 400, "invalid_param", false, "Reached maximum retries (3) for URL (address)."),
    ("err-file-wrong-type", 400, "invalid_param", false, "Detected file type does not match"),
    ("err-inputs-missing", 400, "invalid_param", false, "inputs Field required"),
    ("err-inputs-not-object", 400, "invalid_param", false, "inputs Input should be a valid dictionary"),
    ("err-json-array", 500, "internal_server_error", true, "status 500"),
    ("err-llm-agent-blocking", 400, "invalid_param", false, "does not support blocking mode"),
    ("err-llm-chat-missing-stream", 400, "invalid_param", false, "topic is required"),
    ("err-llm-chat-model-fails", 400, "completion_request_error", true, "the model said no"),
    ("err-llm-chat-unknown-conversation", 404, "conversation_gone", false, "leaving it out"),
    // As a stream this chatflow ends in `workflow_finished`; a refusal like this one is met where it fails early.
    ("err-llm-chatflow-model-fails", 400, "invalid_param", false, "the model said no"),
    ("err-llm-completion-missing", 400, "invalid_param", false, "topic is required"),
    ("err-method", 405, "method_not_allowed", false, "not allowed"),
    ("err-missing-required", 400, "invalid_param", false, "title_text is required"),
    ("err-no-auth", 401, "unauthorized", false, "renew the key"),
    ("err-no-content-type", 415, "unsupported_media_type", false, "Content-Type"),
    ("err-no-user", 400, "invalid_param", false, "Arg user"),
    ("err-not-json", 400, "bad_request", false, "could not understand"),
    ("err-select-unknown", 400, "invalid_param", false, "['en', 'zh', 'ja']"),
    ("err-too-long", 400, "invalid_param", false, "less than 48 characters"),
    ("err-too-many-files", 400, "invalid_param", false, "less than 3 files"),
    ("err-unpublished", 400, "not_published", false, "publish it"),
    ("err-unpublished-stream", 400, "not_published", false, "publish it"),
    ("err-wf-no-provider-blocking", 400, "provider_not_initialize", false, "not set up"),
    ("err-wrong-mode-chat-on-workflow", 400, "not_chat_app", false, "refresh it"),
    ("err-wrong-mode-completion-on-workflow", 400, "app_unavailable", false, "not ready to run"),
    ("err-wrong-mode-workflow-on-chat", 400, "not_workflow_app", false, "refresh it"),
    ("err-wrong-type-json", 400, "invalid_param", false, "must be a dict"),
    ("err-wrong-type-number", 400, "invalid_param", false, "must be a valid number"),
    ("err-wrong-type-number-obj", 500, "internal_server_error", true, "status 500"),
    ("err-wrong-type-text", 400, "invalid_param", false, "must be a string"),
    ("llm-agent-no-response-mode", 400, "invalid_param", false, "blocking mode"),
    ("llm-chat-blocking-2", 400, "invalid_param", false, "topic is required"),
];

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    REFUSALS.iter().map(|(name, ..)| *name)
}

async fn refusal(name: &str) -> Error {
    let recording = Recording::read(name);
    assert!(!recording.is_stream() && !recording.is_held());
    // A request that can be made whatever was recorded; its answer is what is judged.
    let request = Recording::read("chat-streaming-1").run("chat");
    let server = Server::start(move |_| recording.reply(50)).await;
    server.app().run(request).await.expect_err("a refusal")
}

#[tokio::test]
async fn every_recorded_refusal_is_understood() {
    for &(name, status, code, retryable, words) in REFUSALS {
        let error = refusal(name).await;
        let got = (error.status(), error.code(), error.retryable());
        assert_eq!(got, (status, code, retryable), "{name}: {error:?}");
        assert!(error.caller().contains(words), "{name}: {}", error.caller());
    }
}

#[tokio::test]
async fn no_refusal_shows_the_caller_anything_internal() {
    for &(name, ..) in REFUSALS {
        let told = refusal(name).await.to_string();
        for secret in [
            "127.0.0.1",
            "http://",
            "app-test",
            "pydantic.dev",
            "-4bb6-",
            "<html",
            "input_type",
        ] {
            assert!(!told.contains(secret), "{name}: {told}");
        }
    }
}
