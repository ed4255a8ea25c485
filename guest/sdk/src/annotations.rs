use serde_json::{Map, Value};

/// MCP's hints on what a tool does; clients use them to decide whether to ask a person first. Unset is MCP's default,
/// which is the cautious one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Annotations(Map<String, Value>);

impl Annotations {
    /// No hints.
    #[must_use]
    pub fn new() -> Annotations {
        Annotations::default()
    }

    /// The tool changes nothing (`readOnlyHint`; unset means it may).
    #[must_use]
    pub fn read_only(self, hint: bool) -> Annotations {
        self.set("readOnlyHint", hint)
    }

    /// The tool may destroy, not only add (`destructiveHint`; unset means it may).
    #[must_use]
    pub fn destructive(self, hint: bool) -> Annotations {
        self.set("destructiveHint", hint)
    }

    /// A second call with the same arguments changes nothing more (`idempotentHint`; unset means it does).
    #[must_use]
    pub fn idempotent(self, hint: bool) -> Annotations {
        self.set("idempotentHint", hint)
    }

    /// The tool reaches into a world that it does not own (`openWorldHint`; unset means it does).
    #[must_use]
    pub fn open_world(self, hint: bool) -> Annotations {
        self.set("openWorldHint", hint)
    }

    /// Any annotation, by MCP's name.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<Value>) -> Annotations {
        self.0.insert(name.to_owned(), value.into());
        self
    }
}

impl From<Annotations> for Value {
    fn from(annotations: Annotations) -> Value {
        Value::Object(annotations.0)
    }
}
