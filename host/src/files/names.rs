//! Names and media types of files, made fit for Dify, for clients and for each other.

use mime_guess::{from_path, get_mime_extensions_str};

/// Characters of a name. Dify keeps 200.
const LONGEST: usize = 120;
/// What says nothing of a file.
pub(super) const UNKNOWN: &str = "application/octet-stream";

/// A name that Dify takes: without the characters that it refuses, and without a path.
pub(super) fn clean(name: &str) -> String {
    let last = name.trim().rsplit(['/', '\\']).next().unwrap_or_default();
    let plain = |c: char| match c {
        ':' | '*' | '?' | '"' | '<' | '>' | '|' => '_',
        c if c.is_control() => '_',
        c => c,
    };
    let name: String = last.chars().map(plain).collect();
    let length = name.chars().count();
    // The ending is what tells the file's kind, so the name is cut at its beginning.
    name.chars().skip(length.saturating_sub(LONGEST)).collect()
}

/// A media type without its parameters, in lower case.
pub(super) fn media_type(text: &str) -> String {
    let bare = text.split(';').next().unwrap_or_default().trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/+-._".contains(&byte);
    let fit = bare.len() <= LONGEST && bare.contains('/') && bare.bytes().all(plain);
    if fit {
        bare.to_ascii_lowercase()
    } else {
        String::new()
    }
}

/// The media type that was told, or else the one that the name's ending means.
pub(super) fn type_of(name: &str, told: String) -> String {
    if !told.is_empty() && told != UNKNOWN {
        return told;
    }
    from_path(name).first_raw().unwrap_or(UNKNOWN).to_owned()
}

/// A name for a file of which only the type is known.
pub(super) fn of_type(mime_type: &str) -> Option<String> {
    let usual = match mime_type {
        // The table has these in alphabetical order.
        "image/jpeg" => "jpg",
        "text/plain" => "txt",
        "text/markdown" => "md",
        "text/html" => "html",
        "audio/mpeg" => "mp3",
        "video/mp4" => "mp4",
        other => get_mime_extensions_str(other)?.first()?,
    };
    Some(format!("file.{usual}"))
}

/// The last part of an address's path.
pub(super) fn of_address(address: &str) -> String {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    let name = percent_encoding::percent_decode_str(last).decode_utf8_lossy();
    Some(clean(&name))
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "file".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_dify_takes_and_keeps_its_ending() {
        assert_eq!(clean("../../etc/pass\"wd\r\n.txt"), "pass_wd__.txt");
        assert_eq!(clean("C:\\me\\报告?.pdf"), "报告_.pdf");
        let long = clean(&format!("{}.pdf", "x".repeat(500)));
        assert!(long.ends_with("x.pdf") && long.len() == LONGEST);
    }

    #[test]
    fn type_and_name_make_up_for_each_other() {
        assert_eq!(type_of("a.pdf", String::new()), "application/pdf");
        assert_eq!(type_of("a.pdf", "text/plain".into()), "text/plain");
        assert_eq!(type_of("a.png", UNKNOWN.into()), "image/png");
        assert_eq!(type_of("a", String::new()), UNKNOWN);
        assert_eq!(of_type("image/jpeg").as_deref(), Some("file.jpg"));
        assert_eq!(of_type("application/pdf").as_deref(), Some("file.pdf"));
        assert_eq!(of_type("no/thing"), None);
        assert_eq!(media_type("Text/Plain; charset=utf-8"), "text/plain");
        assert_eq!(media_type("a/b\r\nX: y"), "");
        assert_eq!(of_address("https://a/b/c%20d.pdf?x=1.png"), "c d.pdf");
    }
}
