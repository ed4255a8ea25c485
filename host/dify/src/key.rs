//! The key of one app: a secret that no log can print.

use std::fmt;
use std::str::FromStr;

use http::HeaderValue;
use zeroize::Zeroizing;

/// Dify stores keys in a column of this width.
const LONGEST: usize = 255;

/// A Service API key, `app-…`. It cannot be printed, and its memory is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct AppKey(Zeroizing<String>);

/// Why a text is no app key. The text itself is never repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing was given.
    #[error("the key is empty; copy it from the app's API Access page in Dify")]
    Empty,
    /// A knowledge key, which opens data sets and not apps.
    #[error(
        "this is a knowledge key (dataset-…); an app needs the key from its own API Access page (app-…)"
    )]
    Dataset,
    /// Some other text.
    #[error(
        "an app key starts with app- and goes on; copy it from the app's API Access page in Dify"
    )]
    NotAppKey,
    /// A space, a line break or another character that no key has.
    #[error("the key holds a character that no key has (a space or a line break?); copy it again")]
    Character,
    /// Longer than any key.
    #[error("the key is longer than {LONGEST} characters; copy it again")]
    TooLong,
}

impl FromStr for AppKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let key = text.trim();
        if key.is_empty() {
            return Err(KeyError::Empty);
        }
        if key.starts_with("dataset-") {
            return Err(KeyError::Dataset);
        }
        if key.strip_prefix("app-").is_none_or(str::is_empty) {
            return Err(KeyError::NotAppKey);
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(KeyError::Character);
        }
        if key.len() > LONGEST {
            return Err(KeyError::TooLong);
        }
        Ok(Self(Zeroizing::new(key.to_owned())))
    }
}

impl AppKey {
    /// The `Authorization` header, marked so that no layer prints it.
    pub(crate) fn bearer(&self) -> HeaderValue {
        let text = Zeroizing::new(format!("Bearer {}", self.0.as_str()));
        let mut value = HeaderValue::from_str(&text).expect("a key is visible ASCII, see from_str");
        value.set_sensitive(true);
        value
    }

    /// For the hash that finds an app's share of the bulkhead.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_key_loses_its_blanks_and_cannot_be_printed() {
        let key: AppKey = "  app-Ab12\n"
            .parse()
            .expect("blanks around a key are trimmed");
        assert_eq!(key.as_bytes(), b"app-Ab12");
        assert_eq!(format!("{key:?}"), "AppKey");
        let header = key.bearer();
        assert!(header.is_sensitive());
        assert!(!format!("{header:?}").contains("Ab12"));
    }

    #[test]
    fn what_is_no_app_key_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", KeyError::Empty),
            (" \n", KeyError::Empty),
            ("dataset-Ab12", KeyError::Dataset),
            ("sk-Ab12", KeyError::NotAppKey),
            ("app-", KeyError::NotAppKey),
            ("app-Ab 12", KeyError::Character),
            ("app-Ab\r\nX: y", KeyError::Character),
            ("app-ключ", KeyError::Character),
        ] {
            assert_eq!(text.parse::<AppKey>(), Err(reason), "{text:?}");
        }
        assert_eq!(
            format!("app-{}", "x".repeat(300)).parse::<AppKey>(),
            Err(KeyError::TooLong)
        );
    }
}
