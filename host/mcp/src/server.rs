//! What this crate asks of whoever has tools to offer.

use std::{borrow::Cow, pin::Pin, sync::Arc};

use tokio_util::sync::CancellationToken;

use crate::{
    Call, CallError, CallResult, Catalog, Changes, Complete, Completion, End, GetPrompt,
    PromptResult, Read, ReadResult, TaskStore, Tools,
};

/// One address's tools, and what else it may offer. It is asked on every request, so all but [`call`](Self::call),
/// [`read`](Self::read), [`prompt`](Self::prompt) and [`complete`](Self::complete) must be instant.
pub trait ToolServer: Send + Sync + 'static {
    /// Binds session ids, request states and task ids to the app; never sent.
    fn app(&self) -> &str;

    /// Rises when the credential changes; what was sealed in another epoch is unknown.
    fn epoch(&self) -> u64;

    /// What `initialize` and `server/discover` say of the server.
    fn about(&self) -> About<'_>;

    /// What it offers besides tools.
    fn offers(&self) -> Offers {
        Offers::default()
    }

    /// Do its tools take files? Then bodies may be as large as [`file_body_cap`](crate::Config::file_body_cap).
    fn takes_files(&self) -> bool {
        false
    }

    /// What `tools/list` says.
    fn tools(&self) -> &Tools;

    /// What `resources/list`, `resources/templates/list` and `prompts/list` say.
    fn catalog(&self) -> &Catalog {
        Catalog::empty()
    }

    /// Runs one call. The future is polled on a task of its own: it outlives its request by
    /// [`hangup_grace`](crate::Config::hangup_grace) (in the era of `initialize`) or as a task of the protocol, is told by
    /// [`Context::cancelled`](crate::Context::cancelled) to stop, and is dropped when it has not stopped within
    /// [`wind_down`](crate::Config::wind_down).
    fn call(&self, call: Call) -> Answer<End<CallResult>>;

    /// Reads a resource. Asked only where [`Offers::resources`] is set.
    fn read(&self, _read: Read) -> Answer<End<ReadResult>> {
        Box::pin(async { Err(CallError::Unknown) })
    }

    /// Fills in a prompt. Asked only where [`Offers::prompts`] is set.
    fn prompt(&self, _prompt: GetPrompt) -> Answer<End<PromptResult>> {
        Box::pin(async { Err(CallError::Unknown) })
    }

    /// Completes an argument. Asked only where [`Offers::completions`] is set.
    fn complete(&self, _complete: Complete) -> Answer<Completion> {
        Box::pin(async { Err(CallError::Unknown) })
    }

    /// Where this address tells of changes; the same for as long as the address lives, whatever changes behind it. With
    /// none, `listChanged` and `subscribe` are not offered.
    fn changes(&self) -> Option<&Changes> {
        None
    }

    /// Where tasks are kept; with none, tasks are not offered.
    fn tasks(&self) -> Option<&Arc<dyn TaskStore>> {
        None
    }

    /// Fires when the address dies: running calls and open streams end at once.
    fn gone(&self) -> &CancellationToken;
}

/// The future of one request.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, CallError>> + Send>>;

/// What the server says of itself.
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

/// What a server offers besides tools; what is not set here is refused as an unknown method and not declared as a
/// capability. (Lists of nothing are still answered in the era of `initialize`, for clients that do not look.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// `resources/list`, `resources/templates/list`, `resources/read`.
    pub resources: bool,
    /// `prompts/list`, `prompts/get`.
    pub prompts: bool,
    /// `completion/complete`.
    pub completions: bool,
    /// Log messages for the client, through [`Log`](crate::Log).
    pub logging: bool,
}
