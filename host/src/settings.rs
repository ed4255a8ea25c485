//! What the operator sets for one app. The guest is told all of it; this server itself reads the settings here.

use std::collections::BTreeMap;

/// Which conversation a call goes on with that names none.
const CONVERSATION: &str = "conversation";
/// When progress messages show the answer's text.
const PARTIAL_TEXT: &str = "partial_text";

/// The settings that this server reads, and their values beside that of one that is not set.
const KNOWN: [(&str, &[&str]); 2] = [
    (CONVERSATION, &["per-session"]),
    (PARTIAL_TEXT, &["always", "never"]),
];

/// Who sees the answer's text while it grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PartialText {
    /// Whoever asks for it with the request.
    #[default]
    OnRequest,
    /// Everybody who asks for progress.
    Always,
    /// Nobody.
    Never,
}

/// What this server reads of an app's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AppSettings {
    /// Does a client's session go on with its conversation by itself?
    pub per_session: bool,
    /// When progress messages show the answer's text.
    pub partial_text: PartialText,
}

impl AppSettings {
    /// Reads them.
    #[must_use]
    pub fn of(settings: &BTreeMap<String, String>) -> Self {
        let text = |name: &str| settings.get(name).map(String::as_str);
        Self {
            per_session: text(CONVERSATION) == Some("per-session"),
            partial_text: match text(PARTIAL_TEXT) {
                Some("always") => PartialText::Always,
                Some("never") => PartialText::Never,
                _ => PartialText::OnRequest,
            },
        }
    }
}

/// A setting that cannot be. The text names it and says what can.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingFault {
    /// One of this server's, with a value that it does not have.
    #[error("{name} can be {known}, or nothing, which takes it off")]
    Value {
        /// The setting.
        name: String,
        /// Its values.
        known: String,
    },
    /// One that nobody reads.
    #[error("neither this server nor the built-in guest has a setting {name:?}; there are {known}")]
    Unknown {
        /// The setting.
        name: String,
        /// Those that there are.
        known: String,
    },
}

/// Can this be set? Which settings a guest of the operator's own reads, that guest alone knows.
///
/// # Errors
/// [`SettingFault`].
pub fn check(name: &str, value: &str, built_in: bool) -> Result<(), SettingFault> {
    match KNOWN.iter().find(|(known, _)| *known == name) {
        Some((_, values)) if values.contains(&value) => Ok(()),
        Some((_, values)) => Err(SettingFault::Value {
            name: name.to_owned(),
            known: values.join(" or "),
        }),
        None if built_in => Err(SettingFault::Unknown {
            name: name.to_owned(),
            known: KNOWN.map(|(name, _)| name).join(" and "),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_off_and_what_is_set_is_read() {
        assert_eq!(AppSettings::of(&BTreeMap::new()), AppSettings::default());
        let settings = [
            ("conversation".to_owned(), "per-session".to_owned()),
            ("partial_text".to_owned(), "never".to_owned()),
        ];
        let read = AppSettings::of(&settings.into());
        assert!(read.per_session);
        assert_eq!(read.partial_text, PartialText::Never);
    }

    #[test]
    fn a_value_that_is_none_and_a_name_that_nobody_reads_are_refused() {
        for (name, values) in KNOWN {
            for value in values {
                check(name, value, true).expect("it is one of its values");
            }
            let fault = check(name, "perhaps", false).expect_err("no value of it");
            assert!(fault.to_string().contains(values[0]), "{fault}");
        }
        let fault = check("tone", "dry", true).expect_err("nobody reads it");
        assert!(fault.to_string().contains("partial_text"), "{fault}");
        check("tone", "dry", false).expect("the guest may read it");
    }
}
