//! What clients would see change, tool by tool.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Catalogue, Published, PublishedTool};

/// From one state of an app to another, as clients see both. Tools are called what clients call them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Difference {
    /// Tools that come.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
    /// Tools that go: who calls them is told that they are unknown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// Tools that have another name: one that goes and one that comes with the same inputs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub renamed: Vec<Renamed>,
    /// Tools that stay, and are not what they were.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<ToolDifference>,
    /// Which of `instructions`, `resources`, `prompts` and `completions` are not what they were.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub besides: Vec<String>,
    /// What of the operator's words would fit nothing any more, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmatched: Vec<String>,
}

/// A tool under another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renamed {
    /// The name it had.
    pub from: String,
    /// The name it would have.
    pub to: String,
}

/// One tool that is not what it was.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolDifference {
    /// Its name.
    pub tool: String,
    /// Inputs that come.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs_added: Vec<String>,
    /// Inputs that go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs_removed: Vec<String>,
    /// Inputs that have another type, description, or anything else of their schema, or are now required or no longer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs_changed: Vec<String>,
    /// Other members of the tool that are not what they were, in MCP's words: `title`, `description`, `outputSchema`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member>,
}

/// A member of a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// What it was; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What it would be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

impl Difference {
    /// What is other in the second of two states.
    #[must_use]
    pub fn between(before: (&Published, &Catalogue), after: (&Published, &Catalogue)) -> Self {
        let ((was, had), (is, has)) = (before, after);
        let mut difference = Self::default();
        let old: HashMap<&str, &PublishedTool> = by_name(was);
        let new: HashMap<&str, &PublishedTool> = by_name(is);
        let mut come: Vec<&PublishedTool> = is
            .tools
            .iter()
            .filter(|tool| !old.contains_key(name(tool)))
            .collect();
        for tool in &was.tools {
            if let Some(now) = new.get(name(tool)) {
                difference.changed.extend(changed(tool, now));
                continue;
            }
            let twin = come
                .iter()
                .position(|new| new.json.get(INPUTS) == tool.json.get(INPUTS));
            match twin {
                Some(twin) => difference.renamed.push(Renamed {
                    from: name(tool).to_owned(),
                    to: name(come.remove(twin)).to_owned(),
                }),
                None => difference.removed.push(name(tool).to_owned()),
            }
        }
        difference.added = come.into_iter().map(|tool| name(tool).to_owned()).collect();
        for (what, same) in [
            ("instructions", was.instructions == is.instructions),
            ("resources", had.resources == has.resources),
            ("prompts", had.prompts == has.prompts),
            ("completions", had.completions == has.completions),
        ] {
            if !same {
                difference.besides.push(what.to_owned());
            }
        }
        let lost = is.unmatched.iter();
        difference.unmatched = lost
            .filter(|words| !was.unmatched.contains(words))
            .cloned()
            .collect();
        difference
    }

