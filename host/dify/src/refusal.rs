//! What Dify means by a refusal: HTTP status first, then its code, then its text.
//!
//! The text must be read too: Dify says `invalid_param` for a wrong input, a busy app, a missing model provider and an
//! unpublished workflow alike.

use std::time::Duration;

use serde_json::Value;

use crate::{Bound, Error, Forbidden, Ids, ProviderFault};

/// A run of an app is short or long; this is when another look at its limit is worth it.
const BUSY_RETRY: Duration = Duration::from_secs(5);

/// The meaning of an answer whose status is no success.
pub(crate) fn of_response(
    url: &str,
    status: u16,
    retry_after: Option<Duration>,
    json: Option<&Value>,
    body: &str,
) -> Error {
    let text = |field: &str| {
        json.and_then(|json| json[field].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    let (code, message) = (text("code"), text("message"));
    match status {
        300..=399 => Error::NotDify {
            url: url.to_owned(),
            what: format!("a redirect ({status}) to {body}"),
        },
        401 => Error::Unauthorized {
            url: url.to_owned(),
        },
        413 => Error::TooLarge {
            bound: Bound::Request,
            limit: 0,
        },
        429 if code != "too_many_requests" => Error::RateLimited { retry_after },
        500.. => Error::Server {
            status,
            message: if json.is_some() {
                message
            } else {
                body.to_owned()
            },
        },
        _ if json.is_none() || code.is_empty() => Error::NotDify {
            url: url.to_owned(),
            what: format!("status {status} without a code: {body}"),
        },
        403 => Error::Forbidden {
            why: forbidden(&message),
            message,
        },
        404 if message.starts_with("Conversation") => Error::ConversationGone { message },
        404 if message.starts_with("Workflow run not found") => Error::RunGone { message },
        404 if message.starts_with("Form not found") => Error::FormGone,
        404 => Error::NotDify {
            url: url.to_owned(),
            what: format!("404 {code}: {message}"),
        },
        _ => of_code(status, code, message),
    }
}

/// The meaning of an `error` event. Early ones may carry nothing but a message.
pub(crate) fn of_event(status: u16, code: Option<String>, message: String, ids: &Ids) -> Error {
    match code {
        Some(code) if code == "rate_limit_error" => Error::RateLimited { retry_after: None },
        Some(code) if code == "internal_server_error" => Error::Server {
            status: status.max(500),
            message,
        },
        Some(code) => of_code(status, code, message),
        None if message.contains(" in input form")
            || message.starts_with("File validation failed") =>
        {
            Error::InvalidParam {
                status: 400,
                code: "invalid_param".to_owned(),
                message,
            }
        }
        None => match provider(&message) {
            Some(fault) => Error::Provider { fault, message },
            None => Error::RunFailed {
                message,
                ids: ids.clone(),
            },
        },
    }
}

fn of_code(status: u16, code: String, message: String) -> Error {
    let provider_fault = match code.as_str() {
        "provider_not_initialize" => Some(ProviderFault::NotInitialized),
        "provider_quota_exceeded" => Some(ProviderFault::QuotaExceeded),
        "model_currently_not_support" => Some(ProviderFault::NotSupported),
        "completion_request_error" => Some(ProviderFault::Failed),
        "invalid_param" => provider(&message),
        _ => None,
    };
    if let Some(fault) = provider_fault {
        return Error::Provider { fault, message };
    }
    match code.as_str() {
        // Dify's limit of active requests comes as 400 `invalid_param` with this text, not as 429.
        "too_many_requests" => Error::Busy {
            retry_after: BUSY_RETRY,
        },
        "invalid_param" if message.starts_with("Too many requests") => Error::Busy {
            retry_after: BUSY_RETRY,
        },
        "invalid_param" if message == "Workflow not published" => Error::NotPublished,
        "agent_not_published" => Error::NotPublished,
        "app_unavailable" => Error::AppUnavailable { message },
        "not_chat_app" | "not_workflow_app" | "not_completion_app" => Error::WrongMode { code },
        "human_input_form_submitted" => Error::FormAnswered,
        "human_input_form_expired" => Error::FormExpired,
        "conversation_completed" => Error::ConversationGone { message },
        _ if status >= 500 => Error::Server { status, message },
        _ => Error::InvalidParam {
            status: if status == 0 { 400 } else { status },
            code,
            message,
        },
    }
}

/// Dify's sentences for a provider or a model that is not there, for which it has no code.
fn provider(message: &str) -> Option<ProviderFault> {
    let missing = (message.starts_with("Provider ") && message.ends_with(" does not exist."))
        || (message.starts_with("Model ") && message.ends_with(" not exist."))
        || message == "Model is not configured";
    missing.then_some(ProviderFault::NotInitialized)
}

fn forbidden(message: &str) -> Forbidden {
    if message.contains("API service has been disabled") {
        Forbidden::ApiDisabled
    } else if message.contains("no longer exists") {
        Forbidden::AppGone
    } else if message.contains("status is abnormal") {
        Forbidden::AppAbnormal
    } else if message.contains("archived") {
        Forbidden::WorkspaceArchived
    } else {
        Forbidden::Other
    }
}
