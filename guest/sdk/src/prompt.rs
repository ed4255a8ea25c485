use serde_json::{Map, Value};

use crate::{Answers, Content, End};

/// What there is for a person to begin with: clients offer prompts as commands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PromptList {
    /// In the order in which clients list them.
    pub prompts: Vec<Prompt>,
    /// For what later hosts read besides.
    pub extra: Map<String, Value>,
}

impl PromptList {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> PromptList {
        PromptList::default()
    }

    /// One prompt more.
    #[must_use]
    pub fn prompt(mut self, prompt: Prompt) -> PromptList {
        self.prompts.push(prompt);
        self
    }
}

/// Something to begin with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prompt {
    /// Letters, digits, `_` and `-`; 64 at most; unique in the list. The host refuses others.
    pub name: String,
    /// The name a person reads.
    pub title: Option<String>,
    /// What a person reads before choosing it.
    pub description: Option<String>,
    /// What there is to fill in.
    pub arguments: Vec<PromptArgument>,
    /// Members that the prompt carries as they are: `icons`, `_meta`.
    pub extra: Map<String, Value>,
}

impl Prompt {
    /// A prompt with nothing to fill in.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Prompt {
        Prompt {
            name: name.into(),
            ..Prompt::default()
        }
    }

    /// The name a person reads.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Prompt {
        self.title = Some(title.into());
        self
    }

    /// What a person reads before choosing it.
    #[must_use]
    pub fn description(mut self, words: impl Into<String>) -> Prompt {
        self.description = Some(words.into());
        self
    }

    /// One more to fill in.
    #[must_use]
    pub fn argument(mut self, argument: PromptArgument) -> Prompt {
        self.arguments.push(argument);
        self
    }
}

/// Something to fill in. Its value is a text, whatever it means.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PromptArgument {
    /// What a program calls it.
    pub name: String,
    /// The name a person reads.
    pub title: Option<String>,
    /// What a person reads to know what belongs there.
    pub description: Option<String>,
    /// Does the prompt make no sense without?
    pub required: bool,
    /// Members that the argument carries as they are.
    pub extra: Map<String, Value>,
}

impl PromptArgument {
    /// One that may stay empty.
    #[must_use]
    pub fn new(name: impl Into<String>) -> PromptArgument {
        PromptArgument {
            name: name.into(),
            ..PromptArgument::default()
        }
    }

    /// One without which the prompt makes no sense: the host refuses a request that lacks it.
    #[must_use]
    pub fn required(name: impl Into<String>) -> PromptArgument {
        PromptArgument {
            required: true,
            ..PromptArgument::new(name)
        }
    }

    /// The name a person reads.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> PromptArgument {
        self.title = Some(title.into());
        self
    }

    /// What a person reads to know what belongs there.
    #[must_use]
    pub fn description(mut self, words: impl Into<String>) -> PromptArgument {
        self.description = Some(words.into());
        self
    }
}

/// A prompt that somebody chose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PromptRequest {
    /// Its name in the guest's own list.
    pub prompt: String,
    /// What was filled in. The required ones are there.
    pub arguments: Map<String, Value>,
    /// Present where this goes on after [`crate::Questions`].
    pub answers: Option<Answers>,
    /// What later hosts say besides.
    pub extra: Map<String, Value>,
}

impl PromptRequest {
    /// What was filled in there; nothing where it was left empty.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.arguments
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// A turn of the conversation that a prompt begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What.
    pub content: Content,
    /// Members that the message carries as they are.
    pub extra: Map<String, Value>,
}

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The person.
    User,
    /// The AI.
    Assistant,
}

impl Role {
    /// MCP's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::Assistant => "assistant",
        }
    }
}

/// What a prompt comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PromptResult {
    /// What it is for.
    pub description: Option<String>,
    /// The conversation's first turns.
    pub messages: Vec<Message>,
    /// MCP's `_meta`.
    pub meta: Map<String, Value>,
    /// For what later hosts read besides.
    pub extra: Map<String, Value>,
}

impl PromptResult {
    /// The person says this.
    #[must_use]
    pub fn user(content: impl Into<Content>) -> PromptResult {
        PromptResult::default().and(Role::User, content)
    }

    /// One turn more.
    #[must_use]
    pub fn and(mut self, role: Role, content: impl Into<Content>) -> PromptResult {
        self.messages.push(Message {
            role,
            content: content.into(),
            extra: Map::new(),
        });
        self
    }
}

impl From<PromptResult> for End<PromptResult> {
    fn from(result: PromptResult) -> Self {
        End::Complete(result)
    }
}
