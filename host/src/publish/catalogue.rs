//! What a guest offers besides its tools, checked, in the form the registry keeps and clients are shown.

use std::collections::HashSet;

use airlock_sandbox::wit::{prompts, resources};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::manifest::{MAX_JSON, MAX_NAME, MAX_TEXT, is_tool_name};

/// Resources of one app that are listed, and templates.
const MAX_RESOURCES: usize = 256;
/// Prompts of one app: clients show them as a menu.
const MAX_PROMPTS: usize = 64;
/// Arguments of one prompt.
const MAX_ARGUMENTS: usize = 32;
/// Bytes of a URI.
const MAX_URI: usize = 2 << 10;

/// What a guest offers besides its tools. Each object stands as it goes on the wire.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalogue {
    /// What there is to read; absent where the guest exports no resources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// What there is to begin with; absent where the guest exports no prompts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompts: Option<Vec<Map<String, Value>>>,
    /// Can it finish what a person types?
    #[serde(default)]
    pub completions: bool,
}

/// What there is to read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// Resources that are always there.
    pub resources: Vec<Map<String, Value>>,
    /// Resource templates.
    #[serde(default)]
    pub templates: Vec<Map<String, Value>>,
}

impl Catalogue {
    /// The prompt of this name.
    #[must_use]
    pub fn prompt(&self, name: &str) -> Option<&Map<String, Value>> {
        let prompts = self.prompts.iter().flatten();
        prompts
            .into_iter()
            .find(|prompt| prompt.get("name").and_then(Value::as_str) == Some(name))
    }

    /// Is there such a resource template?
    #[must_use]
    pub fn has_template(&self, uri_template: &str) -> bool {
        let resources = self.resources.iter();
        resources
            .flat_map(|resources| &resources.templates)
            .any(|it| it.get("uriTemplate").and_then(Value::as_str) == Some(uri_template))
    }
}

/// What is wrong with a catalogue. For the guest's author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueFault {
    /// Too much to list.
    #[error("the guest describes {count} {what}; {limit} is the most")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// The bound.
        limit: usize,
    },
    /// A name that clients refuse.
    #[error("prompt name {0:?} must be 1 to {MAX_NAME} letters, digits, '_' or '-'")]
    Name(String),
    /// Not something that a client could ask for.
    #[error("{uri:?} is no URI that a client could ask for: {why}")]
    Uri {
        /// Its beginning.
        uri: String,
        /// What is wrong.
        why: &'static str,
    },
    /// Two of a name.
    #[error("two {what} are called {name:?}")]
    Twice {
        /// Of what.
        what: &'static str,
        /// What they share.
        name: String,
    },
    /// A text over its bound.
    #[error("the {what} of {of:?} has {bytes} bytes; {limit} is the most")]
    TooLong {
        /// Whose.
        of: String,
        /// Which text.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// `extra` is no JSON object.
    #[error("the extra of {of:?} is not a JSON object: {why}")]
    Extra {
        /// Whose.
        of: String,
        /// The parser's words.
        why: String,
    },
}

impl Resources {
    /// Checks what a guest described.
    ///
    /// # Errors
    /// The first fault found.
    pub fn from_guest(catalogue: resources::Catalogue) -> Result<Self, CatalogueFault> {
        Ok(Self {
            resources: checked("resources", MAX_RESOURCES, catalogue.resources, entry)?,
            templates: checked(
                "resource templates",
                MAX_RESOURCES,
                catalogue.templates,
                template,
            )?,
        })
    }
}

/// Checks the prompts that a guest described.
///
/// # Errors
/// The first fault found.
pub fn prompts_from_guest(
    catalogue: prompts::Catalogue,
) -> Result<Vec<Map<String, Value>>, CatalogueFault> {
    checked("prompts", MAX_PROMPTS, catalogue.prompts, prompt)
}

/// Each item as it goes on the wire, with the key that no two may share.
fn checked<T>(
    what: &'static str,
    limit: usize,
    items: Vec<T>,
    check: impl Fn(T) -> Result<(String, Map<String, Value>), CatalogueFault>,
) -> Result<Vec<Map<String, Value>>, CatalogueFault> {
    let count = items.len();
    if count > limit {
        return Err(CatalogueFault::TooMany { what, count, limit });
    }
    let mut keys = HashSet::new();
    let mut checked = Vec::with_capacity(count);
    for item in items {
        let (key, json) = check(item)?;
        if !keys.insert(key.clone()) {
            return Err(CatalogueFault::Twice { what, name: key });
        }
        checked.push(json);
    }
    Ok(checked)
}

fn entry(entry: resources::Entry) -> Result<(String, Map<String, Value>), CatalogueFault> {
    uri(&entry.uri)?;
    let mut object = Object::new(&entry.uri);
    object.text("uri", Some(entry.uri.clone()))?;
    object.text("name", Some(entry.name))?;
    object.text("title", entry.title)?;
    object.text("description", entry.description)?;
    object.text("mimeType", entry.mime_type)?;
    Ok((entry.uri.clone(), object.with(&entry.extra)?))
}

fn template(template: resources::Template) -> Result<(String, Map<String, Value>), CatalogueFault> {
    uri(&template.uri_template)?;
    let mut object = Object::new(&template.uri_template);
    object.text("uriTemplate", Some(template.uri_template.clone()))?;
    object.text("name", Some(template.name))?;
    object.text("title", template.title)?;
    object.text("description", template.description)?;
    object.text("mimeType", template.mime_type)?;
    Ok((template.uri_template.clone(), object.with(&template.extra)?))
}

