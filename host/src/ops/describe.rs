//! What the operator lays over an app: words for a tool, checked against what the guest offers, and bounds of its own.

use std::collections::BTreeMap;

use airlock_registry::{AppRecord, OutputOverlay, Overlay};
use serde_json::Value;

use super::error::OpError;
use super::wire::{Change, Words};
use crate::limits::Limit;
use crate::publish::{Manifest, Published, Tool};

/// The overlay of `app` with `words` added. It is published on trial, so that nothing is stored that cannot be.
///
/// # Errors
/// When the tool or an input is not there, or the result cannot be published.
pub fn overlay(app: &AppRecord, words: Words) -> Result<Overlay, OpError> {
    let manifest: Manifest = serde_json::from_value(app.manifest.clone())
        .map_err(|error| OpError::Stored(error.to_string()))?;
    let tool = which(&manifest, &app.overlay, words.tool.as_deref())?;
    let mut overlay = app.overlay.clone();
    let entry = overlay.tools.entry(tool.name.clone()).or_default();
    words.name.apply(&mut entry.name);
    words.title.apply(&mut entry.title);
    words.description.apply(&mut entry.description);
    match words.output_schema {
        Change::Keep => {}
        Change::Clear => entry.output = None,
        Change::Set(schema) => {
            entry.output = Some(OutputOverlay {
                schema,
                ..OutputOverlay::default()
            });
        }
    }
    for (name, words) in words.inputs {
        // Words for an input that is gone may still be taken back.
        if !inputs(tool).any(|input| input == name) && !entry.properties.contains_key(&name) {
            let known: Vec<&str> = inputs(tool).collect();
            return Err(OpError::NoInput {
                tool: tool.name.clone(),
                input: name,
                known: known.join(", "),
            });
        }
        let property = entry.properties.entry(name.clone()).or_default();
        words.description.apply(&mut property.description);
        words.pinned.apply(&mut property.pinned);
        if property.description.is_none() && property.pinned.is_none() {
            entry.properties.remove(&name);
        }
    }
    Published::new(&manifest, &overlay)?;
    Ok(overlay)
}

/// The overlay of `app` with these bounds of its own; `None` takes one off.
///
/// # Errors
/// When a bound is not one that an app can have.
pub fn limits(app: &AppRecord, changes: BTreeMap<Limit, Option<u64>>) -> Result<Overlay, OpError> {
    let mut overlay = app.overlay.clone();
    for (limit, value) in changes {
        let Some(value) = value else {
            overlay.limits.remove(limit.name());
            continue;
        };
        if !limit.is_per_app() {
            return Err(OpError::NotPerApp(limit));
        }
        if !limit.range().contains(&value) {
            return Err(OpError::Limit { limit, value });
        }
        overlay.limits.insert(limit.name().to_owned(), value);
    }
    Ok(overlay)
}

fn inputs(tool: &Tool) -> impl Iterator<Item = &str> {
    let properties = tool
        .input_schema
        .get("properties")
        .and_then(Value::as_object);
    properties
        .into_iter()
        .flat_map(|properties| properties.keys().map(String::as_str))
}

fn which<'a>(
    manifest: &'a Manifest,
    overlay: &Overlay,
    wanted: Option<&str>,
) -> Result<&'a Tool, OpError> {
    let known = || {
        manifest
            .tools
            .iter()
            .map(|tool| tool.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let Some(wanted) = wanted else {
        return match manifest.tools.as_slice() {
            [tool] => Ok(tool),
            _ => Err(OpError::WhichTool(known())),
        };
    };
    let published = |tool: &&Tool| {
        overlay
            .tools
            .get(&tool.name)
            .and_then(|words| words.name.as_deref())
            == Some(wanted)
    };
    let mut tools = manifest.tools.iter();
    tools
        .find(|tool| tool.name == wanted)
        .or_else(|| manifest.tools.iter().find(published))
        .ok_or_else(|| OpError::NoTool {
            wanted: wanted.to_owned(),
            known: known(),
        })
}
