//! The answer's text as it grows: bounded, replaceable, and closed for good once Dify has replaced it.

/// Bounded text.
#[derive(Debug)]
pub(crate) struct Text {
    text: String,
    cap: usize,
    truncated: bool,
    pinned: bool,
}

impl Text {
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            text: String::new(),
            cap,
            truncated: false,
            pinned: false,
        }
    }

    /// Adds a delta; gives what of it was kept, if anything.
    pub(crate) fn push(&mut self, delta: &str) -> Option<String> {
        if self.pinned || self.truncated {
            return None;
        }
        let kept = prefix(delta, self.cap - self.text.len());
        self.truncated = kept.len() < delta.len();
        self.text.push_str(kept);
        (!kept.is_empty()).then(|| kept.to_owned())
    }

    /// Puts `text` in the place of everything so far; gives what was kept.
    pub(crate) fn replace(&mut self, text: &str) -> String {
        let kept = prefix(text, self.cap);
        self.truncated = kept.len() < text.len();
        kept.clone_into(&mut self.text);
        self.text.clone()
    }

    /// Nothing but another replacement changes the text from here on: Dify replaces a text that moderation forbids, and
    /// deltas that were already under way are part of what is forbidden.
    pub(crate) fn pin(&mut self) {
        self.pinned = true;
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_pinned(&self) -> bool {
        self.pinned
    }

    /// The text, and whether something of it was dropped.
    pub(crate) fn take(&mut self) -> (String, bool) {
        (std::mem::take(&mut self.text), self.truncated)
    }
}

/// The longest start of `text` that fits `room` bytes and ends between characters.
pub(crate) fn prefix(text: &str, room: usize) -> &str {
    &text[..text.floor_char_boundary(room)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_over_the_cap_ends_between_two_characters_and_says_so() {
        let mut text = Text::new(5);
        assert_eq!(text.push("ab").as_deref(), Some("ab"));
        assert_eq!(text.push("éé").as_deref(), Some("é"));
        assert_eq!(text.push("c"), None, "nothing is put after a hole");
        assert_eq!(text.take(), ("abé".to_owned(), true));
    }

    #[test]
    fn after_a_replacement_the_old_text_cannot_come_back() {
        let mut text = Text::new(50);
        text.push("a secret");
        assert_eq!(text.replace("no"), "no");
        text.pin();
        assert_eq!(text.push(" and its end"), None);
        assert_eq!(text.take(), ("no".to_owned(), false));
    }
}
