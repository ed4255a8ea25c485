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

/// What marks a property of a tool's input schema as a file, or as a list of files: an object with what is taken. The
/// guest gets an opaque reference where the caller gave a file; what callers may give is the host's to publish.
pub const FILE_MARKER: &str = "x-airlock-file";

/// What a file is in Dify's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A sound.
    Audio,
    /// A text, a table, a page.
    Document,
    /// Anything else.
    Custom,
}

impl FileKind {
    /// Dify's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            FileKind::Image => "image",
            FileKind::Video => "video",
            FileKind::Audio => "audio",
            FileKind::Document => "document",
            FileKind::Custom => "custom",
        }
    }

    /// What a file of this name and media type is, as Dify finds it: by the name's ending, else by the type.
    #[must_use]
    pub fn of(name: &str, mime_type: &str) -> FileKind {
        let kinds = [
            ("image", FileKind::Image),
            ("video", FileKind::Video),
            ("audio", FileKind::Audio),
            ("text", FileKind::Document),
            ("pdf", FileKind::Document),
        ];
        let by_type = || kinds.iter().find(|(word, _)| mime_type.contains(word));
        FileKind::of_name(name)
            .or_else(|| by_type().map(|(_, kind)| *kind))
            .unwrap_or(FileKind::Custom)
    }

    /// What the name's ending says; none where it says nothing.
    #[must_use]
    pub fn of_name(name: &str) -> Option<FileKind> {
        let ending = ending(name)?;
        let known = ENDINGS
            .iter()
            .find(|(_, endings)| endings.contains(&ending.as_str()));
        known.map(|(kind, _)| *kind)
    }
}

/// Dify's own table of name endings. Dify compares the type of a mapping with what it finds at the address and refuses
/// a difference, so a guess by any other table would fail.
const ENDINGS: [(FileKind, &[&str]); 4] = [
    (
        FileKind::Image,
        &["jpg", "jpeg", "png", "webp", "gif", "svg"],
    ),
    (FileKind::Video, &["mp4", "mov", "mpeg", "webm"]),
    (FileKind::Audio, &["mp3", "m4a", "wav", "amr", "mpga"]),
    (
        FileKind::Document,
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

/// The ending of a file's name, without its dot and in lower case.
fn ending(name: &str) -> Option<String> {
    let (_, ending) = name.rsplit_once('.')?;
    (!ending.is_empty()).then(|| ending.to_ascii_lowercase())
}

impl Files {
    pub(crate) fn parse(body: &Map<String, Value>) -> Files {
        Files {
            types: words(body, "allowed_file_types"),
            extensions: words(body, "allowed_file_extensions"),
            methods: words(body, "allowed_file_upload_methods"),
        }
    }

    /// Reads what [`Files::marker`] wrote. Members that are absent or something else restrict nothing.
    #[must_use]
    pub fn of_marker(marker: &Map<String, Value>) -> Files {
        Files {
            types: words(marker, "types"),
            extensions: words(marker, "extensions"),
            methods: words(marker, "methods"),
        }
    }

    /// The value of [`FILE_MARKER`].
    #[must_use]
    pub fn marker(&self) -> Value {
        json!({ "types": self.types, "extensions": self.extensions, "methods": self.methods })
    }

    /// May a file be given as an address? Dify fetches it itself, through a proxy that refuses private addresses.
    #[must_use]
    pub fn takes_urls(&self) -> bool {
        self.takes_method("remote_url")
    }

    /// May a file be uploaded?
    #[must_use]
    pub fn takes_uploads(&self) -> bool {
        self.takes_method("local_file")
    }

    fn takes_method(&self, word: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|method| method == word)
    }

    /// Would Dify take a file of this name and kind? One whose kind is not known yet fits where any kind of Dify's is
    /// taken: Dify looks at the address itself.
    #[must_use]
    pub fn takes(&self, name: &str, kind: Option<FileKind>) -> bool {
        let kinds = match kind {
            Some(FileKind::Custom) => false,
            Some(kind) => self.lists(kind.as_str()),
            None => self.types.iter().any(|word| word != "custom"),
        };
        kinds || self.takes_as_custom(name)
    }

    /// The type to write into Dify's mapping of a file: what the file is where the variable takes that, else `custom`
    /// where it takes that, which Dify does not compare; else the first type the variable takes.
    #[must_use]
    pub fn mapping_type(&self, kind: Option<FileKind>) -> &str {
        let mut types = self.types.iter().map(String::as_str);
        let custom = || types.clone().find(|word| *word == "custom");
        match kind.map(FileKind::as_str).filter(|word| self.lists(word)) {
            Some(word) => word,
            None => custom().or_else(|| types.next()).unwrap_or("document"),
        }
    }

    fn lists(&self, word: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|known| known == word)
    }

    fn takes_as_custom(&self, name: &str) -> bool {
        let listed = |ending: &str| {
            let mut known = self.extensions.iter();
            known.any(|known| known.trim_start_matches('.').eq_ignore_ascii_case(ending))
        };
        self.types.is_empty()
            || self.types.iter().any(|known| known == "custom")
                && (self.extensions.is_empty()
                    || ending(name).is_some_and(|ending| listed(&ending)))
    }

    /// The types and endings that are taken, in words; none where everything is.
    #[must_use]
    pub fn allowed(&self) -> Option<String> {
        // `custom` is no type a caller could know: the endings are what it means.
        let known = self.types.iter().filter(|word| *word != "custom");
        let custom = self.types.iter().any(|word| word == "custom");
        let endings = self.extensions.iter().filter(|_| custom);
        let allowed: Vec<&str> = known.chain(endings).map(String::as_str).collect();
        (!allowed.is_empty()).then(|| allowed.join(", "))
    }

    /// A sentence for the schema: what file is wanted.
    pub(crate) fn sentence(&self, many: bool) -> String {
        let start = if many { "Files" } else { "A file" };
        match self.allowed() {
            Some(allowed) => format!("{start} ({allowed})."),
            None => format!("{start}."),
        }
    }
}
