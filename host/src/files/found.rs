//! Dify's files in an answer: each becomes a reference, and no address of Dify's crosses to the guest.

use airlock_dify::file_path;
use airlock_form::{FILE_MARKER, FileKind};
use serde_json::{Map, Value};
use url::Url;

use super::fetch::is_plain;
use super::held::{Held, Source};
use super::{CallFiles, names};

/// Longest piece of an unfinished text that is kept back because it may become a link.
const LONGEST_LINK: usize = 2 << 10;

impl CallFiles {
    /// Takes over a file object of Dify's; its reference. None for one that leads nowhere.
    pub fn found(&self, file: &Map<String, Value>) -> Option<String> {
        let text = |key: &str| file.get(key).and_then(Value::as_str).unwrap_or_default();
        let address = Some(text("url"))
            .filter(|url| !url.is_empty())
            .unwrap_or_else(|| text("remote_url"));
        let mut held = Self::at(address, text("transfer_method") == "remote_url")?;
        let named = names::clean(text("filename"));
        if !named.is_empty() {
            held.name = named;
        }
        held.mime_type = names::type_of(&held.name, names::media_type(text("mime_type")));
        held.kind = Some(FileKind::of(&held.name, &held.mime_type));
        self.hold(held)
    }

    fn at(address: &str, elsewhere: bool) -> Option<Held> {
        let (source, identity) = if elsewhere {
            let url = Url::parse(address).ok().filter(is_plain)?;
            (Source::Elsewhere(url), address)
        } else {
            let path = file_path(address)?;
            (Source::Dify(path.to_owned()), path.split('?').next()?)
        };
        let name = names::of_address(address);
        let mime_type = names::type_of(&name, String::new());
        let kind = Some(FileKind::of(&name, &mime_type));
        let identity = identity.to_owned();
        let mut held = Held::new(name, mime_type, kind, source);
        held.identity = Some(identity);
        Some(held)
    }

    /// Replaces file objects by what a guest and a client may know of them, and signed links in texts by their names.
    /// The references of the files are added to `found` where they are not there yet.
    pub fn replace(&self, value: &mut Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) if is_file(object) => {
                let reference = self.found(object);
                object.retain(|key, _| {
                    matches!(
                        key.as_str(),
                        "type" | "filename" | "extension" | "mime_type" | "size"
                    )
                });
                if let Some(reference) = reference {
                    add(found, &reference);
                    object.insert(FILE_MARKER.into(), reference.into());
                }
            }
            Value::Object(object) => object
                .values_mut()
                .for_each(|value| self.replace(value, found)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.replace(item, found)),
            Value::String(text) => {
                if let Some(replaced) = self.without_links(text, found) {
                    *text = replaced;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The text with the names of files in the place of Dify's signed links to them; none where there are no such links.
    /// Markdown's brackets stay, so that a reader sees which file stood where: `![chart](/files/…)` is `[chart]`.
    pub fn without_links(&self, text: &str, found: &mut Vec<String>) -> Option<String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, link, after)) = next_link(rest) {
            out.push_str(before);
            let held = Self::at(link, false);
            let name = held
                .as_ref()
                .map_or_else(|| "file".into(), |held| held.name.clone());
            if let Some(reference) = held.and_then(|held| self.hold(held)) {
                add(found, &reference);
            }
            rest = after;
            if let Some(opened) = out.strip_suffix("](") {
                // `![name](link "title")` loses its tail, and the mark of an image.
                let open = opened.rfind('[');
                let label = open
                    .map(|open| opened[open + 1..].to_owned())
                    .unwrap_or_default();
                let start = open.unwrap_or(opened.len());
                out.truncate(start);
                if out.ends_with('!') {
                    out.pop();
                }
                out.push_str(&format!(
                    "[{}]",
                    if label.is_empty() { &name } else { &label }
                ));
                let end = rest.find(')').map_or(0, |end| end + 1);
                rest = &rest[end..];
            } else {
                out.push_str(&format!("[{name}]"));
            }
        }
        if rest.len() == text.len() {
            return None;
        }
        out.push_str(rest);
        Some(out)
    }
}

fn add(found: &mut Vec<String>, reference: &str) {
    if !found.iter().any(|known| known == reference) {
        found.push(reference.to_owned());
    }
}

fn is_file(object: &Map<String, Value>) -> bool {
    object.get("dify_model_identity").and_then(Value::as_str) == Some("__dify__file__")
        || (object.contains_key("transfer_method") && object.contains_key("url"))
}

/// What stands around an address in a text.
const EDGES: [char; 8] = ['(', ')', '<', '>', '"', '\'', '`', '|'];

fn is_edge(c: char) -> bool {
    c.is_whitespace() || EDGES.contains(&c)
}

fn after_last_edge(text: &str) -> usize {
    text.char_indices()
        .rfind(|(_, c)| is_edge(*c))
        .map_or(0, |(at, c)| at + c.len_utf8())
}

/// The next of Dify's signed links: what stands before it, itself, what stands after it.
fn next_link(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(at) = text[from..].find("/files/") {
        let at = from + at;
        let start = after_last_edge(&text[..at]);
        let end = text[at..]
            .find(is_edge)
            .map_or(text.len(), |edge| at + edge);
        let link = &text[start..end];
        if ["timestamp=", "nonce=", "sign="]
            .iter()
            .all(|part| link.contains(part))
        {
            return Some((&text[..start], link, &text[end..]));
        }
        from = end;
    }
    None
}

/// A text that comes in pieces, of which one may end within a link.
#[derive(Debug, Default)]
pub struct Pieces(String);

impl Pieces {
    /// What of the text so far can be passed on.
    pub fn push(&mut self, piece: &str, files: &CallFiles) -> String {
        self.0.push_str(piece);
        // Markdown's link is whole with its `)`; a bare one is whole with what stands after it.
        let bracket = self
            .0
            .rfind('[')
            .filter(|open| !self.0[*open..].contains(')'));
        let bare = || {
            let start = after_last_edge(&self.0);
            self.0[start..].contains('/').then_some(start)
        };
        let unfinished = bracket
            .map(|open| {
                if self.0[..open].ends_with('!') {
                    open - 1
                } else {
                    open
                }
            })
            .or_else(bare)
            // The next piece may make it the mark of a picture.
            .or_else(|| self.0.ends_with('!').then(|| self.0.len() - 1))
            .filter(|at| self.0.len() - at <= LONGEST_LINK);
        let tail = unfinished
            .map(|at| self.0.split_off(at))
            .unwrap_or_default();
        let ready = std::mem::replace(&mut self.0, tail);
        Self::clean(ready, files)
    }

    /// What is left.
    pub fn rest(&mut self, files: &CallFiles) -> String {
        Self::clean(std::mem::take(&mut self.0), files)
    }

    fn clean(text: String, files: &CallFiles) -> String {
        // Whoever follows the events gets the files with the end.
        files.without_links(&text, &mut Vec::new()).unwrap_or(text)
    }
}

#[cfg(test)]
#[path = "found_tests.rs"]
mod tests;