fn prompt(prompt: prompts::Prompt) -> Result<(String, Map<String, Value>), CatalogueFault> {
    if !is_tool_name(&prompt.name) {
        return Err(CatalogueFault::Name(beginning(&prompt.name)));
    }
    let mut object = Object::new(&prompt.name);
    object.text("name", Some(prompt.name.clone()))?;
    object.text("title", prompt.title)?;
    object.text("description", prompt.description)?;
    if !prompt.arguments.is_empty() {
        let arguments = checked("arguments", MAX_ARGUMENTS, prompt.arguments, argument)?;
        object.json.insert("arguments".into(), arguments.into());
    }
    Ok((prompt.name.clone(), object.with(&prompt.extra)?))
}

fn argument(argument: prompts::Argument) -> Result<(String, Map<String, Value>), CatalogueFault> {
    let mut object = Object::new(&argument.name);
    object.text("name", Some(argument.name.clone()))?;
    object.text("title", argument.title)?;
    object.text("description", argument.description)?;
    object
        .json
        .insert("required".into(), argument.required.into());
    Ok((argument.name.clone(), object.with(&argument.extra)?))
}

/// A client sends it back as it stands, in a header too.
fn uri(uri: &str) -> Result<(), CatalogueFault> {
    let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let why = if uri.len() > MAX_URI {
        "it is too long"
    } else if !is_scheme {
        "it has no scheme"
    } else if uri
        .chars()
        .any(|letter| letter.is_control() || letter == ' ')
    {
        "it has spaces or control characters"
    } else {
        return Ok(());
    };
    let uri = beginning(uri);
    Err(CatalogueFault::Uri { uri, why })
}

/// A hostile name must not fill a log.
fn beginning(name: &str) -> String {
    name.chars().take(MAX_NAME).collect()
}

/// An item on its way to the wire.
struct Object {
    of: String,
    json: Map<String, Value>,
}

impl Object {
    fn new(of: &str) -> Self {
        Self {
            of: beginning(of),
            json: Map::new(),
        }
    }

    fn text(&mut self, what: &'static str, text: Option<String>) -> Result<(), CatalogueFault> {
        let Some(text) = text else { return Ok(()) };
        self.bounded(what, &text, MAX_TEXT)?;
        self.json.insert(what.into(), text.into());
        Ok(())
    }

    /// What the contract has a field for is said there.
    fn with(mut self, extra: &str) -> Result<Map<String, Value>, CatalogueFault> {
        self.bounded("extra", extra, MAX_JSON)?;
        let extra: Map<String, Value> =
            serde_json::from_str(extra).map_err(|error| CatalogueFault::Extra {
                of: self.of.clone(),
                why: error.to_string(),
            })?;
        for (key, value) in extra {
            self.json.entry(key).or_insert(value);
        }
        Ok(self.json)
    }

    fn bounded(&self, what: &'static str, text: &str, limit: usize) -> Result<(), CatalogueFault> {
        if text.len() <= limit {
            return Ok(());
        }
        Err(CatalogueFault::TooLong {
            of: self.of.clone(),
            what,
            bytes: text.len(),
            limit,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resource(uri: &str) -> resources::Entry {
        resources::Entry {
            uri: uri.into(),
            name: "n".into(),
            title: None,
            description: None,
            mime_type: Some("text/plain".into()),
            extra: r#"{"size": 3, "uri": "other:"}"#.into(),
        }
    }

    fn list(resources: Vec<resources::Entry>) -> Result<Resources, CatalogueFault> {
        Resources::from_guest(resources::Catalogue {
            resources,
            templates: vec![],
            extra: "{}".into(),
        })
    }

    #[test]
    fn a_resource_goes_on_the_wire_with_what_the_contract_has_no_field_for() {
        let list = list(vec![resource("a:b")]).expect("a good list");
        assert_eq!(
            Value::from(list.resources[0].clone()),
            json!({"uri": "a:b", "name": "n", "mimeType": "text/plain", "size": 3})
        );
    }

    #[test]
    fn a_faulty_list_is_refused_by_name() {
        for uri in [
            "",
            "no-scheme",
            "1a:b",
            "a:b c",
            "a:\n",
            &format!("a:{}", "b".repeat(MAX_URI)),
        ] {
            assert!(
                matches!(list(vec![resource(uri)]), Err(CatalogueFault::Uri { .. })),
                "{uri}"
            );
        }
        let twice = list(vec![resource("a:b"), resource("a:b")]);
        assert!(matches!(twice, Err(CatalogueFault::Twice { .. })));
        let many = (0..=MAX_RESOURCES).map(|n| resource(&format!("a:{n}")));
        assert!(matches!(
            list(many.collect()),
            Err(CatalogueFault::TooMany { .. })
        ));
    }

    #[test]
    fn a_prompt_has_a_name_that_clients_take_as_a_command() {
        let prompt = |name: &str| prompts::Prompt {
            name: name.into(),
            title: None,
            description: None,
            arguments: vec![],
            extra: "{}".into(),
        };
        let described = |prompts| {
            let extra = "{}".into();
            prompts_from_guest(prompts::Catalogue { prompts, extra })
        };
        assert_eq!(
            described(vec![prompt("a b")]),
            Err(CatalogueFault::Name("a b".into()))
        );
        assert_eq!(
            described(vec![prompt("begin")]).map(|list| list.len()),
            Ok(1)
        );
    }
}
