//! What people read of an error: one table for the caller, one for the log.
//!
//! The caller is an AI or the person behind it. A sentence for it says what happened, whose turn it
//! is (the caller's, the operator's, Dify's) and what to do. It holds nothing internal: no address,
//! no key, no id of Dify's.

use crate::sentence::sentence;
use crate::{Bound, Error, Forbidden, Ids, ProviderFault, Wait};

impl Error {
    /// For whoever called: what happened, whose turn it is, what to do.
    pub fn caller(&self) -> String {
        match self {
            Self::Unreachable { .. } => "Dify cannot be reached right now. Try again in a minute; \
                                         if it stays so, tell the operator."
                .to_owned(),
            Self::Dead { retry_after } => format!(
                "Dify has stopped answering. Nothing was started; try again in {} s, and if it \
                 stays so, tell the operator.",
                retry_after.as_secs()
            ),
            Self::Timeout {
                wait: Wait::Read,
                after,
                ..
            } => format!(
                "Dify did not answer within {} s. Try again in a minute; if it stays so, tell the \
                 operator.",
                after.as_secs()
            ),
            Self::Timeout {
                wait: Wait::Stream,
                after,
                ..
            } => format!(
                "The app fell silent for {} s and was given up. It may have done part of its work. \
                 Try again with less to do; if it stays so, tell the operator.",
                after.as_secs()
            ),
            Self::Unauthorized { .. } => {
                "Dify refuses this app's key. Nothing you send can change \
                                          that: the operator has to renew the key."
                    .to_owned()
            }
            Self::Forbidden { why, .. } => {
                format!(
                    "{} Nothing you send can change that: tell the operator.",
                    why.caller()
                )
            }
            Self::AppUnavailable { .. } => "The app is not ready to run in Dify (unpublished, or \
                                            without a model). Its author has to finish and publish \
                                            it."
            .to_owned(),
            Self::NotPublished => "The app was never published in Dify. Its author has to publish \
                                   it."
            .to_owned(),
            Self::WrongMode { .. } => "The app in Dify is of another kind than it was, or of one \
                                       that this server does not know. The operator has to \
                                       refresh it here."
                .to_owned(),
            Self::InvalidInputs(faults) => {
                let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
                format!(
                    "The inputs do not fit the app's form: {}. Correct them and call again.",
                    faults.join("; ")
                )
            }
            Self::MissingQuery => "The app needs to be asked something: give a query that is not \
                                   empty and call again."
                .to_owned(),
            Self::InvalidParam { message, .. } => format!(
                "Dify refuses the input: {} Correct it and call again.",
                sentence(message)
            ),
            Self::ConversationGone { .. } => "The conversation does not exist any more. Start a \
                                              new one by leaving it out."
                .to_owned(),
            Self::UnknownAction { known } => format!(
                "The form has no such action; it has {}. Nothing was sent: choose one of them.",
                known.join(", ")
            ),
            Self::FormGone => "What the app waited for does not exist any more.".to_owned(),
            Self::FormAnswered => {
                "Somebody has answered this before, and the app went on with that \
                                   answer; this one was not taken."
                    .to_owned()
            }
            Self::FormExpired => {
                "The time to answer this is over. The app goes on, or has gone on, \
                                  along the branch that its author made for that case; this answer \
                                  was not taken. Call the app again for a new run."
                    .to_owned()
            }
            Self::RunGone { .. } => {
                "Dify does not know this run any more. Call again if you still \
                                     want an answer."
                    .to_owned()
            }
            Self::Busy { retry_after } => format!(
                "The app already runs as often at once as Dify allows. Try again in {} s.",
                retry_after.as_secs()
            ),
            Self::QueueFull { retry_after } => format!(
                "Too many calls are waiting for Dify. Nothing was started; try again in {} s.",
                retry_after.as_secs()
            ),
            Self::RateLimited { retry_after } => format!(
                "The app's quota of requests is used up for now. Try again {}.",
                retry_after.map_or("later".to_owned(), |after| format!(
                    "in {} s",
                    after.as_secs()
                ))
            ),
            Self::TooLarge {
                bound: Bound::Event | Bound::Body,
                limit,
            } => format!(
                "The app sends more than {} KiB in one piece, which is not taken. Ask for less at \
                 once.",
                limit >> 10
            ),
            Self::TooLarge {
                bound: Bound::Request,
                ..
            } => "Dify refuses the input because it is \
                                                             too large. Send less and call again."
                .to_owned(),
            Self::NotDify { .. } => "What answers in Dify's place is not Dify. Nothing you send \
                                     can change that: tell the operator."
                .to_owned(),
            Self::RunFailed { message, .. } => format!(
                "The app failed while it ran: {} If your input is right, its author has to look \
                 at it.",
                sentence(message)
            ),
            Self::Stopped { .. } => "The run was stopped before it had an answer. Call again if \
                                     you still want one."
                .to_owned(),
            Self::Incomplete { .. } => "The connection to Dify ended before the app's answer was \
                                        complete. It may have done its work; check before you call \
                                        again."
                .to_owned(),
            Self::Provider { fault, message } => fault.caller(message),
            Self::Server { status, .. } => format!(
                "Dify failed with status {status}. Try again in a minute; if it stays so, tell the \
                 operator."
            ),
        }
    }

