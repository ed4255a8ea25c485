use serde_json::{Map, Value, json};

use crate::{Annotations, Schema};

/// Everything that a guest offers for one app.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest {
    /// What an AI should know before it picks a tool.
    pub instructions: Option<String>,
    /// The tools, in the order in which clients list them.
    pub tools: Vec<Tool>,
    /// For what later hosts read besides.
    pub extra: Map<String, Value>,
}

impl Manifest {
    /// No tools yet.
    #[must_use]
    pub fn new() -> Manifest {
        Manifest::default()
    }

    /// What an AI should know before it picks a tool.
    #[must_use]
    pub fn instructions(mut self, words: impl Into<String>) -> Manifest {
        self.instructions = Some(words.into());
        self
    }

    /// One tool more.
    #[must_use]
    pub fn tool(mut self, tool: Tool) -> Manifest {
        self.tools.push(tool);
        self
    }
}

/// One MCP tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Letters, digits, `_` and `-`; 64 at most; unique in the manifest. The host refuses others.
    pub name: String,
    /// The name a person reads.
    pub title: Option<String>,
    /// What an AI reads to decide on a call.
    pub description: String,
    /// What the arguments are; an object without properties where nothing is set.
    pub input: Schema,
    /// Where set, every successful result carries structured content that fits it, or the host reports a failure.
    pub output: Option<Schema>,
    /// Hints on what the tool does.
    pub annotations: Option<Annotations>,
    /// Client capabilities without which a call makes no sense: `elicitation`, `sampling`, `roots`.
    pub requires: Vec<String>,
    /// May a long call become a task?
    pub task: bool,
    /// Members that the tool carries as they are: `icons`, `_meta`, what MCP adds later.
    pub extra: Map<String, Value>,
}

impl Tool {
    /// A tool without arguments.
    #[must_use]
    pub fn new(name: impl Into<String>, description: impl Into<String>) -> Tool {
        Tool {
            name: name.into(),
            title: None,
            description: description.into(),
            input: Schema::object(),
            output: None,
            annotations: None,
            requires: Vec::new(),
            task: false,
            extra: Map::new(),
        }
    }

    /// The name a person reads.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Tool {
        self.title = Some(title.into());
        self
    }

    /// What the arguments are: an object.
    #[must_use]
    pub fn input(mut self, schema: Schema) -> Tool {
        self.input = schema;
        self
    }

    /// What the structured content of every successful result is: an object.
    #[must_use]
    pub fn output(mut self, schema: Schema) -> Tool {
        self.output = Some(schema);
        self
    }

    /// Hints on what the tool does.
    #[must_use]
    pub fn annotations(mut self, annotations: Annotations) -> Tool {
        self.annotations = Some(annotations);
        self
    }

    /// A client capability without which a call makes no sense.
    #[must_use]
    pub fn requires(mut self, capability: impl Into<String>) -> Tool {
        self.requires.push(capability.into());
        self
    }

    /// Lets a long call become a task.
    #[must_use]
    pub fn task(mut self) -> Tool {
        self.task = true;
        self
    }

    /// Makes every call a task: who cannot follow tasks cannot call it.
    #[must_use]
    pub fn always_task(self) -> Tool {
        self.task()
            .extra("execution", json!({ "taskSupport": "required" }))
    }

    /// Any other member of the tool.
    #[must_use]
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Tool {
        self.extra.insert(name.into(), value.into());
        self
    }
}
