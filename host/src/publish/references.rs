//! How much following a schema's references comes to.
//!
//! A schema of some kilobytes can refer to itself so that comparing one value with it takes for ever, or more stack than a
//! thread has; a validator does what it is told. So references are bounded before anything is compiled.

use std::collections::{HashMap, HashSet};

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// Schemas that one value may have to be compared with, all references followed.
const MAX_WORK: usize = 10_000;
/// How many of them may follow from one another.
const MAX_CHAIN: usize = 32;
/// Levels of the schema and of all that it refers to, together.
const MAX_LEVELS: usize = 1_000;

/// Keywords whose schemas are for the same value, not for a part of it.
const HERE: [&str; 9] = [
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentSchemas",
    "dependencies",
];
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// # Errors
/// What is too much.
pub(super) fn check(schema: &Map<String, Value>) -> Result<(), String> {
    let root = Value::Object(schema.clone());
    let mut found = Found::default();
    found.look_through(&root, true)?;
    if found.references.is_empty() {
        return Ok(());
    }
    let levels = found.references.iter().filter_map(|reference| {
        let target = found.target(&root, reference)?;
        Some((std::ptr::from_ref(target), levels(target)))
    });
    let levels: HashMap<_, _> = levels.collect();
    if levels.values().sum::<usize>() > MAX_LEVELS {
        return Err(format!(
            "what it refers to has more than {MAX_LEVELS} levels in all"
        ));
    }
    let mut walk = Walk {
        found: &found,
        root: &root,
        work: HashMap::new(),
    };
    for &schema in &found.schemas {
        walk.work(schema, 0)?;
    }
    Ok(())
}

/// What stands in a schema.
#[derive(Default)]
struct Found<'a> {
    schemas: Vec<&'a Value>,
    references: HashSet<&'a str>,
    anchors: HashMap<&'a str, &'a Value>,
}

impl<'a> Found<'a> {
    fn look_through(&mut self, value: &'a Value, is_root: bool) -> Result<(), String> {
        match value {
            Value::Array(items) => items
                .iter()
                .try_for_each(|item| self.look_through(item, false)),
            Value::Object(members) => {
                self.schemas.push(value);
                let text = |key: &str| members.get(key).and_then(Value::as_str);
                // References inside of it would start from elsewhere.
                if !is_root && text("$id").is_some() {
                    return Err("only the whole schema can have an $id".into());
                }
                self.references
                    .extend(REFERENCES.iter().filter_map(|key| text(key)));
                let anchors = ["$anchor", "$dynamicAnchor"].into_iter().filter_map(text);
                self.anchors.extend(anchors.map(|anchor| (anchor, value)));
                members
                    .values()
                    .try_for_each(|member| self.look_through(member, false))
            }
            _ => Ok(()),
        }
    }

    /// What a reference leads to; `None` where that is not in this schema.
    fn target(&self, root: &'a Value, reference: &str) -> Option<&'a Value> {
        let fragment = reference.strip_prefix('#')?;
        let fragment = percent_decode_str(fragment).decode_utf8().ok()?;
        if fragment.is_empty() || fragment.starts_with('/') {
            root.pointer(&fragment)
        } else {
            self.anchors.get(&*fragment).copied()
        }
    }
}

/// Arrays and objects inside one another. serde_json has read them, so there are fewer than 128.
fn levels(value: &Value) -> usize {
    let inner: Option<usize> = match value {
        Value::Array(items) => items.iter().map(levels).max(),
        Value::Object(members) => members.values().map(levels).max(),
        _ => return 0,
    };
    1 + inner.unwrap_or(0)
}

struct Walk<'a> {
    found: &'a Found<'a>,
    root: &'a Value,
    /// `None` while it is being looked at.
    work: HashMap<*const Value, Option<usize>>,
}

impl<'a> Walk<'a> {
    /// How many schemas a value is compared with that is compared with this one.
    fn work(&mut self, schema: &'a Value, chain: usize) -> Result<usize, String> {
        let Value::Object(members) = schema else {
            return Ok(1);
        };
        match self.work.get(&std::ptr::from_ref(schema)) {
            Some(Some(work)) => return Ok(*work),
            Some(None) => return Err("it refers to itself for the same value".into()),
            None => {}
        }
        if chain > MAX_CHAIN {
            return Err(format!(
                "more than {MAX_CHAIN} schemas for the same value follow from one another"
            ));
        }
        self.work.insert(std::ptr::from_ref(schema), None);
        let mut work: usize = 1;
        for (key, member) in members {
            let key = key.as_str();
            if HERE.contains(&key) {
                let parts: Vec<&Value> = match member {
                    Value::Array(parts) => parts.iter().collect(),
                    Value::Object(parts) if key.starts_with("depend") => parts.values().collect(),
                    one => vec![one],
                };
                for part in parts {
                    work = work.saturating_add(self.work(part, chain + 1)?);
                }
            } else if REFERENCES.contains(&key)
                && let Some(reference) = member.as_str()
                && let Some(target) = self.found.target(self.root, reference)
            {
                work = work.saturating_add(self.work(target, chain + 1)?);
            }
        }
        if work > MAX_WORK {
            return Err(format!(
                "one value would be compared with more than {MAX_WORK} schemas"
            ));
        }
        self.work.insert(std::ptr::from_ref(schema), Some(work));
        Ok(work)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(schema: Value) -> Result<(), String> {
        check(schema.as_object().expect("an object"))
    }

    #[test]
    fn references_to_parts_of_the_value_are_followed_as_far_as_it_goes() {
        let tree = json!({"$ref": "#/$defs/node", "$defs": {"node": {
            "properties": {"left": {"$ref": "#/$defs/node"}, "right": {"$ref": "#/$defs/node"}}
        }}});
        assert_eq!(judged(tree), Ok(()));
        let named =
            json!({"items": {"$ref": "#it"}, "$defs": {"a": {"$anchor": "it", "type": "string"}}});
        assert_eq!(judged(named), Ok(()));
    }

    #[test]
    fn references_that_come_back_for_the_same_value_are_refused() {
        for circle in [
            json!({"$ref": "#"}),
            json!({"$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}}),
            json!({"properties": {"x": {"$anchor": "x", "anyOf": [{"$dynamicRef": "#x"}]}}}),
        ] {
            let refusal = judged(circle.clone()).expect_err("a circle");
            assert!(refusal.contains("itself"), "{circle}: {refusal}");
        }
    }

    #[test]
    fn references_that_multiply_or_go_too_deep_are_refused() {
        let chained = |links: usize, step: fn(Value) -> Value| {
            let mut defs = Map::new();
            for link in 0..links {
                let next = json!({"$ref": format!("#/$defs/s{}", link + 1)});
                defs.insert(format!("s{link}"), step(next));
            }
            defs.insert(format!("s{links}"), json!({"minProperties": 0}));
            judged(json!({"$ref": "#/$defs/s0", "$defs": defs}))
        };
        let twice = |next: Value| json!({"allOf": [next.clone(), next]});
        assert_eq!(chained(5, twice), Ok(()));
        let refusal = chained(14, twice).expect_err("16,384 of them");
        assert!(refusal.contains("10000 schemas"), "{refusal}");
        let refusal = chained(40, |next| json!({"not": next})).expect_err("a long chain");
        assert!(refusal.contains("follow from one another"), "{refusal}");
        let inside = |next: Value| json!({"properties": {"x": next}});
        assert_eq!(chained(100, inside), Ok(()));
        let refusal = chained(400, inside).expect_err("a deep one");
        assert!(refusal.contains("1000 levels"), "{refusal}");
    }
}
