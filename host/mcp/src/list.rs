//! What a list method answers: bytes made once, one set for each version.

use std::collections::HashSet;

use bytes::Bytes;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;

use crate::{Version, members::Members};

/// One list's results. A clone shares the bytes.
#[derive(Clone, Debug)]
pub(crate) struct List {
    /// In the order of `Version::ALL`.
    results: [Bytes; Version::ALL.len()],
}

/// Something that no client could be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The item at this place is no JSON object with unique members.
    #[error("item {place} of {list} is no JSON object, or names a member twice")]
    NoObject {
        /// The list, as its result names it.
        list: &'static str,
        /// Counted from 0.
        place: usize,
    },
    /// The item at this place lacks what it is asked for by.
    #[error("item {place} of {list} has no {key}")]
    NoKey {
        /// The list, as its result names it.
        list: &'static str,
        /// The member that is missing or no string.
        key: &'static str,
        /// Counted from 0.
        place: usize,
    },
    /// Two items share what they are asked for by.
    #[error("two items of {list} are called {name:?}")]
    SameKey {
        /// The list, as its result names it.
        list: &'static str,
        /// What they share.
        name: String,
    },
    /// A tool's `x-mcp-header` cannot be served.
    #[error("tool {tool:?}: x-mcp-header of {property:?} {why}")]
    Header {
        /// The tool's name.
        tool: String,
        /// The property that has it.
        property: String,
        /// What is wrong.
        why: &'static str,
    },
}

/// How long a modern client may keep a list. Changes are told sooner to those who listen; the others ask again after a
/// minute, which costs neither a guest nor Dify.
pub(crate) const TTL_MS: u32 = 60_000;

impl List {
    /// Takes items in the newest shape. Older versions get them without the members that they do not know; members that no
    /// version knows stay, and so do the order of members and the spelling of their values.
    pub(crate) fn new(
        list: &'static str,
        key: &'static str,
        items: &[Box<RawValue>],
    ) -> Result<Self, ListError> {
        Ok(Self::of_members(list, &read(list, key, items)?))
    }

    pub(crate) fn of_members(list: &'static str, items: &[Members<'_>]) -> Self {
        let results = Version::ALL.map(|version| {
            let cut = Cut {
                list,
                items,
                version,
            };
            Bytes::from(serde_json::to_vec(&cut).expect("raw JSON and strings are JSON"))
        });
        Self { results }
    }

    /// The result for that version.
    pub(crate) fn of(&self, version: Version) -> &Bytes {
        &self.results[version as usize]
    }
}

/// Items with unique keys.
pub(crate) fn read<'a>(
    list: &'static str,
    key: &'static str,
    items: &'a [Box<RawValue>],
) -> Result<Vec<Members<'a>>, ListError> {
    let mut names = HashSet::new();
    let mut read = Vec::with_capacity(items.len());
    for (place, item) in items.iter().enumerate() {
        let item = Members::read(item).ok_or(ListError::NoObject { list, place })?;
        let name = item
            .text(key)
            .ok_or(ListError::NoKey { list, key, place })?;
        if !names.insert(name.clone()) {
            let name = name.into_owned();
            return Err(ListError::SameKey { list, name });
        }
        read.push(item);
    }
    Ok(read)
}

/// One version's result.
struct Cut<'a> {
    list: &'static str,
    items: &'a [Members<'a>],
    version: Version,
}

impl Serialize for Cut<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let items = self.items.iter().map(|item| known_to(self.version, item));
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(self.list, &items.collect::<Vec<_>>())?;
        if self.version.is_modern() {
            map.serialize_entry("resultType", "complete")?;
            map.serialize_entry("ttlMs", &TTL_MS)?;
            // The address is a credential: what stands behind it is for its holders.
            map.serialize_entry("cacheScope", "private")?;
        }
        map.end()
    }
}

fn known_to<'a>(version: Version, item: &Members<'a>) -> Members<'a> {
    item.only(|name, value| match name {
        "annotations" => version >= Version::V2025_03_26,
        "title" => version >= Version::V2025_06_18,
        // Until 2026-07-28 structured output is an object, and so must its schema say.
        "outputSchema" => {
            version.is_modern() || version >= Version::V2025_06_18 && describes_object(value)
        }
        "icons" => version >= Version::V2025_11_25,
        // The tasks of 2025-11-25 are another thing than the extension's, and are not spoken here.
        "execution" => false,
        _ => true,
    })
}

fn describes_object(schema: &RawValue) -> bool {
    Members::read(schema).is_some_and(|schema| schema.text("type").as_deref() == Some("object"))
}
