//! The word by which people call an app.

/// Longest slug, before the number that tells two apart. Claude Code and others build file and tool names from it.
const MAX: usize = 40;

/// ASCII letters in lower case, digits, and `-` for any run of the rest. Names without any such letter (Chinese, say)
/// fall back to the mode: clients like Claude Code accept only ASCII letters, digits, `-` and `_` in a server's name.
pub(crate) fn slug(name: &str, mode: &str, taken: impl Fn(&str) -> bool) -> String {
    let base = [name, mode]
        .into_iter()
        .map(ascii)
        .find(|word| !word.is_empty())
        .unwrap_or_else(|| "app".to_owned());
    if !taken(&base) {
        return base;
    }
    (2_u32..)
        .map(|number| format!("{base}-{number}"))
        .find(|word| !taken(word))
        .expect("there are far fewer apps than numbers")
}

fn ascii(text: &str) -> String {
    let mut word = String::new();
    for letter in text.chars() {
        if word.len() >= MAX {
            break;
        }
        if letter.is_ascii_alphanumeric() {
            word.push(letter.to_ascii_lowercase());
        } else if !word.is_empty() && !word.ends_with('-') {
            word.push('-');
        }
    }
    word.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_lower_case_words_with_dashes() {
        assert_eq!(
            slug("  Support Bot (v2)! ", "chat", |_| false),
            "support-bot-v2"
        );
    }

    #[test]
    fn a_name_without_ascii_letters_falls_back_to_the_mode() {
        assert_eq!(
            slug("客服助手", "advanced-chat", |_| false),
            "advanced-chat"
        );
        assert_eq!(slug("客服助手", "新", |_| false), "app");
    }

    #[test]
    fn a_taken_word_gets_the_next_free_number() {
        let taken = ["bot", "bot-2"];
        assert_eq!(slug("Bot", "chat", |word| taken.contains(&word)), "bot-3");
    }

    #[test]
    fn a_long_name_is_cut() {
        assert_eq!(slug(&"a".repeat(500), "chat", |_| false).len(), MAX);
    }
}
