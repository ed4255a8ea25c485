//! Why an operation was not done.

use http::StatusCode;

use crate::guests::GuestError;
use crate::limits::Limit;
use crate::publish::published::OverlayFault;
use crate::settings::SettingFault;

/// An operation that was not done. The text says what happened and what to do next, for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpError {
    /// The registry's answer.
    #[error(transparent)]
    Registry(#[from] airlock_registry::Error),
    /// No Dify is configured.
    #[error(
        "no Dify is known: set DIFY_URL (http://api:5001/v1 inside Dify's compose network, http://HOST/v1 through its nginx)"
    )]
    NoDify,
    /// A text that is no app key.
    #[error(transparent)]
    Key(#[from] airlock_dify::KeyError),
    /// Dify's answer, in words for the log.
    #[error("{0}")]
    Dify(String),
    /// A key that leads to another kind of app.
    #[error(
        "this key leads to an app of the mode {is} ({name}), and this one is {was}: add that app by itself"
    )]
    OtherMode {
        /// The mode it had.
        was: String,
        /// The mode behind the key.
        is: String,
        /// Dify's name of the app behind the key.
        name: String,
    },
    /// The guest cannot serve.
    #[error(transparent)]
    Guest(#[from] GuestError),
    /// Words that cannot be published.
    #[error(transparent)]
    Overlay(#[from] OverlayFault),
    /// Tools that cannot be listed.
    #[error("what the guest describes cannot be listed: {0}")]
    List(#[from] airlock_mcp::ListError),
    /// Words for a tool that is not there.
    #[error("this app has no tool {wanted:?}; it has: {known}")]
    NoTool {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// Which of several tools?
    #[error("this app has several tools ({0}): say which one with --tool")]
    WhichTool(String),
    /// Words for an input that is not there.
    #[error("tool {tool:?} has no input {input:?}; it has: {known}")]
    NoInput {
        /// The tool.
        tool: String,
        /// What was asked for.
        input: String,
        /// What there is.
        known: String,
    },
    /// A bound that all apps share.
    #[error(
        "{0} is the same for all apps: it is set with AIRLOCK_GUEST_STACK, before the server starts"
    )]
    NotPerApp(Limit),
    /// A bound that no app can have.
    #[error(
        "{} of {limit} cannot be had: an app may be given {} to {}{}",
        .limit.show(*.value), .limit.show(*.limit.range().start()), .limit.show(*.limit.range().end()),
        if .limit.is_room() { ", which is what the engine has room for" } else { "" }
    )]
    Limit {
        /// Which.
        limit: Limit,
        /// What was asked for.
        value: u64,
    },
    /// Something that only a running server has.
    #[error(
        "no server runs on this home, and only a running one counts: start it with `airlock serve`"
    )]
    NoServer,
    /// A setting that cannot be.
    #[error(transparent)]
    Setting(#[from] SettingFault),
    /// No workflow, or one whose results its guest shapes.
    #[error("only the outputs of a workflow that the built-in guest serves can be learnt: {0}")]
    NotLearnt(&'static str),
    /// Too few runs.
    #[error(
        "Dify keeps {found} runs of this app that went well, of its last 100, and {wanted} are needed: run it a few times first"
    )]
    TooFewRuns {
        /// How many there are.
        found: usize,
        /// How many there must be.
        wanted: usize,
    },
    /// Runs without anything in common.
    #[error(
        "the last {0} runs have no output in common that was always of one type, so there is nothing to promise"
    )]
    NothingInCommon(usize),
    /// What the registry holds is in another shape.
    #[error("what is stored of this app cannot be read ({0}); remove it and add it again")]
    Stored(String),
}

impl OpError {
    /// The status of the admin API's answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        use airlock_registry::Error as Registry;
        match self {
            Self::Registry(error) => match error {
                Registry::UnknownApp => StatusCode::NOT_FOUND,
                Registry::Ambiguous { .. }
                | Registry::Changed
                | Registry::NoAddress
                | Registry::KeyTaken { .. } => StatusCode::CONFLICT,
                Registry::BadAppKey
                | Registry::TooLarge { .. }
                | Registry::TooMany { .. }
                | Registry::TooDeep { .. } => StatusCode::UNPROCESSABLE_ENTITY,
                Registry::DamagedComponent(_) | Registry::Unsealable | Registry::Storage(_) => {
                    StatusCode::INTERNAL_SERVER_ERROR
                }
                Registry::Closed => StatusCode::SERVICE_UNAVAILABLE,
            },
            Self::Dify(_) => StatusCode::BAD_GATEWAY,
            Self::Guest(error) if error.is_busy() => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoDify
            | Self::Key(_)
            | Self::OtherMode { .. }
            | Self::Guest(_)
            | Self::Overlay(_)
            | Self::List(_)
            | Self::NoTool { .. }
            | Self::WhichTool(_)
            | Self::NoInput { .. }
            | Self::NotPerApp(_)
            | Self::Limit { .. }
            | Self::Setting(_)
            | Self::NotLearnt(_)
            | Self::TooFewRuns { .. }
            | Self::NothingInCommon(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NoServer => StatusCode::SERVICE_UNAVAILABLE,
            Self::Stored(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}
