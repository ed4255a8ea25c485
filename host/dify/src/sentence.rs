//! Dify's own texts, made fit for the caller, and for the log where they may repeat what the caller gave.

use std::fmt::Write as _;

use crate::text::prefix;

/// Most bytes of one of Dify's texts that are passed on.
const LONGEST: usize = 600;

/// One of Dify's texts as a sentence for the caller: short, on one line, without the validator's chatter and
/// without addresses, which would show the inside of the operator's network.
pub(crate) fn sentence(message: &str) -> String {
    // pydantic: a headline, then field and fault in turn, then a link to its manual.
    let told = match message.split_once('\n') {
        Some((_, rest)) if message.contains("errors.pydantic.dev") => rest,
        _ => message,
    };
    let mut words = String::new();
    for line in told
        .lines()
        .filter(|line| !line.contains("errors.pydantic.dev"))
    {
        let line = line.split(" [type=").next().unwrap_or(line);
        for word in line.split_whitespace() {
            let _ = write!(
                words,
                "{}{}",
                if words.is_empty() { "" } else { " " },
                shown(word)
            );
        }
    }
    let mut words = prefix(&words, LONGEST).to_owned();
    if words.is_empty() {
        words.push_str("Dify gives no reason");
    }
    if !words.ends_with(['.', '!', '?']) {
        words.push('.');
    }
    words
}

/// The word itself, or a stand-in for an address.
fn shown(word: &str) -> &str {
    let address = word.contains("://")
        || word.contains("host='")
        || word
            .split(|c: char| !(c.is_ascii_digit() || c == '.'))
            .any(is_ipv4);
    if address { "(address)" } else { word }
}

fn is_ipv4(text: &str) -> bool {
    text.trim_matches('.').parse::<std::net::Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, Ids};

    #[test]
    fn a_validators_text_becomes_one_sentence() {
        let text = "1 validation error for ChatRequestPayload\nconversation_id\n  Value error, conversation_id must be a \
                    valid UUID [type=value_error, input_value='nope', input_type=str]\n    For further information visit \
                    https://errors.pydantic.dev/2.12/v/value_error";
        assert_eq!(
            sentence(text),
            "conversation_id Value error, conversation_id must be a valid UUID."
        );
    }

    #[test]
    fn no_address_reaches_the_caller() {
        for text in [
            "Reached maximum retries (3) for URL http://10.0.0.9/a.txt",
            "HTTPConnectionPool(host='db.internal', port=5432): refused",
            "connect to 172.18.0.4:6379 refused",
        ] {
            let told = Error::RunFailed {
                message: text.to_owned(),
                ids: Ids::default(),
            }
            .caller();
            assert!(told.contains("(address)"), "{told}");
            assert!(
                !told.contains("10.0") && !told.contains("internal") && !told.contains("172."),
                "{told}"
            );
        }
        let refused = Error::InvalidParam {
            status: 400,
            code: "invalid_param".to_owned(),
            message: "Reached maximum retries (3) for URL https://files.example/a?sign=1"
                .to_owned(),
        };
        for told in [refused.caller(), refused.operator()] {
            assert!(told.contains("for URL (address)"), "{told}");
        }
        let unreachable = Error::Unreachable {
            url: "http://api:5001/v1".to_owned(),
            cause: "refused".to_owned(),
        };
        assert!(
            !unreachable.to_string().contains("5001") && unreachable.operator().contains("5001")
        );
    }

    #[test]
    fn an_endless_or_empty_message_still_makes_a_sentence() {
        assert!(sentence(&"x ".repeat(5000)).len() <= LONGEST + 1);
        assert_eq!(sentence(""), "Dify gives no reason.");
        assert_eq!(
            sentence("ms is required in input form"),
            "ms is required in input form."
        );
        assert_eq!(
            sentence("version 1.2.3 is old"),
            "version 1.2.3 is old.",
            "a version is no address"
        );
    }
}
