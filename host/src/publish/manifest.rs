//! A guest's manifest, checked: what `describe` answered, in the form the registry keeps.

use std::collections::HashSet;

use airlock_sandbox::wit;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::catalogue::Catalogue;
use super::files::FileInput;
use super::schema;

/// Tools of one app. More would not fit any client's context.
const MAX_TOOLS: usize = 64;
/// Characters of a tool's name: what Claude, Cursor and the OpenAI API accept.
pub const MAX_NAME: usize = 64;
/// Bytes of a description or of the instructions.
pub(super) const MAX_TEXT: usize = 16 << 10;
/// Bytes of a schema, or of the rest of a tool's JSON.
pub(super) const MAX_JSON: usize = 256 << 10;

/// What a guest offers for one app.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// MCP's `instructions`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// In the guest's order.
    pub tools: Vec<Tool>,
    /// What it offers besides.
    #[serde(default)]
    pub catalogue: Catalogue,
}

/// One tool, in the guest's words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// The guest's name for it; the operator's may differ.
    pub name: String,
    /// What a person reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What an AI reads.
    pub description: String,
    /// JSON Schema 2020-12 of type `object`.
    pub input_schema: Map<String, Value>,
    /// JSON Schema of the structured result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Map<String, Value>>,
    /// MCP's annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Map<String, Value>>,
    /// Client capabilities without which a call makes no sense.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    /// May it become a task?
    #[serde(default)]
    pub task: bool,
    /// Members added to the tool as they are.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// What is wrong with a manifest. The text names the tool and is for the guest's author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestFault {
    /// Nothing to call.
    #[error("the guest describes no tool")]
    NoTools,
    /// Too much to list.
    #[error("the guest describes {0} tools; {MAX_TOOLS} is the most")]
    TooManyTools(usize),
    /// A name that clients refuse.
    #[error("tool name {0:?} must be 1 to {MAX_NAME} letters, digits, '_' or '-'")]
    Name(String),
    /// Two of a name.
    #[error("two tools are named {0:?}")]
    Twice(String),
    /// A text over its bound.
    #[error("the {what} of tool {tool:?} has {bytes} bytes; {limit} is the most")]
    TooLong {
        /// The tool.
        tool: String,
        /// Which text.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// JSON that is none, or not an object.
    #[error("the {what} of tool {tool:?} is not a JSON object: {why}")]
    Json {
        /// The tool.
        tool: String,
        /// Which text.
        what: &'static str,
        /// The parser's words.
        why: String,
    },
    /// A schema that does not compile.
    #[error("the {what} of tool {tool:?} is not a usable JSON Schema: {why}")]
    Schema {
        /// The tool.
        tool: String,
        /// Which schema.
        what: &'static str,
        /// What the compiler says.
        why: String,
    },
}

/// Is this a tool name that every client takes?
#[must_use]
pub fn is_tool_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

impl Manifest {
    /// Checks the tools that a guest described.
    ///
    /// # Errors
    /// The first fault found; nothing of a faulty manifest is published.
    pub fn from_guest(manifest: wit::Manifest) -> Result<Self, ManifestFault> {
        match manifest.tools.len() {
            0 => return Err(ManifestFault::NoTools),
            n if n > MAX_TOOLS => return Err(ManifestFault::TooManyTools(n)),
            _ => {}
        }
        let mut names = HashSet::new();
        let tools = manifest
            .tools
            .into_iter()
            .map(|tool| {
                let tool = check_tool(tool)?;
                if names.insert(tool.name.clone()) {
                    Ok(tool)
                } else {
                    Err(ManifestFault::Twice(tool.name))
                }
            })
            .collect::<Result<_, _>>()?;
        if let Some(text) = &manifest.instructions {
            bounded("(instructions)", "instructions", text, MAX_TEXT)?;
        }
        Ok(Self {
            instructions: manifest.instructions,
            tools,
            catalogue: Catalogue::default(),
        })
    }
}

