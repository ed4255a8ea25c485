//! How large things may be.
//!
//! Everything but components is held in memory for every app and copied on a change, and most of it comes from Dify or
//! from a guest. The bounds are far above what a real app needs.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::{
    app::{AppFacts, Described},
    error::Error,
    overlay::Overlay,
    secret::Secret,
};

/// Apps in one registry: each holds its facts in memory, and a change copies the index of all.
pub const MAX_APPS: usize = 10_000;
/// Bytes of a Dify app key. Dify's own have 28.
pub const MAX_APP_KEY: usize = 256;
/// Bytes of a name. Dify allows 255 characters.
pub const MAX_NAME: usize = 1024;
/// Bytes of a mode, or of the word that says what a manifest was made from.
pub const MAX_WORD: usize = 256;
/// Bytes of a description.
pub const MAX_DESCRIPTION: usize = 64 * 1024;
/// Bytes of an app's facts, and of a manifest, as JSON.
pub const MAX_JSON: usize = 1024 * 1024;
/// Bytes of an overlay as JSON.
pub const MAX_OVERLAY: usize = 256 * 1024;
/// Settings of one app.
pub const MAX_SETTINGS: usize = 64;
/// Bytes of a setting's name.
pub const MAX_SETTING_NAME: usize = 64;
/// Bytes of a setting's value.
pub const MAX_SETTING_VALUE: usize = 4096;
/// Bytes of a component. A guest in Rust has about 200 KiB, one with a Python runtime inside 40 MiB.
pub const MAX_COMPONENT: usize = 64 * 1024 * 1024;

/// Tasks of one app that are kept at one time.
pub const MAX_TASKS: i64 = 1_000;
/// Bytes of what one task holds: a request and a result of 4 MiB each, and room for what is said of them.
pub const MAX_TASK: usize = 9 * 1024 * 1024;
/// Bytes of what all tasks of one app hold, sealed, but for small ones: a task must always be able to say how it ended.
pub const MAX_TASK_BYTES: i64 = 64 * 1024 * 1024;
/// Bytes of a small task, sealed.
pub const SMALL_TASK: i64 = 4 * 1024;
/// Runs of its app that one call may start, and that are kept of a task.
pub const MAX_TASK_RUNS: usize = 32;
/// Bytes of what is kept of one run: names of it.
pub const MAX_TASK_RUN: usize = 2 * 1024;

fn size(what: &'static str, size: usize, limit: usize) -> Result<(), Error> {
    if size > limit {
        Err(Error::TooLarge { what, size, limit })
    } else {
        Ok(())
    }
}

fn json(what: &'static str, value: &impl Serialize, limit: usize) -> Result<(), Error> {
    let text =
        serde_json::to_vec(value).expect("JSON values and maps with text keys always become text");
    size(what, text.len(), limit)?;
    // serde_json writes what it will not read back: more than 127 arrays and objects inside one another. Stored, that
    // would keep the registry from being opened.
    serde_json::from_slice::<Value>(&text)
        .map(drop)
        .map_err(|_| Error::TooDeep { what })
}

/// The key goes into an `Authorization` header, where only visible ASCII may stand.
pub(crate) fn app_key(key: &Secret) -> Result<(), Error> {
    let text = key.expose();
    let fits =
        (1..=MAX_APP_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(()) } else { Err(Error::BadAppKey) }
}

pub(crate) fn facts(facts: &AppFacts) -> Result<(), Error> {
    size("the app's name", facts.name.len(), MAX_NAME)?;
    size("the app's mode", facts.mode.len(), MAX_WORD)?;
    size(
        "the app's description",
        facts.description.len(),
        MAX_DESCRIPTION,
    )?;
    json("what Dify says of the app", &facts.facts, MAX_JSON)
}

pub(crate) fn described(described: &Described) -> Result<(), Error> {
    size(
        "the digest of what the manifest was made from",
        described.by.len(),
        MAX_WORD,
    )?;
    json("the guest's manifest", &described.manifest, MAX_JSON)
}

pub(crate) fn settings(settings: &BTreeMap<String, String>) -> Result<(), Error> {
    if settings.len() > MAX_SETTINGS {
        return Err(Error::TooMany {
            what: "settings of an app",
            limit: MAX_SETTINGS,
        });
    }
    settings.iter().try_for_each(|(name, value)| {
        size("a setting's name", name.len(), MAX_SETTING_NAME)?;
        size("a setting's value", value.len(), MAX_SETTING_VALUE)
    })
}

pub(crate) fn overlay(overlay: &Overlay) -> Result<(), Error> {
    json("the app's own words and pins", overlay, MAX_OVERLAY)
}

pub(crate) fn component(bytes: &[u8]) -> Result<(), Error> {
    size("the component", bytes.len(), MAX_COMPONENT)
}

pub(crate) fn task(state: &[u8]) -> Result<(), Error> {
    size("the task", state.len(), MAX_TASK)
}

pub(crate) fn task_run(place: usize, run: &[u8]) -> Result<(), Error> {
    if place >= MAX_TASK_RUNS {
        return Err(Error::TooMany {
            what: "runs of a task",
            limit: MAX_TASK_RUNS,
        });
    }
    size("what is kept of a run", run.len(), MAX_TASK_RUN)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(depth: usize) -> Value {
        (0..depth).fold(json!(1), |inner, _| json!([inner]))
    }

    #[test]
    fn json_that_could_not_be_read_back_is_refused() {
        assert!(json("it", &nested(127), MAX_JSON).is_ok());
        assert!(matches!(
            json("it", &nested(128), MAX_JSON),
            Err(Error::TooDeep { what: "it" })
        ));
    }

    #[test]
    fn a_key_that_no_header_can_hold_is_refused() {
        for key in [
            "",
            "app key",
            "app-\n",
            "app-ü",
            &"a".repeat(MAX_APP_KEY + 1),
        ] {
            assert!(
                matches!(app_key(&Secret::new(key)), Err(Error::BadAppKey)),
                "{key}"
            );
        }
        assert!(app_key(&Secret::new("app-6x7Zc1")).is_ok());
    }

    #[test]
    fn too_many_and_too_long_settings_are_told_apart() {
        let many = (0..=MAX_SETTINGS)
            .map(|number| (number.to_string(), String::new()))
            .collect();
        assert!(matches!(settings(&many), Err(Error::TooMany { .. })));
        let long = [("tone".to_owned(), "x".repeat(MAX_SETTING_VALUE + 1))].into();
        assert!(matches!(
            settings(&long),
            Err(Error::TooLarge {
                limit: MAX_SETTING_VALUE,
                ..
            })
        ));
    }
}