    /// For the log: what happened, with addresses and ids, and what the operator can do.
    pub fn operator(&self) -> String {
        match self {
            Self::Unreachable { url, cause } => {
                format!("no connection for {url}: {cause}; is Dify up, and the address right?")
            }
            Self::Dead { .. } => "not sent, since Dify did not answer the last requests; is it \
                                  up, and the address right?"
                .to_owned(),
            Self::Timeout {
                wait: Wait::Read,
                after,
                ..
            } => format!(
                "no answer to a read within {after:?}; Dify may be out of connections \
                 (SERVER_WORKER_CONNECTIONS)"
            ),
            Self::Timeout {
                wait: Wait::Stream,
                after,
                ids,
            } => {
                format!("no byte of the stream for {after:?}{ids}; is Dify's worker running?")
            }
            Self::Unauthorized { url } => format!(
                "Dify does not know the key, asked for {url}; was it deleted there? `airlock app \
                 key` gives the app a new one (Dify refuses a key for 60 s if it was tried before it was made)"
            ),
            Self::Forbidden { message, .. } => format!("Dify forbids the app: {message}"),
            Self::AppUnavailable { message } => format!("the app cannot run: {message}"),
            Self::NotPublished => "the app was never published; publish it in Dify".to_owned(),
            Self::WrongMode { code } => {
                format!(
                    "Dify says {code}: the app's mode has changed, and a refresh mends that, or it is a mode that this \
                     version does not know"
                )
            }
            Self::InvalidInputs(faults) => {
                format!("{} fault(s) in the inputs; nothing was sent", faults.len())
            }
            Self::MissingQuery => "no query for a chat app; nothing was sent".to_owned(),
            Self::InvalidParam {
                status,
                code,
                message,
            } => {
                // Its words may repeat an address that the caller gave, with whatever opens it.
                let told = sentence(message);
                format!("Dify refuses the request ({status} {code}): {told}")
            }
            Self::ConversationGone { message } => {
                format!("Dify does not have the conversation: {message}")
            }
            Self::UnknownAction { known } => {
                format!(
                    "none of the form's {} action(s); nothing was sent",
                    known.len()
                )
            }
            Self::FormGone => "Dify does not have the form".to_owned(),
            Self::FormAnswered => "the form was answered before".to_owned(),
            Self::FormExpired => "the form has expired".to_owned(),
            Self::RunGone { message } => format!("Dify does not have the run: {message}"),
            Self::Busy { .. } => {
                "the app's own limit of active requests in Dify is reached; raise \
                                  it there or lower the runs per app here"
                    .to_owned()
            }
            Self::QueueFull { .. } => "the queue towards Dify is full or too slow; raise the \
                                       connections of Dify, then those allowed here"
                .to_owned(),
            Self::RateLimited { retry_after } => {
                format!("Dify limits the rate, retry after {retry_after:?}")
            }
            Self::TooLarge { bound, limit } => {
                format!("{bound:?} over its bound of {limit} bytes (0: Dify's own)")
            }
            Self::NotDify { url, what } => format!(
                "no Service API at {url}: {what}; the base should end in /v1 and reach Dify's api, \
                 not its web pages"
            ),
            Self::RunFailed { message, ids } => format!("the run failed{ids}: {message}"),
            Self::Stopped { ids } => format!("the run was stopped{ids}"),
            Self::Incomplete { cause, ids } => format!("the stream ended early{ids}: {cause}"),
            Self::Provider { fault, message } => {
                format!("the model's provider ({fault:?}): {message}")
            }
            Self::Server { status, message } => {
                format!("status {status} from Dify or a proxy before it: {message}")
            }
        }
    }
}

impl Forbidden {
    fn caller(self) -> &'static str {
        match self {
            Self::ApiDisabled => "The app's API access is switched off in Dify.",
            Self::AppGone => "The app no longer exists in Dify.",
            Self::AppAbnormal => "The app is suspended in Dify.",
            Self::WorkspaceArchived => "The app's workspace is archived in Dify.",
            Self::Other => "Dify forbids the use of this app.",
        }
    }
}

impl ProviderFault {
    fn caller(self, message: &str) -> String {
        let told = sentence(message);
        match self {
            Self::NotInitialized => format!(
                "The model behind the app is not set up: {told} The operator of Dify has to do so."
            ),
            Self::QuotaExceeded => "The quota of the model behind the app is used up. The \
                                    operator of Dify has to raise it."
                .to_owned(),
            Self::NotSupported => format!(
                "The model behind the app cannot do this: {told} The app's author has to choose \
                 another."
            ),
            Self::Failed => format!(
                "The model behind the app failed: {told} Try again; if it stays so, tell the \
                 operator."
            ),
        }
    }
}

impl std::fmt::Display for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(task) = &self.task {
            write!(f, " (task {task})")?;
        }
        if let Some(run) = &self.run {
            write!(f, " (run {run})")?;
        }
        Ok(())
    }
}