fn check_tool(tool: wit::Tool) -> Result<Tool, ManifestFault> {
    let name = tool.name;
    if !is_tool_name(&name) {
        // A hostile name must not fill a log.
        return Err(ManifestFault::Name(name.chars().take(MAX_NAME).collect()));
    }
    bounded(&name, "description", &tool.description, MAX_TEXT)?;
    if let Some(title) = &tool.title {
        bounded(&name, "title", title, MAX_TEXT)?;
    }
    let input_schema = object(&name, "input schema", &tool.input_schema)?;
    compiles(&name, "input schema", &input_schema)?;
    FileInput::all(&input_schema).map_err(|why| ManifestFault::Schema {
        tool: name.clone(),
        what: "input schema",
        why,
    })?;
    let output_schema = tool
        .output_schema
        .map(|s| object(&name, "output schema", &s))
        .transpose()?;
    if let Some(schema) = &output_schema {
        compiles(&name, "output schema", schema)?;
    }
    Ok(Tool {
        title: tool.title,
        description: tool.description,
        input_schema,
        output_schema,
        annotations: tool
            .annotations
            .map(|a| object(&name, "annotations", &a))
            .transpose()?,
        requires: tool.requires,
        task: tool.task,
        extra: object(&name, "extra", &tool.extra)?,
        name,
    })
}

fn bounded(tool: &str, what: &'static str, text: &str, limit: usize) -> Result<(), ManifestFault> {
    if text.len() <= limit {
        return Ok(());
    }
    Err(ManifestFault::TooLong {
        tool: tool.into(),
        what,
        bytes: text.len(),
        limit,
    })
}

fn object(tool: &str, what: &'static str, text: &str) -> Result<Map<String, Value>, ManifestFault> {
    bounded(tool, what, text, MAX_JSON)?;
    serde_json::from_str(text).map_err(|error| ManifestFault::Json {
        tool: tool.into(),
        what,
        why: error.to_string(),
    })
}

fn compiles(
    tool: &str,
    what: &'static str,
    schema: &Map<String, Value>,
) -> Result<(), ManifestFault> {
    let fault = |why| ManifestFault::Schema {
        tool: tool.into(),
        what,
        why,
    };
    schema::of_object(schema).map(drop).map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &str, input_schema: &str) -> wit::Tool {
        wit::Tool {
            name: name.into(),
            title: None,
            description: "Echoes.".into(),
            input_schema: input_schema.into(),
            output_schema: None,
            annotations: None,
            requires: vec![],
            task: false,
            extra: "{}".into(),
        }
    }

    fn fault(tools: Vec<wit::Tool>) -> ManifestFault {
        Manifest::from_guest(wit::Manifest {
            instructions: None,
            tools,
            extra: "{}".into(),
        })
        .expect_err("the manifest is faulty")
    }

    #[test]
    fn a_faulty_manifest_is_refused_by_name() {
        let good = r#"{"type":"object"}"#;
        assert_eq!(fault(vec![]), ManifestFault::NoTools);
        assert_eq!(
            fault(vec![tool("a b", good)]),
            ManifestFault::Name("a b".into())
        );
        assert_eq!(
            fault(vec![tool("a", good), tool("a", good)]),
            ManifestFault::Twice("a".into())
        );
        assert!(matches!(
            fault(vec![tool("a", "[]")]),
            ManifestFault::Json { .. }
        ));
        assert!(matches!(
            fault(vec![tool("a", r#"{"type":"string"}"#)]),
            ManifestFault::Schema { .. }
        ));
        assert!(matches!(
            fault(vec![tool(
                "a",
                r#"{"type":"object","properties":{"x":{"type":"nonsense"}}}"#
            )]),
            ManifestFault::Schema { .. }
        ));
    }

    #[test]
    fn key_order_and_unknown_fields_survive() {
        let schema = r#"{"type":"object","$comment":"kept","properties":{"z":{"type":"string"},"a":{"x-new":1}}}"#;
        let manifest = Manifest::from_guest(wit::Manifest {
            instructions: None,
            tools: vec![tool("a", schema)],
            extra: "{}".into(),
        })
        .expect("a good manifest");
        assert_eq!(
            serde_json::to_string(&manifest.tools[0].input_schema).expect("JSON"),
            schema
        );
    }
}
