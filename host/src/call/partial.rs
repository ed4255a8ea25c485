//! The answer's text while it grows, for a person who waits and wants to see it.

use std::sync::Arc;

use crate::files::{CallFiles, LinkPieces};

/// Bytes of the text's end that are shown: what a progress message holds, with the mark before it.
const SHOWN: usize = 1_000;
/// Stands before a text whose beginning is not shown.
const MARK: &str = "… ";

/// What is shown of a text. Links to Dify's files become names, as in the answer itself.
pub(super) struct Partial {
    files: Arc<CallFiles>,
    pieces: LinkPieces,
    shown: String,
    cut: bool,
}

impl Partial {
    pub(super) fn new(files: &Arc<CallFiles>) -> Self {
        Self {
            files: Arc::clone(files),
            pieces: LinkPieces::default(),
            shown: String::new(),
            cut: false,
        }
    }

    /// More of the text. `None` where there is nothing new to show.
    pub(super) fn push(&mut self, text: &str) -> Option<String> {
        let ready = self.pieces.push(text, &self.files);
        if ready.is_empty() {
            return None;
        }
        self.show(&ready)
    }

    /// Another text in the place of all so far, which is not to be seen any more.
    pub(super) fn replace(&mut self, text: &str) -> Option<String> {
        let files = &self.files;
        self.pieces = LinkPieces::default();
        self.shown.clear();
        self.cut = false;
        let clean = files.without_links(text, &mut Vec::new());
        self.show(clean.as_deref().unwrap_or(text))
    }

    fn show(&mut self, text: &str) -> Option<String> {
        self.shown.push_str(text);
        if self.shown.len() > SHOWN {
            let from = self.shown.ceil_char_boundary(self.shown.len() - SHOWN);
            self.shown.drain(..from);
            self.cut = true;
        }
        let mark = if self.cut { MARK } else { "" };
        Some(format!("{mark}{}", self.shown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::testing;

    fn partial() -> Partial {
        Partial::new(&Arc::new(testing::call()))
    }

    #[test]
    fn the_end_of_a_long_text_is_shown_and_not_all_of_it() {
        let mut partial = partial();
        assert_eq!(partial.push("Once ").as_deref(), Some("Once "));
        assert_eq!(partial.push("upon").as_deref(), Some("Once upon"));
        let mut last = String::new();
        for _ in 0..1_000 {
            last = partial.push(" é").expect("more to show");
            assert!(last.len() <= 1024, "{}", last.len());
        }
        assert!(last.starts_with(MARK) && last.ends_with("é é"), "{last}");
    }

    #[test]
    fn what_was_replaced_is_not_shown_again() {
        let mut partial = partial();
        partial.push("a secret");
        assert_eq!(
            partial.replace("I cannot say that.").as_deref(),
            Some("I cannot say that.")
        );
        assert_eq!(
            partial.push(" Sorry.").as_deref(),
            Some("I cannot say that. Sorry.")
        );
    }

    #[test]
    fn a_link_to_a_file_of_dify_s_is_not_shown_in_pieces_either() {
        let mut partial = partial();
        let text = "See ![chart](/files/tools/1.png?timestamp=1&nonce=n&sign=s) here.";
        let mut seen = String::new();
        for piece in text.as_bytes().chunks(5) {
            let piece = std::str::from_utf8(piece).expect("ASCII");
            if let Some(shown) = partial.push(piece) {
                assert!(
                    !shown.contains("/files/") && !shown.contains("sign="),
                    "{shown}"
                );
                seen = shown;
            }
        }
        assert_eq!(seen, "See [chart] here.");
    }
}
