//! Every refusal, with the words for the caller, its HTTP status and its JSON-RPC code.

use http::StatusCode;

use crate::{Capabilities, Version};

/// Why a message got no result. The `Display` text is for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("The body is not JSON")]
    NotJson,
    #[error("Invalid request: {0}")]
    Invalid(&'static str),
    #[error(
        "Unsupported protocol version: this server speaks 2026-07-28, and from 2025-11-25 back to 2024-11-05 what begins \
         with initialize"
    )]
    UnsupportedVersion,
    #[error("Unsupported protocol version: {requested}")]
    UnsupportedModern {
        /// As the client named it.
        requested: String,
    },
    #[error("Header mismatch: {0}")]
    Header(String),
    #[error("Invalid params: {0}")]
    Meta(&'static str),
    #[error("This needs a client that declares {}", .0.to_json())]
    MissingCapability(Capabilities),
    #[error("Method not found: {0}")]
    NoMethod(String),
    #[error("Resource not found: {uri}")]
    NoResource {
        /// As the client named it.
        uri: String,
        /// Modern versions have another code for it.
        modern: bool,
    },
    #[error("Unknown prompt: {0}. prompts/list has the names")]
    UnknownPrompt(String),
    #[error("Session not found: send initialize again, without a session id")]
    UnknownSession,
    #[error("Not found: this address serves nothing. Ask its owner for the current one")]
    UnknownAddress,
    #[error(
        "This Origin may not call the server. If it should, its operator adds it to AIRLOCK_ALLOWED_ORIGINS, for \
         example https://chat.example.com"
    )]
    Origin,
    #[error(
        "The server does not answer to this Host. If it should, its operator adds the name to AIRLOCK_ALLOWED_HOSTS, \
         for example mcp.example.com"
    )]
    Host,
    #[error(
        "Method not allowed: post JSON-RPC messages here; there is no stream to GET without a session"
    )]
    Method,
    #[error(
        "Not acceptable: answers are application/json or text/event-stream, and Accept allows neither"
    )]
    Accept,
    #[error("Unsupported media type: send Content-Type: application/json")]
    MediaType,
    #[error("The body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("The body took too long to arrive")]
    TooSlow,
    #[error("The body broke off")]
    BrokenBody,
    #[error("Method not found: {0}")]
    UnknownMethod(String),
    #[error("Invalid params: {0}")]
    InvalidParams(String),
    #[error("Unknown tool: {0}. tools/list has the names")]
    UnknownTool(String),
    #[error("{0}")]
    Internal(String),
    #[error("The call was cancelled")]
    Cancelled,
    #[error("This address is no longer valid. Ask its owner for the current one")]
    Gone,
    #[error("Interrupted: the server was restarted while this ran. Call the tool again")]
    Interrupted,
    #[error("Too many calls are running at once: wait for some of them to end, then try again")]
    TooManyCalls,
    #[error("Too many tasks are kept at once: wait for some of them to end, then try again")]
    TooManyTasks,
    #[error(
        "There is no room to keep this: the tasks of this app hold as much as they may. Try again when older ones have \
         expired"
    )]
    NoRoom,
    #[error("Too many streams are open at once: close one, or try again later")]
    TooManyStreams,
}

impl Fault {
    /// In the era of `initialize` a well-formed request that fails is answered with 200: Dify throws the bodies of 4xx
    /// away and would show its user a bare number.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NotJson
            | Self::Invalid(_)
            | Self::UnsupportedVersion
            | Self::UnsupportedModern { .. }
            | Self::Header(_)
            | Self::Meta(_)
            | Self::MissingCapability(_)
            | Self::BrokenBody => StatusCode::BAD_REQUEST,
            Self::UnknownSession | Self::UnknownAddress | Self::NoMethod(_) => {
                StatusCode::NOT_FOUND
            }
            Self::Origin | Self::Host => StatusCode::FORBIDDEN,
            Self::TooManyStreams => StatusCode::TOO_MANY_REQUESTS,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Accept => StatusCode::NOT_ACCEPTABLE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::UnknownMethod(_)
            | Self::InvalidParams(_)
            | Self::UnknownTool(_)
            | Self::UnknownPrompt(_)
            | Self::NoResource { .. }
            | Self::Internal(_)
            | Self::Cancelled
            | Self::Gone
            | Self::Interrupted
            | Self::NoRoom
            | Self::TooManyTasks
            | Self::TooManyCalls => StatusCode::OK,
        }
    }

    /// What JSON-RPC has no code for carries an HTTP status as its code: the specification keeps −32768…−32000 to
    /// itself.
    pub(crate) fn code(&self) -> i32 {
        match self {
            Self::NotJson => -32700,
            // Not −32022 for a version of the `initialize` era: its clients know no such code.
            Self::Invalid(_) | Self::UnsupportedVersion => -32600,
            Self::UnknownMethod(_) | Self::NoMethod(_) => -32601,
            Self::InvalidParams(_)
            | Self::Meta(_)
            | Self::UnknownTool(_)
            | Self::UnknownPrompt(_)
            | Self::NoResource { modern: true, .. } => -32602,
            Self::NoResource { modern: false, .. } => -32002,
            Self::Header(_) => -32020,
            Self::MissingCapability(_) => -32021,
            Self::UnsupportedModern { .. } => -32022,
            Self::Internal(_) | Self::Interrupted | Self::NoRoom => -32603,
            // The SDKs' convention: clients look for it in the body of a 404 to tell a lost session from a lost server.
            Self::UnknownSession => -32001,
            // As the Language Server Protocol has it; no MCP version names one.
            Self::Cancelled => -32800,
            Self::BrokenBody => 400,
            Self::Origin | Self::Host => 403,
            Self::UnknownAddress | Self::Gone => 404,
            Self::Method => 405,
            Self::Accept => 406,
            Self::TooSlow => 408,
            Self::TooLarge(_) => 413,
            Self::MediaType => 415,
            Self::TooManyCalls | Self::TooManyTasks | Self::TooManyStreams => 429,
        }
    }
}

impl Fault {
    /// What a program can read of the error: the `data` member, as JSON.
    pub(crate) fn data(&self) -> Option<String> {
        match self {
            Self::UnsupportedModern { requested } => {
                let supported = Version::OFFERED.map(Version::as_str);
                let data = serde_json::json!({"supported": supported, "requested": requested});
                Some(data.to_string())
            }
            Self::MissingCapability(needed) => Some(format!(
                r#"{{"requiredCapabilities":{}}}"#,
                needed.to_json()
            )),
            Self::NoResource { uri, .. } => Some(serde_json::json!({ "uri": uri }).to_string()),
            Self::NotJson
            | Self::Invalid(_)
            | Self::UnsupportedVersion
            | Self::Header(_)
            | Self::Meta(_)
            | Self::NoMethod(_)
            | Self::UnknownPrompt(_)
            | Self::UnknownSession
            | Self::UnknownAddress
            | Self::Origin
            | Self::Host
            | Self::Method
            | Self::Accept
            | Self::MediaType
            | Self::TooLarge(_)
            | Self::TooSlow
            | Self::BrokenBody
            | Self::UnknownMethod(_)
            | Self::InvalidParams(_)
            | Self::UnknownTool(_)
            | Self::Internal(_)
            | Self::Cancelled
            | Self::Gone
            | Self::Interrupted
            | Self::NoRoom
            | Self::TooManyCalls
            | Self::TooManyTasks
            | Self::TooManyStreams => None,
        }
    }
}

/// The beginning of what a caller sent, short enough to be sent back.
pub(crate) fn excerpt(text: &str) -> String {
    const CHARS: usize = 64;
    match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
