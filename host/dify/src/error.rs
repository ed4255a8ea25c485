//! Everything that can go wrong between here and Dify.

use std::fmt;
use std::time::Duration;

use airlock_form::Fault;

/// Why a run or a read brought nothing.
///
/// `Display` gives [`Error::caller`], so that an error printed without thought shows nothing internal.
#[derive(Debug, Clone)]
pub enum Error {
    /// No connection to Dify, or it was lost before anything was answered to a read.
    Unreachable {
        /// What was asked for, for the log.
        url: String,
        /// The network's words, for the log.
        cause: String,
    },
    /// The last few requests got no answer, so that this one was not sent.
    Dead {
        /// When Dify is tried again.
        retry_after: Duration,
    },
    /// Dify was silent for too long.
    Timeout {
        /// What was waited for.
        wait: Wait,
        /// How long.
        after: Duration,
        /// Which run, if it had a name yet.
        ids: Ids,
    },
    /// Dify does not know the key.
    Unauthorized {
        /// What was asked for, for the log.
        url: String,
    },
    /// The app or its API is switched off.
    Forbidden {
        /// Which of Dify's reasons.
        why: Forbidden,
        /// Dify's sentence, for the log.
        message: String,
    },
    /// The app has nothing that could run: never published, or without a model.
    AppUnavailable {
        /// Dify's sentence, for the log.
        message: String,
    },
    /// The workflow or agent has been edited but never published.
    NotPublished,
    /// The app is of another mode than it was when its facts were read.
    WrongMode {
        /// Dify's code, `not_chat_app` or `not_workflow_app`.
        code: String,
    },
    /// The inputs do not fit the app's form. Nothing was sent.
    InvalidInputs(Vec<Fault>),
    /// A chat app was asked nothing. Nothing was sent.
    MissingQuery,
    /// Dify refuses what was sent.
    InvalidParam {
        /// The HTTP status, 4xx.
        status: u16,
        /// Dify's code.
        code: String,
        /// Dify's sentence.
        message: String,
    },
    /// The conversation is unknown, deleted, over, or somebody else's.
    ConversationGone {
        /// Dify's sentence, for the log.
        message: String,
    },
    /// Dify does not know the run, or it is another user's.
    RunGone {
        /// Dify's sentence, for the log.
        message: String,
    },
    /// The form has no such action. Nothing was sent.
    UnknownAction {
        /// Those that it has.
        known: Vec<String>,
    },
    /// Dify does not know the form that a run waits for, or it is another app's.
    FormGone,
    /// Somebody has answered the form before.
    FormAnswered,
    /// The time for the form is over; its run goes on along the branch for that case.
    FormExpired,
    /// Dify runs as many requests of this app at once as it is set to allow.
    Busy {
        /// When to come back.
        retry_after: Duration,
    },
    /// Our own queue towards Dify is full, or the wait in it was too long. Nothing was sent.
    QueueFull {
        /// When to come back.
        retry_after: Duration,
    },
    /// A quota of requests is used up (Dify Cloud, or the model's provider).
    RateLimited {
        /// When to come back, where Dify says.
        retry_after: Option<Duration>,
    },
    /// Something was over a bound.
    TooLarge {
        /// What.
        bound: Bound,
        /// The bound in bytes; 0 where it is not ours.
        limit: usize,
    },
    /// Whatever answers at this address, it is no Service API.
    NotDify {
        /// What was asked for, for the log.
        url: String,
        /// What came instead, for the log.
        what: String,
    },
    /// The run failed inside the app.
    RunFailed {
        /// Dify's sentence; may be empty.
        message: String,
        /// Which run.
        ids: Ids,
    },
    /// The run was stopped.
    Stopped {
        /// Which run.
        ids: Ids,
    },
    /// The stream ended before the run did, and the run's state brings no answer.
    Incomplete {
        /// How it ended, for the log.
        cause: String,
        /// Which run, if it had a name yet.
        ids: Ids,
    },
    /// The model behind the app does not answer as it should.
    Provider {
        /// In which way.
        fault: ProviderFault,
        /// Dify's sentence.
        message: String,
    },
    /// Dify, or a proxy before it, failed.
    Server {
        /// The HTTP status.
        status: u16,
        /// The words that came with it, for the log.
        message: String,
    },
}

