//! Every refusal, with the words for the caller, its HTTP status and its JSON-RPC code.

use http::StatusCode;

/// Why a message got no result. The `Display` text is for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("The body is not JSON")]
    NotJson,
    #[error("Invalid request: {0}")]
    Invalid(&'static str),
    #[error(
        "Unsupported protocol version: this server speaks 2025-11-25, 2025-06-18, 2025-03-26 and 2024-11-05. \
         Begin with initialize"
    )]
    UnsupportedVersion,
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
    #[error("Method not allowed: post JSON-RPC messages here; there is no stream to GET")]
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
    #[error("Too many calls are running at once: wait for some of them to end, then try again")]
    TooManyCalls,
}

impl Fault {
    /// In the era of `initialize` a well-formed request that fails is answered with 200: Dify throws the bodies of 4xx
    /// away and would show its user a bare number.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NotJson | Self::Invalid(_) | Self::UnsupportedVersion | Self::BrokenBody => {
                StatusCode::BAD_REQUEST
            }
            Self::UnknownSession | Self::UnknownAddress => StatusCode::NOT_FOUND,
            Self::Origin | Self::Host => StatusCode::FORBIDDEN,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Accept => StatusCode::NOT_ACCEPTABLE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::UnknownMethod(_)
            | Self::InvalidParams(_)
            | Self::UnknownTool(_)
            | Self::Internal(_)
            | Self::Cancelled
            | Self::Gone
            | Self::TooManyCalls => StatusCode::OK,
        }
    }

    /// What JSON-RPC has no code for carries an HTTP status as its code: the specification keeps −32768…−32000 to
    /// itself.
    pub(crate) fn code(&self) -> i32 {
        match self {
            Self::NotJson => -32700,
            // Not −32022 for the version: rmcp gives up on that code when it shares no modern version with the server,
            // while every dual-era client falls back to `initialize` on any other.
            Self::Invalid(_) | Self::UnsupportedVersion => -32600,
            Self::UnknownMethod(_) => -32601,
            Self::InvalidParams(_) | Self::UnknownTool(_) => -32602,
            Self::Internal(_) => -32603,
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
            Self::TooManyCalls => 429,
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
