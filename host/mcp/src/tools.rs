//! What `tools/list` answers: bytes made once, one set for each version.

use std::{borrow::Cow, collections::HashSet, fmt};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::value::RawValue;

use crate::{Version, envelope::text};

/// An address's tools, ready to be listed. A clone shares the bytes.
#[derive(Clone, Debug)]
pub struct Tools {
    /// The result of `tools/list`, in the order of `Version::ALL`.
    lists: [Bytes; Version::ALL.len()],
}

/// A tool that no client could be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToolsError {
    /// The tool at this place is no JSON object with unique members.
    #[error("tool {0} of the list is no JSON object, or names a member twice")]
    NoObject(usize),
    /// The tool at this place has no name.
    #[error("tool {0} of the list has no name")]
    NoName(usize),
    /// Two tools share this name.
    #[error("two tools are named {0:?}")]
    SameName(String),
}

impl Tools {
    /// Takes tools in the shape of 2025-11-25. Older versions get them without the members that they do not know;
    /// members that no version knows stay, and so do the order of members and the spelling of their values.
    ///
    /// # Errors
    /// When a tool is no object, has no name, or has another's name.
    pub fn new(tools: &[Box<RawValue>]) -> Result<Self, ToolsError> {
        let mut names = HashSet::new();
        let mut read = Vec::with_capacity(tools.len());
        for (place, tool) in tools.iter().enumerate() {
            let tool: Members<'_> =
                serde_json::from_str(tool.get()).map_err(|_error| ToolsError::NoObject(place))?;
            let name = tool
                .get("name")
                .and_then(text)
                .ok_or(ToolsError::NoName(place))?;
            if !names.insert(name.clone()) {
                return Err(ToolsError::SameName(name.into_owned()));
            }
            read.push(tool);
        }
        let lists = Version::ALL.map(|version| {
            #[derive(Serialize)]
            struct List<'a> {
                tools: Vec<Members<'a>>,
            }
            let tools = read.iter().map(|tool| tool.known_to(version)).collect();
            Bytes::from(serde_json::to_vec(&List { tools }).expect("raw JSON and strings are JSON"))
        });
        Ok(Self { lists })
    }

    /// The result of `tools/list`: `{"tools":[…]}`.
    pub fn list(&self, version: Version) -> &Bytes {
        &self.lists[version as usize]
    }
}

/// An object's members in their order, values as text.
#[derive(Clone, Debug)]
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0
            .iter()
            .find(|(member, _)| member == name)
            .map(|(_, value)| *value)
    }

    fn known_to(&self, version: Version) -> Self {
        let known = self.0.iter().filter(|(name, value)| match name.as_ref() {
            "annotations" => version >= Version::V2025_03_26,
            "title" => version >= Version::V2025_06_18,
            // Until 2026-07-28 structured output is an object, and so must its schema say.
            "outputSchema" => version >= Version::V2025_06_18 && describes_object(value),
            "execution" | "icons" => version >= Version::V2025_11_25,
            _ => true,
        });
        Self(known.cloned().collect())
    }
}

fn describes_object(schema: &RawValue) -> bool {
    serde_json::from_str::<Members<'_>>(schema.get())
        .is_ok_and(|schema| schema.get("type").and_then(text).as_deref() == Some("object"))
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    if members.iter().any(|(other, _)| *other == name) {
                        return Err(serde::de::Error::custom("a member is named twice"));
                    }
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// A key, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools(tools: &[&str]) -> Result<Tools, ToolsError> {
        let raw = |tool: &&str| RawValue::from_string((*tool).to_owned()).expect("a test's JSON");
        Tools::new(&tools.iter().map(raw).collect::<Vec<_>>())
    }

    const FULL: &str = concat!(
        r#"{"zeta":1.0,"name":"run","title":"Run","description":"d","inputSchema":{"type":"object","#,
        r#""properties":{"b":{},"a":{}}},"outputSchema":{"type":"object"},"annotations":{"readOnlyHint":true},"#,
        r#""execution":{"taskSupport":"optional"},"icons":[],"_meta":{"k":1e400}}"#
    );

    #[test]
    fn each_version_lists_the_members_it_knows_and_those_that_nobody_knows() {
        let tools = tools(&[FULL]).expect("a tool");
        let without = |parts: &[&str]| {
            let tool = parts
                .iter()
                .fold(FULL.to_owned(), |tool, part| tool.replace(part, ""));
            format!(r#"{{"tools":[{tool}]}}"#)
        };
        let newest = [
            r#""execution":{"taskSupport":"optional"},"#,
            r#""icons":[],"#,
        ];
        let newer = [r#""title":"Run","#, r#""outputSchema":{"type":"object"},"#];
        let new = [r#""annotations":{"readOnlyHint":true},"#];
        assert_eq!(tools.list(Version::V2025_11_25), without(&[]).as_bytes());
        assert_eq!(
            tools.list(Version::V2025_06_18),
            without(&newest).as_bytes()
        );
        assert_eq!(
            tools.list(Version::V2025_03_26),
            without(&[&newest[..], &newer].concat()).as_bytes()
        );
        assert_eq!(
            tools.list(Version::V2024_11_05),
            without(&[&newest[..], &newer, &new].concat()).as_bytes()
        );
    }

    #[test]
    fn an_output_schema_of_anything_but_an_object_is_not_listed() {
        let list = tools(&[r#"{"name":"a","outputSchema":{"type":"array"}}"#]).expect("a tool");
        assert_eq!(
            list.list(Version::V2025_11_25),
            br#"{"tools":[{"name":"a"}]}"#.as_slice()
        );
    }

    #[test]
    fn tools_that_cannot_be_listed_are_refused() {
        let error = |list: &[&str]| tools(list).expect_err("must be refused");
        assert_eq!(error(&["[]"]), ToolsError::NoObject(0));
        assert_eq!(
            error(&[r#"{"name":"a"}"#, r#"{"name":"b","x":1,"x":2}"#]),
            ToolsError::NoObject(1)
        );
        assert_eq!(error(&[r#"{"name":1}"#]), ToolsError::NoName(0));
        assert_eq!(
            error(&[r#"{"name":"a"}"#, r#"{"name":"\u0061"}"#]),
            ToolsError::SameName("a".to_owned())
        );
        assert_eq!(
            tools(&[]).expect("no tools").list(Version::LATEST),
            br#"{"tools":[]}"#.as_slice()
        );
    }
}
