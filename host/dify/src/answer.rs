//! How a run that went well ended.

use serde_json::{Map, Value};

use crate::HumanForm;

/// How a run ended that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// All went well.
    Succeeded,
    /// A node failed and its error branch or default value was taken.
    PartialSucceeded,
    /// A person is asked; [`Answer::forms`] says what.
    Paused,
    /// A word of a later Dify, for a run that carried no error.
    Other(String),
}

impl Status {
    /// Dify's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Succeeded => "succeeded",
            Self::PartialSucceeded => "partial-succeeded",
            Self::Paused => "paused",
            Self::Other(word) => word,
        }
    }
}

/// Everything that a run brought.
#[derive(Debug, Clone)]
pub struct Answer {
    /// How it ended.
    pub status: Status,
    /// What the app said: the chat answer, or a workflow's streamed text.
    pub text: String,
    /// Was text dropped because it was over [`crate::Config::answer_cap`]?
    pub truncated: bool,
    /// A workflow's outputs, and those of a mode that came later and said nothing else. Empty for all other modes, a
    /// chatflow included: its outputs repeat the answer as it was before moderation replaced it.
    pub outputs: Map<String, Value>,
    /// Dify's `metadata.usage`, or a workflow's token and step count.
    pub usage: Option<Value>,
    /// The conversation, for modes that have one.
    pub conversation: Option<String>,
    /// Was a conversation asked for, and another one begun? Dify does so silently for a chatflow whose conversation is
    /// unknown, deleted or somebody else's.
    pub conversation_restarted: bool,
    /// More of what Dify said: the rest of `metadata` (`retriever_resources`, …), `note` of a run that succeeded in part.
    pub extra: Map<String, Value>,
    /// What a paused run waits for; empty where Dify has not said.
    pub forms: Vec<HumanForm>,
    /// Files that the app brought, as Dify describes them. Their URLs are signed, may be relative, and expire after
    /// 300 s.
    pub files: Vec<Value>,
    /// Dify's id of the task.
    pub task_id: Option<String>,
    /// Dify's id of the workflow run.
    pub run_id: Option<String>,
}