/// What was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// The whole of a JSON answer.
    Read,
    /// The next bytes of a run's stream, the first included.
    Stream,
}

/// Why Dify forbids an app's use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forbidden {
    /// The app's API access is switched off.
    ApiDisabled,
    /// The app was deleted.
    AppGone,
    /// The app's status is abnormal.
    AppAbnormal,
    /// The workspace is archived.
    WorkspaceArchived,
    /// A reason that this crate has no word for.
    Other,
}

/// What was too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// One event of a stream; [`crate::Config::event_cap`].
    Event,
    /// A JSON body; [`crate::Config::event_cap`] too.
    Body,
    /// What was sent, in the eyes of Dify or of a proxy before it.
    Request,
}

/// What is wrong with the model behind an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderFault {
    /// The provider has no credentials, or is not installed, or no model is chosen.
    NotInitialized,
    /// The provider's quota is used up.
    QuotaExceeded,
    /// The model cannot do what the app wants of it.
    NotSupported,
    /// The call of the model failed.
    Failed,
}

/// Dify's names for a run, for the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ids {
    /// The task, by which a run is stopped.
    pub task: Option<String>,
    /// The workflow run, by which it is looked up.
    pub run: Option<String>,
}

impl Error {
    /// The HTTP status that Dify answered with; 0 where there was none, or where it was that of a stream that had begun
    /// well.
    pub fn status(&self) -> u16 {
        match self {
            Self::Unauthorized { .. } => 401,
            Self::Forbidden { .. } => 403,
            Self::ConversationGone { .. } | Self::RunGone { .. } | Self::FormGone => 404,
            Self::FormAnswered | Self::FormExpired => 412,
            Self::RateLimited { .. } | Self::Busy { .. } => 429,
            Self::AppUnavailable { .. }
            | Self::NotPublished
            | Self::WrongMode { .. }
            | Self::Provider { .. } => 400,
            Self::InvalidParam { status, .. } | Self::Server { status, .. } => *status,
            Self::TooLarge {
                bound: Bound::Request,
                ..
            } => 413,
            Self::TooLarge {
                bound: Bound::Event | Bound::Body,
                ..
            }
            | Self::Unreachable { .. }
            | Self::Dead { .. }
            | Self::Timeout { .. }
            | Self::InvalidInputs(_)
            | Self::MissingQuery
            | Self::UnknownAction { .. }
            | Self::QueueFull { .. }
            | Self::NotDify { .. }
            | Self::RunFailed { .. }
            | Self::Stopped { .. }
            | Self::Incomplete { .. } => 0,
        }
    }

    /// Dify's code where there is one, else a word of the same kind; good as a metric's label but for
    /// [`Error::InvalidParam`], whose code is whatever Dify says.
    pub fn code(&self) -> &str {
        match self {
            Self::Unreachable { .. } | Self::Dead { .. } => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Forbidden { .. } => "forbidden",
            Self::AppUnavailable { .. } => "app_unavailable",
            Self::NotPublished => "not_published",
            Self::WrongMode { code } | Self::InvalidParam { code, .. } => code,
            Self::InvalidInputs(_) | Self::MissingQuery | Self::UnknownAction { .. } => {
                "invalid_param"
            }
            Self::ConversationGone { .. } => "conversation_gone",
            Self::RunGone { .. } => "run_gone",
            Self::FormGone => "form_gone",
            Self::FormAnswered => "human_input_form_submitted",
            Self::FormExpired => "human_input_form_expired",
            Self::Busy { .. } | Self::QueueFull { .. } => "busy",
            Self::RateLimited { .. } => "rate_limit_error",
            Self::TooLarge { .. } => "too_large",
            Self::NotDify { .. } => "not_dify",
            Self::RunFailed { .. } => "failed",
            Self::Stopped { .. } => "stopped",
            Self::Incomplete { .. } => "incomplete",
            Self::Provider { fault, .. } => match fault {
                ProviderFault::NotInitialized => "provider_not_initialize",
                ProviderFault::QuotaExceeded => "provider_quota_exceeded",
                ProviderFault::NotSupported => "model_currently_not_support",
                ProviderFault::Failed => "completion_request_error",
            },
            Self::Server { .. } => "internal_server_error",
        }
    }

