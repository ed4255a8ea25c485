//! What clients see of an app: the guest's manifest with the operator's overlay on it, ready to serve.

use std::collections::{BTreeMap, HashMap, HashSet};

use airlock_registry::Overlay;
use jsonschema::Validator;
use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

use super::files::FileInput;
use super::manifest::{Manifest, Tool, is_tool_name};
use super::promise::Promise;
use super::{lint, schema};

/// One tool as it is published.
#[derive(Debug)]
pub struct PublishedTool {
    /// The guest's name for it.
    pub guest_name: String,
    /// The tool object of `tools/list`, in the newest shape; older versions are cut from it.
    pub json: Map<String, Value>,
    /// Client capabilities without which the call is refused.
    pub requires: Vec<String>,
    /// The inputs that take files.
    pub files: Vec<FileInput>,
    /// Of what the guest gets: it has references where clients have files.
    input: Validator,
    /// Of the guest's own output schema.
    output: Option<Validator>,
    /// The operator's output schema, which stands in its place.
    pub promise: Option<Promise>,
    pins: Map<String, Value>,
}

impl PublishedTool {
    /// Checks a call's arguments against the published schema and adds the operator's pinned values. Files are handed to
    /// `take`, which gives what the guest gets for them; they may be many megabytes, and are not copied here.
    ///
    /// # Errors
    /// Words that name each wrong field.
    pub fn arguments(
        &self,
        arguments: &str,
        mut take: impl FnMut(&FileInput, &RawValue) -> Result<Option<Value>, String>,
    ) -> Result<Map<String, Value>, String> {
        let mut taken = Map::new();
        for (name, raw) in members(arguments)? {
            let file = self.files.iter().find(|file| file.name == name);
            let value = match file {
                Some(file) if !self.pins.contains_key(&name) => take(file, raw)?,
                _ => Some(serde_json::from_str(raw.get()).map_err(|error| error.to_string())?),
            };
            if let Some(value) = value {
                taken.insert(name, value);
            }
        }
        let value = Value::Object(taken);
        if let Some(findings) = schema::findings(&self.input, &value) {
            return Err(findings);
        }
        let Value::Object(mut arguments) = value else {
            return Err("the arguments must be an object".into());
        };
        for (name, value) in &self.pins {
            let file = self.files.iter().find(|file| file.name == *name);
            let value = match file {
                Some(file) => {
                    let raw = to_raw_value(value).map_err(|error| error.to_string())?;
                    take(file, &raw)?
                }
                None => Some(value.clone()),
            };
            arguments.extend(value.map(|value| (name.clone(), value)));
        }
        Ok(arguments)
    }

    /// Does a structured result keep the promise of the guest's output schema? `None` when it does, or none was made.
    #[must_use]
    pub fn broken_promise(&self, structured: Option<&Value>) -> Option<String> {
        let output = self.output.as_ref()?;
        match structured {
            Some(value) => schema::findings(output, value),
            None => Some("a structured result is missing".into()),
        }
    }
}

/// Everything that clients see of an app.
#[derive(Debug, Default)]
pub struct Published {
    /// MCP's `instructions`.
    pub instructions: Option<String>,
    /// In the guest's order.
    pub tools: Vec<PublishedTool>,
    /// What of the overlay fits nothing any more, a sentence each. It is kept: the form may come back.
    pub unmatched: Vec<String>,
    by_name: HashMap<String, usize>,
}

/// An overlay that cannot be published. The text names the field to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverlayFault {
    /// A name that clients refuse.
    #[error("tool name {0:?} must be 1 to 64 letters, digits, '_' or '-'")]
    Name(String),
    /// Two tools of a name.
    #[error("two tools would be named {0:?}")]
    Twice(String),
    /// A pinned value that the input does not take.
    #[error("the value pinned to input {property:?} of tool {tool:?} does not fit: {why}")]
    Pin {
        /// The tool, in the guest's name.
        tool: String,
        /// The input.
        property: String,
        /// The validator's words.
        why: String,
    },
    /// An output schema that cannot be one.
    #[error("the output schema of tool {tool:?} is not usable: {why}")]
    Output {
        /// The tool, in the guest's name.
        tool: String,
        /// What is wrong with it.
        why: String,
    },
    /// A schema that does not compile with the overlay on it.
    #[error("tool {tool:?} has no usable schema: {why}")]
    Schema {
        /// The tool, in the guest's name.
        tool: String,
        /// The compiler's words.
        why: String,
    },
}

