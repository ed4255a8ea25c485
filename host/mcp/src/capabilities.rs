//! What a client declared that it can do.

use serde::Deserialize;
use serde_json::value::RawValue;

/// The capabilities that mean something to a server here. What else a client declares is not kept, so that they fit in a
/// session id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    bits: u8,
}

/// The key under which both sides declare tasks.
pub(crate) const TASKS: &str = "io.modelcontextprotocol/tasks";

impl Capabilities {
    /// Asking a person, with a form.
    pub const ELICITATION: Self = Self { bits: 1 };
    /// Asking a person, by sending them to an address.
    pub const ELICITATION_URL: Self = Self { bits: 2 };
    /// Asking the client's model.
    pub const SAMPLING: Self = Self { bits: 4 };
    /// Asking the client's model, which may use tools.
    pub const SAMPLING_TOOLS: Self = Self { bits: 8 };
    /// Asking for the client's directories.
    pub const ROOTS: Self = Self { bits: 16 };
    /// Following a call as a task (`io.modelcontextprotocol/tasks`).
    pub const TASKS: Self = Self { bits: 32 };

    /// By the name that the specification has for it; none for a name that means nothing here.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "elicitation" => Self::ELICITATION,
            "sampling" => Self::SAMPLING,
            "roots" => Self::ROOTS,
            TASKS => Self::TASKS,
            _ => return None,
        })
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            bits: self.bits | other.bits,
        }
    }

    /// Are all of `needed` among these?
    #[must_use]
    pub const fn has(self, needed: Self) -> bool {
        self.bits & needed.bits == needed.bits
    }

    /// As a `ClientCapabilities` object.
    #[must_use]
    pub fn to_json(self) -> String {
        let mut members = Vec::new();
        match (self.has(Self::ELICITATION), self.has(Self::ELICITATION_URL)) {
            (true, true) => members.push(r#""elicitation":{"form":{},"url":{}}"#),
            (true, false) => members.push(r#""elicitation":{}"#),
            (false, true) => members.push(r#""elicitation":{"url":{}}"#),
            (false, false) => {}
        }
        if self.has(Self::SAMPLING_TOOLS) {
            members.push(r#""sampling":{"tools":{}}"#);
        } else if self.has(Self::SAMPLING) {
            members.push(r#""sampling":{}"#);
        }
        if self.has(Self::ROOTS) {
            members.push(r#""roots":{}"#);
        }
        if self.has(Self::TASKS) {
            members.push(r#""extensions":{"io.modelcontextprotocol/tasks":{}}"#);
        }
        format!("{{{}}}", members.join(","))
    }

    /// As far as it can be read: what is declared in a shape that no version knows is not declared.
    pub(crate) fn read(declared: &RawValue) -> Self {
        #[derive(Default, Deserialize)]
        struct Declared<'a> {
            #[serde(borrow)]
            elicitation: Option<&'a RawValue>,
            #[serde(borrow)]
            sampling: Option<&'a RawValue>,
            #[serde(borrow)]
            roots: Option<&'a RawValue>,
            #[serde(borrow)]
            extensions: Option<&'a RawValue>,
        }
        #[derive(Default, Deserialize)]
        struct Parts<'a> {
            #[serde(borrow)]
            form: Option<&'a RawValue>,
            #[serde(borrow)]
            url: Option<&'a RawValue>,
            #[serde(borrow)]
            tools: Option<&'a RawValue>,
            #[serde(borrow, rename = "io.modelcontextprotocol/tasks")]
            tasks: Option<&'a RawValue>,
        }
        fn parts(member: Option<&RawValue>) -> Option<Parts<'_>> {
            serde_json::from_str(member?.get()).ok()
        }
        let declared: Declared<'_> = serde_json::from_str(declared.get()).unwrap_or_default();
        let mut found = Self::default();
        let mut add = |condition: bool, capability| {
            if condition {
                found = found.and(capability);
            }
        };
        if let Some(elicitation) = parts(declared.elicitation) {
            // An empty object has meant forms since before there was anything else.
            let form = elicitation.form.is_some() || elicitation.url.is_none();
            add(form, Self::ELICITATION);
            add(elicitation.url.is_some(), Self::ELICITATION_URL);
        }
        if let Some(sampling) = parts(declared.sampling) {
            add(true, Self::SAMPLING);
            add(sampling.tools.is_some(), Self::SAMPLING_TOOLS);
        }
        add(parts(declared.roots).is_some(), Self::ROOTS);
        let tasks = parts(declared.extensions).is_some_and(|extensions| extensions.tasks.is_some());
        add(tasks, Self::TASKS);
        found
    }

    pub(crate) fn to_byte(self) -> u8 {
        self.bits
    }

    pub(crate) fn from_byte(bits: u8) -> Self {
        Self { bits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(declared: &str) -> Capabilities {
        Capabilities::read(serde_json::from_str(declared).expect("a test's JSON"))
    }

    #[test]
    fn what_was_declared_is_read_and_said_again() {
        for declared in [
            "{}",
            r#"{"elicitation":{}}"#,
            r#"{"elicitation":{"form":{},"url":{}},"sampling":{"tools":{}},"roots":{}}"#,
            r#"{"elicitation":{"url":{}}}"#,
            r#"{"sampling":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#,
        ] {
            assert_eq!(read(declared).to_json(), declared);
            assert_eq!(
                Capabilities::from_byte(read(declared).to_byte()),
                read(declared)
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_declared() {
        for declared in [
            "[]",
            "7",
            r#"{"elicitation":true}"#,
            r#"{"roots":null,"x":{}}"#,
        ] {
            assert_eq!(read(declared), Capabilities::default(), "{declared}");
        }
    }

    #[test]
    fn one_capability_does_not_stand_for_another() {
        let some = Capabilities::ELICITATION.and(Capabilities::ROOTS);
        assert!(some.has(Capabilities::ROOTS) && !some.has(Capabilities::SAMPLING));
        assert!(!some.has(Capabilities::ROOTS.and(Capabilities::SAMPLING)));
        assert_eq!(Capabilities::named("roots"), Some(Capabilities::ROOTS));
        assert_eq!(Capabilities::named("wings"), None);
    }
}
