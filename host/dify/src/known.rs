//! The names of a run, by which it can be found again.

use serde::{Deserialize, Serialize};

use crate::Mode;

/// A run that Dify has named. It can be written down; holding it holds nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The app's mode.
    pub mode: Mode,
    /// Who asked. Dify shows and stops a run for its own user alone.
    pub user: String,
    /// By what it is stopped.
    pub task: String,
    /// By what it is found; none in modes whose runs Dify does not keep.
    pub run: Option<String>,
    /// The conversation that it belongs to, in modes that have one.
    pub conversation: Option<String>,
    /// The conversation that was to go on.
    pub asked: Option<String>,
}

impl Known {
    /// Does Dify keep the run, so that it can be followed? That is so for workflows and chatflows.
    pub fn can_be_followed(&self) -> bool {
        self.mode.is_flow() && self.run.is_some()
    }
}

/// What it means that a run which is followed has paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// It waits for a person, and that is its end for now.
    Ends,
    /// The person has just answered. Dify says for a moment longer that it waits.
    WasAnswered,
}
