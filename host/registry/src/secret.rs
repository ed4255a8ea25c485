//! Text that opens something: a Dify app key, or the code in an app's address.

use std::fmt;

use zeroize::Zeroizing;

/// An app key or an address code. It has no `Display` and no `Serialize`, its `Debug` prints the type's name, and its
/// memory is cleared when it is dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over; the caller keeps no copy if it passes its only `String`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself. A call of this is a place to look at in a review: the answer must not reach a log, an error or
    /// a client that did not bring it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_the_name_of_the_type_alone() {
        assert_eq!(
            format!("{:?}", Some(Secret::new("app-1234"))),
            "Some(Secret)"
        );
    }
}
