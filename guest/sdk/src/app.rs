use airlock_form::{Form, Uploads};
use serde_json::{Map, Value};

/// What the host knows of the Dify app behind this guest.
#[derive(Clone, Debug, PartialEq)]
pub struct App {
    /// The app's own name, in any script.
    pub name: String,
    /// The app's own description; often empty.
    pub description: String,
    /// How the app is talked to.
    pub mode: Mode,
    /// The tags its author gave it in Dify.
    pub tags: Vec<String>,
    /// Dify's `GET /parameters`, but for what callers must not learn.
    pub parameters: Value,
    /// What the operator set for this app, in the operator's order; never a secret.
    pub settings: Vec<(String, String)>,
    /// What later hosts say besides.
    pub extra: Map<String, Value>,
}

impl App {
    /// An app of this name and mode without anything else: where a test begins.
    #[must_use]
    pub fn new(name: impl Into<String>, mode: Mode) -> App {
        App {
            name: name.into(),
            description: String::new(),
            mode,
            tags: Vec::new(),
            parameters: Value::Object(Map::new()),
            settings: Vec::new(),
            extra: Map::new(),
        }
    }

    /// The app's input form, read from its parameters.
    #[must_use]
    pub fn form(&self) -> Form {
        Form::parse(&self.parameters)
    }

    /// The files that the app takes beside its form, for the whole message; none where it takes none.
    #[must_use]
    pub fn uploads(&self) -> Option<Uploads> {
        Uploads::parse(&self.parameters)
    }

    /// What the operator set under this name.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Has a run of the app been seen to wait for a person? Dify says so only when it happens.
    #[must_use]
    pub fn pauses(&self) -> bool {
        self.extra.get("pauses") == Some(&Value::Bool(true))
    }

    /// What the app says before anybody asks; none where its author wrote nothing.
    #[must_use]
    pub fn opening_statement(&self) -> Option<&str> {
        let words = self.parameters["opening_statement"].as_str()?.trim();
        (!words.is_empty()).then_some(words)
    }

    /// Questions that the app's author suggests to begin with.
    pub fn suggested_questions(&self) -> impl Iterator<Item = &str> {
        let list = self.parameters["suggested_questions"].as_array();
        list.into_iter().flatten().filter_map(Value::as_str)
    }
}

/// Dify's kinds of app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A chat with a model.
    Chat,
    /// A chat with an agent that uses tools (`agent-chat`).
    AgentChat,
    /// A chat that a flow of nodes answers (`advanced-chat`, in Dify's words a chatflow).
    AdvancedChat,
    /// One text from one form.
    Completion,
    /// A flow of nodes from inputs to outputs.
    Workflow,
    /// The agent of newer Difys (`agent`).
    Agent,
    /// A mode that this contract has no word for.
    Other(String),
}

impl Mode {
    /// The mode that Dify means by this word.
    #[must_use]
    pub fn from_word(word: &str) -> Mode {
        match word {
            "chat" => Mode::Chat,
            "agent-chat" => Mode::AgentChat,
            "advanced-chat" => Mode::AdvancedChat,
            "completion" => Mode::Completion,
            "workflow" => Mode::Workflow,
            "agent" => Mode::Agent,
            other => Mode::Other(other.to_owned()),
        }
    }

    /// Dify's word for the mode.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Mode::Chat => "chat",
            Mode::AgentChat => "agent-chat",
            Mode::AdvancedChat => "advanced-chat",
            Mode::Completion => "completion",
            Mode::Workflow => "workflow",
            Mode::Agent => "agent",
            Mode::Other(word) => word,
        }
    }

    /// Does the app take a query and go on with a conversation? Every mode but the two that do not, as Dify's own MCP
    /// server has it: a mode that comes later is more likely to chat.
    #[must_use]
    pub fn converses(&self) -> bool {
        match self {
            Mode::Chat | Mode::AgentChat | Mode::AdvancedChat | Mode::Agent | Mode::Other(_) => {
                true
            }
            Mode::Completion | Mode::Workflow => false,
        }
    }
}