    /// Would the same call have a chance a little later, with nobody changing anything?
    pub fn retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Dead { .. }
            | Self::Timeout { .. }
            | Self::Busy { .. }
            | Self::QueueFull { .. }
            | Self::RateLimited { .. }
            | Self::Incomplete { .. }
            | Self::Server { .. }
            | Self::Provider {
                fault: ProviderFault::Failed,
                ..
            } => true,
            Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::AppUnavailable { .. }
            | Self::NotPublished
            | Self::WrongMode { .. }
            | Self::InvalidInputs(_)
            | Self::MissingQuery
            | Self::InvalidParam { .. }
            | Self::ConversationGone { .. }
            | Self::RunGone { .. }
            | Self::UnknownAction { .. }
            | Self::FormGone
            | Self::FormAnswered
            | Self::FormExpired
            | Self::TooLarge { .. }
            | Self::NotDify { .. }
            | Self::RunFailed { .. }
            | Self::Stopped { .. }
            | Self::Provider {
                fault:
                    ProviderFault::NotInitialized
                    | ProviderFault::QuotaExceeded
                    | ProviderFault::NotSupported,
                ..
            } => false,
        }
    }

    /// Does it tell how the app is, rather than Dify, the way there, or one run?
    pub fn is_of_app(&self) -> bool {
        match self {
            Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::AppUnavailable { .. }
            | Self::NotPublished
            | Self::WrongMode { .. } => true,
            Self::Unreachable { .. }
            | Self::Dead { .. }
            | Self::Timeout { .. }
            | Self::InvalidInputs(_)
            | Self::MissingQuery
            | Self::InvalidParam { .. }
            | Self::ConversationGone { .. }
            | Self::Busy { .. }
            | Self::QueueFull { .. }
            | Self::RateLimited { .. }
            | Self::TooLarge { .. }
            | Self::NotDify { .. }
            | Self::RunFailed { .. }
            | Self::RunGone { .. }
            | Self::UnknownAction { .. }
            | Self::FormGone
            | Self::FormAnswered
            | Self::FormExpired
            | Self::Stopped { .. }
            | Self::Incomplete { .. }
            | Self::Provider { .. }
            | Self::Server { .. } => false,
        }
    }

    /// When to come back, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after }
            | Self::QueueFull { retry_after }
            | Self::Dead { retry_after } => Some(*retry_after),
            Self::RateLimited { retry_after } => *retry_after,
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::AppUnavailable { .. }
            | Self::NotPublished
            | Self::WrongMode { .. }
            | Self::InvalidInputs(_)
            | Self::MissingQuery
            | Self::InvalidParam { .. }
            | Self::ConversationGone { .. }
            | Self::RunGone { .. }
            | Self::UnknownAction { .. }
            | Self::FormGone
            | Self::FormAnswered
            | Self::FormExpired
            | Self::TooLarge { .. }
            | Self::NotDify { .. }
            | Self::RunFailed { .. }
            | Self::Stopped { .. }
            | Self::Incomplete { .. }
            | Self::Provider { .. }
            | Self::Server { .. } => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.caller())
    }
}

impl std::error::Error for Error {}