    /// Would nobody notice?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

const INPUTS: &str = "inputSchema";

fn name(tool: &PublishedTool) -> &str {
    tool.json
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn by_name(published: &Published) -> HashMap<&str, &PublishedTool> {
    published
        .tools
        .iter()
        .map(|tool| (name(tool), tool))
        .collect()
}

fn changed(was: &PublishedTool, is: &PublishedTool) -> Option<ToolDifference> {
    let mut difference = ToolDifference {
        tool: name(is).to_owned(),
        ..ToolDifference::default()
    };
    let (old, new) = (inputs(was), inputs(is));
    for input in inputs_in_order(is) {
        match old.get(input) {
            None => difference.inputs_added.push(input.to_owned()),
            before if before != new.get(input) => {
                difference.inputs_changed.push(input.to_owned());
            }
            Some(_) => {}
        }
    }
    let gone = inputs_in_order(was).filter(|input| !new.contains_key(input));
    difference.inputs_removed = gone.map(str::to_owned).collect();
    let members = was.json.keys();
    let members = members.chain(is.json.keys().filter(|key| !was.json.contains_key(*key)));
    for member in members.filter(|member| *member != INPUTS) {
        let (from, to) = (was.json.get(member), is.json.get(member));
        if from != to {
            difference.members.push(Member {
                name: member.clone(),
                from: from.cloned(),
                to: to.cloned(),
            });
        }
    }
    let (before, after) = (rest(was), rest(is));
    if before != after {
        difference.members.push(Member {
            name: INPUTS.to_owned(),
            from: Some(before.into()),
            to: Some(after.into()),
        });
    }
    let nothing = ToolDifference {
        tool: difference.tool.clone(),
        ..ToolDifference::default()
    };
    (difference != nothing).then_some(difference)
}

fn schema(tool: &PublishedTool) -> Option<&Map<String, Value>> {
    tool.json.get(INPUTS)?.as_object()
}

fn inputs_in_order(tool: &PublishedTool) -> impl Iterator<Item = &str> {
    let properties = schema(tool).and_then(|schema| schema.get("properties")?.as_object());
    properties
        .into_iter()
        .flat_map(|properties| properties.keys().map(String::as_str))
}

/// Each input's schema, and whether it is required.
fn inputs(tool: &PublishedTool) -> HashMap<&str, (Option<&Value>, bool)> {
    let required = schema(tool).and_then(|schema| schema.get("required")?.as_array());
    let properties = schema(tool).and_then(|schema| schema.get("properties"));
    let about = |input| {
        let must = required.is_some_and(|names| names.iter().any(|name| name == input));
        (properties.and_then(|all| all.get(input)), must)
    };
    inputs_in_order(tool)
        .map(|input| (input, about(input)))
        .collect()
}

/// The input schema without what is said of each input.
fn rest(tool: &PublishedTool) -> Map<String, Value> {
    let mut rest = schema(tool).cloned().unwrap_or_default();
    rest.remove("properties");
    rest.remove("required");
    rest
}

#[cfg(test)]
mod tests {
    use airlock_registry::{Overlay, ToolOverlay};
    use serde_json::json;

    use super::*;
    use crate::publish::{Manifest, Tool};

    fn tool(name: &str, description: &str, inputs: Value, required: Value) -> Tool {
        let schema = json!({"type": "object", "properties": inputs, "required": required});
        serde_json::from_value(
            json!({"name": name, "description": description, "input_schema": schema}),
        )
        .expect("a tool")
    }

    fn manifest(tools: Vec<Tool>) -> Manifest {
        Manifest {
            tools,
            ..Manifest::default()
        }
    }

    fn between(was: &Manifest, is: &Manifest, overlay: &Overlay) -> Difference {
        let published = |manifest| Published::new(manifest, overlay).expect("it can be published");
        Difference::between(
            (&published(was), &was.catalogue),
            (&published(is), &is.catalogue),
        )
    }

    #[test]
    fn each_kind_of_change_is_told() {
        let text = json!({"type": "string"});
        let was = manifest(vec![
            tool("stays", "Same.", json!({"q": text}), json!(["q"])),
            tool("goes", "Goes.", json!({"a": text}), json!([])),
            tool("old_name", "Renamed.", json!({"b": text}), json!([])),
            tool(
                "other",
                "Was.",
                json!({"c": text, "d": text, "e": text}),
                json!(["c"]),
            ),
        ]);
        let mut is = manifest(vec![
            tool("stays", "Same.", json!({"q": text}), json!(["q"])),
            tool("new_name", "Renamed!", json!({"b": text}), json!([])),
            tool(
                "other",
                "Is.",
                json!({"c": text, "d": {"type": "number"}, "f": text}),
                json!([]),
            ),
            tool("comes", "Comes.", json!({}), json!([])),
        ]);
        is.catalogue.completions = true;
        let mut overlay = Overlay::default();
        let words = ToolOverlay {
            title: Some("Gone".into()),
            ..ToolOverlay::default()
        };
        overlay.tools.insert("goes".into(), words);
        let difference = between(&was, &is, &overlay);
        assert_eq!(difference.added, ["comes"]);
        assert_eq!(difference.removed, ["goes"]);
        let renamed = Renamed {
            from: "old_name".into(),
            to: "new_name".into(),
        };
        assert_eq!(difference.renamed, [renamed]);
        let [other] = &difference.changed[..] else {
            panic!("{:?}", difference.changed)
        };
        assert_eq!(other.tool, "other");
        assert_eq!(other.inputs_added, ["f"]);
        assert_eq!(other.inputs_removed, ["e"]);
        assert_eq!(other.inputs_changed, ["c", "d"], "c is no longer required");
        let [description] = &other.members[..] else {
            panic!("{:?}", other.members)
        };
        assert_eq!(description.name, "description");
        assert_eq!(description.to, Some("Is.".into()));
        assert_eq!(difference.besides, ["completions"]);
        assert_eq!(difference.unmatched.len(), 1);
        assert!(difference.unmatched[0].contains("goes"), "{difference:?}");
    }

    #[test]
    fn the_same_again_is_no_change() {
        let text = json!({"type": "string"});
        let same = manifest(vec![tool(
            "same",
            "Same.",
            json!({"q": text}),
            json!(["q"]),
        )]);
        let mut overlay = Overlay::default();
        overlay.tools.insert("gone".into(), ToolOverlay::default());
        let difference = between(&same, &same, &overlay);
        assert!(
            difference.is_empty(),
            "what fitted nothing before is no news: {difference:?}"
        );
    }
}
