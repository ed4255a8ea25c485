//! Dify's kinds of app, and which doors of the Service API are theirs.

use serde::{Deserialize, Serialize};

/// The kind of an app, `mode` in `GET /info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Mode {
    /// A chatbot.
    Chat,
    /// The old agent.
    AgentChat,
    /// A chatflow.
    AdvancedChat,
    /// A text generator: inputs in, one text out.
    Completion,
    /// A workflow.
    Workflow,
    /// The new agent, since about 1.14.
    Agent,
    /// A mode that came later. It is treated as a chat app, which is what every new mode has been so far.
    Other(String),
}

impl Mode {
    /// Dify's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Chat => "chat",
            Self::AgentChat => "agent-chat",
            Self::AdvancedChat => "advanced-chat",
            Self::Completion => "completion",
            Self::Workflow => "workflow",
            Self::Agent => "agent",
            Self::Other(word) => word,
        }
    }

    /// Does it run as a graph of nodes (workflow and chatflow)? Such runs ping, have a run id and may pause.
    pub fn is_flow(&self) -> bool {
        match self {
            Self::AdvancedChat | Self::Workflow => true,
            Self::Chat | Self::AgentChat | Self::Completion | Self::Agent | Self::Other(_) => false,
        }
    }

    /// Does it need something the user says, and hold a conversation?
    pub fn takes_query(&self) -> bool {
        match self {
            Self::Chat | Self::AgentChat | Self::AdvancedChat | Self::Agent | Self::Other(_) => {
                true
            }
            Self::Completion | Self::Workflow => false,
        }
    }

    /// The path that runs an app of this mode.
    pub(crate) fn run_path(&self) -> &'static str {
        match self {
            Self::Workflow => "/workflows/run",
            Self::Completion => "/completion-messages",
            Self::Chat | Self::AgentChat | Self::AdvancedChat | Self::Agent | Self::Other(_) => {
                "/chat-messages"
            }
        }
    }

    /// The path that stops a run of this mode. A chatflow stops at the chat door (`err-stop-wrong-mode`).
    pub(crate) fn stop_path(&self, task: &str) -> String {
        match self {
            Self::Workflow => format!("/workflows/tasks/{task}/stop"),
            Self::Completion => format!("/completion-messages/{task}/stop"),
            Self::Chat | Self::AgentChat | Self::AdvancedChat | Self::Agent | Self::Other(_) => {
                format!("/chat-messages/{task}/stop")
            }
        }
    }
}

impl From<&str> for Mode {
    fn from(word: &str) -> Self {
        match word {
            "chat" => Self::Chat,
            "agent-chat" => Self::AgentChat,
            "advanced-chat" => Self::AdvancedChat,
            "completion" => Self::Completion,
            "workflow" => Self::Workflow,
            "agent" => Self::Agent,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl From<String> for Mode {
    fn from(word: String) -> Self {
        Self::from(word.as_str())
    }
}

impl From<Mode> for String {
    fn from(mode: Mode) -> Self {
        mode.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_keeps_its_word() {
        for word in [
            "chat",
            "agent-chat",
            "advanced-chat",
            "completion",
            "workflow",
            "agent",
            "next-big-thing",
        ] {
            assert_eq!(Mode::from(word).as_str(), word);
        }
    }

    #[test]
    fn a_chatflow_is_a_flow_that_is_run_and_stopped_at_the_chat_door() {
        let mode = Mode::AdvancedChat;
        assert!(mode.is_flow() && mode.takes_query());
        assert_eq!(mode.run_path(), "/chat-messages");
        assert_eq!(mode.stop_path("t1"), "/chat-messages/t1/stop");
    }

    #[test]
    fn a_mode_that_came_late_is_run_and_stopped_at_the_chat_door() {
        for word in ["agent", "next-big-thing"] {
            let mode = Mode::from(word);
            assert!(mode.takes_query() && !mode.is_flow(), "{word}");
            assert_eq!(mode.run_path(), "/chat-messages", "{word}");
            assert_eq!(mode.stop_path("t1"), "/chat-messages/t1/stop", "{word}");
        }
    }
}