impl Published {
    /// Lays `overlay` over `manifest`.
    ///
    /// # Errors
    /// The first fault of the overlay; nothing is published of a faulty one.
    pub fn new(manifest: &Manifest, overlay: &Overlay) -> Result<Self, OverlayFault> {
        let mut published = Self {
            instructions: manifest.instructions.clone(),
            ..Self::default()
        };
        for (index, tool) in manifest.tools.iter().enumerate() {
            let (name, tool) = published.lay_over(tool, overlay)?;
            if published.by_name.insert(name.clone(), index).is_some() {
                return Err(OverlayFault::Twice(name));
            }
            published.tools.push(tool);
        }
        let known: HashSet<&str> = manifest
            .tools
            .iter()
            .map(|tool| tool.name.as_str())
            .collect();
        for name in overlay
            .tools
            .keys()
            .filter(|name| !known.contains(name.as_str()))
        {
            published.unmatched.push(format!(
                "the guest has no tool {name:?} any more; its texts are kept"
            ));
        }
        Ok(published)
    }

    /// The tool of this published name.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&PublishedTool> {
        self.by_name
            .get(name)
            .and_then(|index| self.tools.get(*index))
    }

    /// For a guest, an object: `tools` has what clients know those tools by that the operator has renamed.
    #[must_use]
    pub fn names(&self) -> String {
        let renamed = self.tools.iter().filter_map(|tool| {
            let name = tool.json.get("name")?;
            (*name != tool.guest_name).then(|| (tool.guest_name.clone(), name.clone()))
        });
        let renamed: Map<String, Value> = renamed.collect();
        if renamed.is_empty() {
            return "{}".into();
        }
        json!({"tools": renamed}).to_string()
    }

    /// `tools/list`, rendered for every version of the protocol.
    ///
    /// # Errors
    /// When a tool cannot be listed: an `x-mcp-header` in its schema that no header can carry, for instance.
    pub fn list(&self) -> Result<airlock_mcp::Tools, airlock_mcp::ListError> {
        let raw = |tool: &PublishedTool| {
            to_raw_value(&tool.json).expect("an object of JSON values is JSON")
        };
        airlock_mcp::Tools::new(&self.tools.iter().map(raw).collect::<Vec<_>>())
    }

    /// What an AI could not use about these tools, a sentence each.
    #[must_use]
    pub fn lint(&self) -> Vec<String> {
        let text = |tool: &PublishedTool, key| {
            tool.json
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        self.tools
            .iter()
            .flat_map(|tool| {
                let empty = Map::new();
                let schema = tool
                    .json
                    .get("inputSchema")
                    .and_then(Value::as_object)
                    .unwrap_or(&empty);
                lint::tool(&text(tool, "name"), &text(tool, "description"), schema)
            })
            .collect()
    }

    fn lay_over(
        &mut self,
        tool: &Tool,
        overlay: &Overlay,
    ) -> Result<(String, PublishedTool), OverlayFault> {
        let words = overlay.tools.get(&tool.name).cloned().unwrap_or_default();
        let name = words.name.unwrap_or_else(|| tool.name.clone());
        if !is_tool_name(&name) {
            return Err(OverlayFault::Name(name));
        }
        let mut input_schema = tool.input_schema.clone();
        let schema_fault = |why| OverlayFault::Schema {
            tool: tool.name.clone(),
            why,
        };
        let files = FileInput::all(&input_schema).map_err(schema_fault)?;
        let mut pins = Map::new();
        let mut pinned = BTreeMap::new();
        for (property, words) in words.properties {
            let Some(Value::Object(schema)) = property_mut(&mut input_schema, &property) else {
                self.unmatched.push(format!(
                    "tool {:?} has no input {property:?} any more; its texts are kept",
                    tool.name
                ));
                continue;
            };
            if let Some(text) = words.description {
                schema.insert("description".into(), text.into());
            }
            if let Some(value) = words.pinned {
                pinned.insert(property, (schema.clone(), value));
            }
        }
        for (property, (schema, value)) in pinned {
            let file = files.iter().find(|file| file.name == property);
            check_pin(&tool.name, &property, &schema, &value, file)?;
            hide(&mut input_schema, &property);
            pins.insert(property, value);
        }
        let compile = |schema: &Map<String, Value>| schema::compile(schema).map_err(schema_fault);
        let input = compile(&input_schema)?;
        let promise = match words.output {
            Some(output) if output.withdrawn => {
                self.unmatched.push(format!(
                    "an answer of tool {:?} did not fit the output schema that was learnt, which is withdrawn: learn it \
                     again, or give one with --output-schema",
                    tool.name
                ));
                None
            }
            Some(output) => Some(Promise::new(&tool.name, output)?),
            None => None,
        };
        let output_schema = match &promise {
            Some(promise) => Some(&promise.schema),
            None => tool.output_schema.as_ref(),
        };
        let json = tool_json(
            tool,
            &name,
            words.title,
            words.description,
            published_schema(input_schema, &files),
            output_schema,
        );
        let own = tool.output_schema.as_ref().filter(|_| promise.is_none());
        let published = PublishedTool {
            guest_name: tool.name.clone(),
            output: own.map(compile).transpose()?,
            files,
            input,
            promise,
            requires: tool.requires.clone(),
            pins,
            json,
        };
        Ok((name, published))
    }
}

