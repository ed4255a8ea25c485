//! A guest's files on their way to the client: pictures and sounds as they are where they are small, small texts with
//! their words, everything else as a link to what `resources/read` gives.

use airlock_sandbox::wit;
use data_encoding::BASE64;
use serde_json::{Map, Value, json};

use super::handle::{Handle, Place};
use super::held::{Contents, Held, Lost, Source};
use super::{CallFiles, Files, Owner};

/// Bytes of a picture or a sound that goes into an answer, and of all of them: clients cut, or refuse, what is larger.
const INLINE: usize = 1 << 20;
const INLINE_IN_ALL: usize = 2 << 20;
/// Bytes of a text that does, and that a model reads without being asked whether it wants to.
const INLINE_TEXT: usize = 32 << 10;
/// Pictures that models and clients look at.
const PICTURES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];
/// Where the handles of a call's own uploads stand in a result.
const HANDLES: &str = "airlock/files";

impl CallFiles {
    /// Puts blocks of MCP in the place of the references in a result. A file that cannot be had becomes a sentence: the
    /// rest of the answer is worth having. What is no reference of this call stays, and is refused with the result.
    pub async fn deliver(&self, content: Vec<&mut wit::Content>) {
        let mut left = INLINE_IN_ALL;
        for block in content {
            if let wit::Content::File(reference) = block
                && let Some(held) = self.find(reference)
            {
                *block = self.block(&held, &mut left).await;
            }
        }
    }

    async fn block(&self, held: &Held, left: &mut usize) -> wit::Content {
        if let Source::Address { url, .. } = &held.source
            && held.length().is_none()
        {
            // The caller's own address: it needs no copy.
            return other(
                &json!({"type": "resource_link", "uri": url.as_str(), "name": held.name}),
            );
        }
        let contents = match held.contents(self).await {
            Ok(contents) => contents,
            Err(lost) => return missing(&held.name, &lost),
        };
        if let Some(block) = inline(&contents, left) {
            return block;
        }
        match self.files.keep(&self.owner, &contents).await {
            Ok(uri) => linked(&uri, &contents),
            Err(not_kept) => missing(&held.name, &not_kept),
        }
    }

    /// Adds the handles of files that the caller sent in this call and Dify has now: the caller need not send them again.
    pub fn tell(&self, meta: &mut Option<String>) {
        let ttl = self.files.spool.ttl();
        let handles: Vec<Value> = self
            .all()
            .iter()
            .filter_map(|held| {
                let place = Place::Upload(held.upload_id()?.to_owned());
                let handle = Handle::new(place, &held.name, &held.mime_type, held.length()?, ttl);
                let handle = self.files.handles.seal(&self.owner, &handle);
                Some(json!({"name": held.name, "handle": handle, "seconds": ttl.as_secs()}))
            })
            .collect();
        if handles.is_empty() {
            return;
        }
        let own = meta
            .as_deref()
            .map_or_else(|| Ok(Map::new()), serde_json::from_str::<Map<_, _>>);
        // What is no object is refused with the result.
        if let Ok(mut own) = own {
            own.entry(HANDLES).or_insert(Value::Array(handles));
            *meta = Some(Value::Object(own).to_string());
        }
    }
}

impl Files {
    /// Puts a file into the spool; its handle.
    async fn keep(
        &self,
        owner: &Owner,
        contents: &Contents,
    ) -> Result<String, super::spool::NotKept> {
        let (name, mime_type, bytes) = (&contents.name, &contents.mime_type, contents.bytes.len());
        let place = self.spool.put(&owner.app, contents.bytes.clone()).await?;
        let handle = Handle::new(
            Place::Spool(place),
            name,
            mime_type,
            bytes,
            self.spool.ttl(),
        );
        Ok(self.handles.seal(owner, &handle))
    }
}

fn inline(contents: &Contents, left: &mut usize) -> Option<wit::Content> {
    let length = contents.bytes.len();
    let kind = contents.mime_type.as_str();
    if length > INLINE.min(*left) {
        return None;
    }
    let block = if PICTURES.contains(&kind) {
        json!({"type": "image", "data": BASE64.encode(&contents.bytes), "mimeType": kind})
    } else if kind.starts_with("audio/") {
        json!({"type": "audio", "data": BASE64.encode(&contents.bytes), "mimeType": kind})
    } else {
        return None;
    };
    *left -= length;
    Some(other(&block))
}

/// A text stands in its own link, if it is short; all others are read when they are wanted.
fn linked(uri: &str, contents: &Contents) -> wit::Content {
    let Contents {
        name,
        mime_type,
        bytes,
        ..
    } = contents;
    let text = std::str::from_utf8(bytes).ok();
    match text.filter(|text| text.len() <= INLINE_TEXT && is_text(mime_type)) {
        Some(text) => other(&json!({
            "type": "resource", "resource": {"uri": uri, "mimeType": mime_type, "text": text},
        })),
        None => other(&json!({
            "type": "resource_link", "uri": uri, "name": name, "mimeType": mime_type, "size": bytes.len(),
        })),
    }
}

fn is_text(mime_type: &str) -> bool {
    let structured = ["json", "xml", "yaml", "csv"];
    mime_type.starts_with("text/") || structured.iter().any(|word| mime_type.ends_with(word))
}

fn missing(name: &str, why: &dyn std::fmt::Display) -> wit::Content {
    wit::Content::Text(format!("(The file {name} is not here: {why}.)"))
}

fn other(block: &Value) -> wit::Content {
    wit::Content::Other(block.to_string())
}

/// Fetches the files of an answer before their addresses expire, which they do in Dify after 300 s: a guest may take its
/// time with the answer. What is not wanted in the end is forgotten with the call.
pub(super) async fn ahead(call: &CallFiles, references: &[String]) {
    for reference in references {
        if let Some(held) = call.find(reference)
            && let Err(lost @ (Lost::Gone | Lost::Unreachable)) = held.contents(call).await
        {
            tracing::warn!(app = call.owner.slug, %lost, "a file of an answer was not fetched");
        }
    }
}
