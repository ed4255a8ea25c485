//! How a caller goes on with a conversation, and what they are told of it.

use airlock_guest::dify::Answer;
use airlock_guest::{CallRequest, CallResult, Error, Value};

/// The handle of a conversation that goes on, in the modes that converse.
pub(crate) const ARGUMENT: &str = "conversation";

/// How the conversation of a call is gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GoesOn {
    /// By its handle.
    ByHandle,
    /// By itself, with the next call of the client's session.
    BySession,
    /// The same, and nothing was said in it before this call.
    NewInSession,
}

/// What stands in the argument to begin a new one, where leaving it out goes on with the session's. No handle reads so.
const NEW: &str = "new";

/// The conversation that a call is to go on with: the caller's word comes before what the session has.
///
/// # Errors
/// Where the argument is no text.
pub(crate) fn wanted(call: &CallRequest) -> Result<Option<String>, Error> {
    // A model that has nothing to say there says "".
    let given = call
        .get::<Option<String>>(ARGUMENT)?
        .filter(|handle| !handle.is_empty());
    let of_session = || Some(call.session()?.conversation?.to_owned());
    Ok(given.or_else(of_session).filter(|handle| handle != NEW))
}

impl GoesOn {
    /// After a call that runs the app, or goes on with one that waited for its client's user.
    pub(crate) fn from(call: &CallRequest) -> GoesOn {
        match (call.session(), wanted(call)) {
            (None, _) => GoesOn::ByHandle,
            (Some(_), Ok(None)) => GoesOn::NewInSession,
            (Some(_), _) => GoesOn::BySession,
        }
    }

    /// After a call that answers for a person: that conversation is older than the call.
    pub(crate) fn from_reply(call: &CallRequest) -> GoesOn {
        match call.session() {
            Some(_) => GoesOn::BySession,
            None => GoesOn::ByHandle,
        }
    }
}

/// Adds to the result of a call what its caller has to know of the conversation.
pub(crate) fn told(mut result: CallResult, answer: &Answer, goes_on: GoesOn) -> CallResult {
    let restarted = answer.extra.get("conversation_restarted") == Some(&Value::Bool(true));
    if restarted {
        result = result
            .and(
                "Note: the app does not have the conversation that was to go on. It has begun a new one, without anything \
                 that was said before.",
            )
            .meta("airlock/conversationRestarted", true);
    }
    let Some(handle) = &answer.conversation else {
        return result;
    };
    // Clients hand `_meta` to programs and the text to the model: whoever goes on by a handle needs it there.
    let words = match goes_on {
        GoesOn::ByHandle => Some(format!(
            "(To go on with this conversation, call again with `conversation` set to `{handle}`.)"
        )),
        GoesOn::NewInSession => Some(
            "(This is a new conversation, in which nothing was said before. The next call of this session goes on with it.)"
                .to_owned(),
        ),
        GoesOn::BySession => None,
    };
    if let Some(words) = words {
        result = result.and(words);
    }
    if goes_on != GoesOn::ByHandle {
        let new = restarted || goes_on == GoesOn::NewInSession;
        let stands = if new { "new" } else { "continued" };
        result = result.meta("airlock/sessionConversation", stands);
    }
    result
        .meta("airlock/conversation", handle.as_str())
        .conversation(handle)
}
