//! What this crate asks of whoever has tools to offer.

use std::{borrow::Cow, pin::Pin};

use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use crate::{CallResult, Nonce, Progress, Tools};

/// One address's tools. It is asked on every request, so all but [`call`](Self::call) must be instant.
pub trait ToolServer: Send + Sync + 'static {
    /// Binds session ids to the app; never sent.
    fn app(&self) -> &str;

    /// Rises when the credential changes; session ids of another epoch are unknown sessions.
    fn epoch(&self) -> u64;

    /// What `initialize` says of the server.
    fn about(&self) -> About<'_>;

    /// What `tools/list` says.
    fn tools(&self) -> &Tools;

    /// Runs one call. The future is polled on a task of its own: it outlives its request by
    /// [`hangup_grace`](crate::Config::hangup_grace), is told by [`Call::cancelled`] to stop, and is dropped when it has not
    /// stopped within [`wind_down`](crate::Config::wind_down).
    fn call(&self, call: Call) -> Answer;

    /// Fires when the address dies: running calls and open streams end at once.
    fn gone(&self) -> &CancellationToken;
}

/// The future of one call.
pub type Answer = Pin<Box<dyn Future<Output = Result<CallResult, CallError>> + Send>>;

/// What `initialize` says of the server.
#[derive(Clone, Debug)]
pub struct About<'a> {
    /// `serverInfo.name`.
    pub name: Cow<'a, str>,
    /// `serverInfo.title`, for people; sent from 2025-06-18 on.
    pub title: Option<Cow<'a, str>>,
    /// `serverInfo.version`.
    pub version: Cow<'a, str>,
    /// What an AI should know before it picks a tool.
    pub instructions: Option<Cow<'a, str>>,
}

/// One `tools/call`.
#[derive(Debug)]
pub struct Call {
    /// As the client wrote it: it may name no tool at all.
    pub tool: String,
    /// A JSON object, not yet validated against any schema; `{}` where the client sent none. At most 127 levels deep.
    pub arguments: Box<RawValue>,
    /// Who says it is calling.
    pub client: Client,
    /// The same for all calls of one session; none without a session.
    pub session: Option<Nonce>,
    /// Where to say how far it is.
    pub progress: Progress,
    /// Fires when the call should stop: cancelled, hung up, or the address is gone. Nobody reads the result then.
    pub cancelled: CancellationToken,
}

/// What a client calls itself in `initialize`; both empty without a session. Not an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// At most 64 bytes of `clientInfo.name`.
    pub name: String,
    /// At most 32 bytes of `clientInfo.version`.
    pub version: String,
}

/// A call that came to no result. A tool's own failure is a [`CallResult`] with `is_error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// There is no tool of that name.
    UnknownTool,
    /// The arguments do not fit the tool's schema; the words are for the caller and name the field.
    /// A tool error from 2025-11-25 on (SEP-1303), an error of the protocol before.
    InvalidArguments(String),
    /// The call was stopped before it had a result.
    Cancelled,
    /// The address died meanwhile.
    Gone,
    /// Anything else; the words are for the caller.
    Internal(String),
}
