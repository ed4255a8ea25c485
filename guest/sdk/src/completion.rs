use serde_json::{Map, Value};

/// Somebody types, and the client asks how it may go on.
#[derive(Clone, Debug, PartialEq)]
pub struct CompleteRequest {
    /// What is being filled in.
    pub reference: Reference,
    /// The prompt's argument, or the template's variable.
    pub argument: String,
    /// What stands there so far; often empty.
    pub value: String,
    /// The others that have a value.
    pub known: Map<String, Value>,
    /// What later hosts say besides.
    pub extra: Map<String, Value>,
}

impl CompleteRequest {
    /// A question about a prompt's argument: where a test begins.
    #[must_use]
    pub fn prompt(
        prompt: impl Into<String>,
        argument: impl Into<String>,
        value: impl Into<String>,
    ) -> CompleteRequest {
        CompleteRequest {
            reference: Reference::Prompt(prompt.into()),
            argument: argument.into(),
            value: value.into(),
            known: Map::new(),
            extra: Map::new(),
        }
    }
}

/// What is being filled in.
#[derive(Clone, Debug, PartialEq)]
pub enum Reference {
    /// A prompt, by its name.
    Prompt(String),
    /// A resource template, by its URI template.
    Template(String),
    /// What a later contract knows.
    Other(Value),
}

/// How it may go on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Completion {
    /// The best first. The host passes on 100.
    pub values: Vec<String>,
    /// How many there are in all, where that is known.
    pub total: Option<u32>,
    /// Are there more than these?
    pub more: bool,
    /// For what later hosts read besides.
    pub extra: Map<String, Value>,
}

/// The most that MCP lets one answer carry.
const MOST: usize = 100;

impl Completion {
    /// Nothing comes to mind.
    #[must_use]
    pub fn none() -> Completion {
        Completion::default()
    }

    /// Those of `options` that have `typed` in them, whatever its case; those that begin with it come first.
    #[must_use]
    pub fn matching<T: Into<String>>(
        options: impl IntoIterator<Item = T>,
        typed: &str,
    ) -> Completion {
        let typed = typed.trim().to_lowercase();
        let place = |option: &String| option.to_lowercase().find(&typed);
        let mut found: Vec<String> = options.into_iter().map(Into::into).collect();
        found.retain(|option| place(option).is_some());
        found.sort_by_key(|option| place(option) != Some(0));
        let total = found.len();
        found.truncate(MOST);
        Completion {
            more: total > found.len(),
            total: u32::try_from(total).ok(),
            values: found,
            extra: Map::new(),
        }
    }
}