/// Files as clients fill them in.
fn published_schema(mut schema: Map<String, Value>, files: &[FileInput]) -> Map<String, Value> {
    files.iter().for_each(|file| file.publish(&mut schema));
    schema
}

/// The members of an object in their order, the last of a name, unread.
fn members(text: &str) -> Result<Vec<(String, &RawValue)>, String> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, &'de RawValue)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(members)
        }
    }
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(Members)
        .map_err(|error| error.to_string())
}

/// Where MCP says whether a call may become a task. The contract has a field for that; how, is the guest's to say here.
const EXECUTION: &str = "execution";

/// The tool object, in the order in which the specification lists its members.
fn tool_json(
    tool: &Tool,
    name: &str,
    title: Option<String>,
    description: Option<String>,
    input_schema: Map<String, Value>,
    output_schema: Option<&Map<String, Value>>,
) -> Map<String, Value> {
    let mut json = Map::new();
    json.insert("name".into(), name.into());
    if let Some(title) = title.or_else(|| tool.title.clone()) {
        json.insert("title".into(), title.into());
    }
    json.insert(
        "description".into(),
        description
            .unwrap_or_else(|| tool.description.clone())
            .into(),
    );
    json.insert("inputSchema".into(), input_schema.into());
    if let Some(schema) = output_schema {
        json.insert("outputSchema".into(), schema.clone().into());
    }
    if let Some(annotations) = &tool.annotations {
        json.insert("annotations".into(), annotations.clone().into());
    }
    for (key, value) in &tool.extra {
        // What the contract has a field for is said there.
        if key != EXECUTION {
            json.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    if tool.task {
        let said = tool.extra.get(EXECUTION).cloned();
        let support = said.unwrap_or_else(|| json!({"taskSupport": "optional"}));
        json.insert(EXECUTION.into(), support);
    }
    json
}

fn property_mut<'a>(schema: &'a mut Map<String, Value>, property: &str) -> Option<&'a mut Value> {
    schema
        .get_mut("properties")?
        .as_object_mut()?
        .get_mut(property)
}

/// Takes a pinned property out of the schema: the caller neither sees nor sends it.
fn hide(schema: &mut Map<String, Value>, property: &str) {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.shift_remove(property);
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name.as_str() != Some(property));
    }
}

fn check_pin(
    tool: &str,
    property: &str,
    schema: &Map<String, Value>,
    value: &Value,
    file: Option<&FileInput>,
) -> Result<(), OverlayFault> {
    let why = match (file, schema::compile(schema)) {
        (Some(file), _) => file.pin_fault(value),
        (None, Ok(validator)) => schema::findings(&validator, value),
        (None, Err(why)) => Some(why),
    };
    why.map_or(Ok(()), |why| {
        Err(OverlayFault::Pin {
            tool: tool.into(),
            property: property.into(),
            why,
        })
    })
}

#[cfg(test)]
mod tests;
