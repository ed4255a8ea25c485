use serde_json::{Map, Value, json};

use crate::field::words;

/// What files a variable takes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Files {
    /// Dify's words: `image`, `document`, `audio`, `video`, `custom`. Empty means any.
    pub types: Vec<String>,
    /// Name endings with their dot; they count for `custom` only.
    pub extensions: Vec<String>,
    /// How a file may come: `remote_url`, `local_file`. Empty means any.
    pub methods: Vec<String>,
}

/// Dify's own table of name endings. Dify compares the type of a mapping with what it finds at the address and refuses
/// a difference, so a guess by any other table would fail.
const ENDINGS: [(&str, &[&str]); 4] = [
    ("image", &["jpg", "jpeg", "png", "webp", "gif", "svg"]),
    ("video", &["mp4", "mov", "mpeg", "webm"]),
    ("audio", &["mp3", "m4a", "wav", "amr", "mpga"]),
    (
        "document",
        &[
            "txt",
            "markdown",
            "md",
            "mdx",
            "pdf",
            "html",
            "htm",
            "xlsx",
            "xls",
            "vtt",
            "properties",
            "doc",
            "docx",
            "csv",
            "eml",
            "msg",
            "ppt",
            "pptx",
            "xml",
            "epub",
        ],
    ),
];

impl Files {
    pub(crate) fn parse(body: &Map<String, Value>) -> Files {
        Files {
            types: words(body, "allowed_file_types"),
            extensions: words(body, "allowed_file_extensions"),
            methods: words(body, "allowed_file_upload_methods"),
        }
    }

    /// May a file be given as an address? Dify fetches it itself, through a proxy that refuses private addresses.
    #[must_use]
    pub fn takes_urls(&self) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|method| method == "remote_url")
    }

    /// Dify's file mapping for an address. The type is what the path's ending says where the variable takes that type,
    /// else `custom` where it takes that, which Dify does not compare; else the first type the variable takes.
    #[must_use]
    pub fn mapping(&self, url: &str) -> Value {
        let path = url.split(['?', '#']).next().unwrap_or(url);
        let ending = path
            .rsplit('/')
            .next()
            .and_then(|name| name.rsplit_once('.'))
            .map(|(_, ending)| ending.to_ascii_lowercase());
        let guess = ending
            .and_then(|ending| {
                ENDINGS
                    .iter()
                    .find(|(_, endings)| endings.contains(&ending.as_str()))
            })
            .map(|(word, _)| *word);
        let takes =
            |word: &str| self.types.is_empty() || self.types.iter().any(|known| known == word);
        let word = guess
            .filter(|word| takes(word))
            .or_else(|| {
                self.types
                    .iter()
                    .map(String::as_str)
                    .find(|word| *word == "custom")
            })
            .or_else(|| self.types.first().map(String::as_str))
            .unwrap_or("document");
        json!({ "type": word, "transfer_method": "remote_url", "url": url })
    }

    /// A sentence for the schema: what the address must lead to.
    pub(crate) fn sentence(&self, many: bool) -> String {
        let start = if many {
            "http or https addresses of files"
        } else {
            "The http or https address of a file"
        };
        // `custom` is no type a caller could know: the endings are what it means.
        let known: Vec<&str> = self
            .types
            .iter()
            .map(String::as_str)
            .filter(|word| *word != "custom")
            .collect();
        let endings: Vec<&str> = if self.types.iter().any(|word| word == "custom") {
            self.extensions.iter().map(String::as_str).collect()
        } else {
            Vec::new()
        };
        let allowed = [known, endings].concat();
        if allowed.is_empty() {
            format!("{start}.")
        } else {
            format!("{start} ({}).", allowed.join(", "))
        }
    }
}
