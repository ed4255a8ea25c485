//! Uploads, files that apps make, and the signed addresses under which Dify gives them out.

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use crate::answer::{self, Answer, Refusal};
use crate::ids;
use crate::state::State;

/// Dify's own limits by kind, in MiB.
const IMAGE: usize = 10;
const OTHER: usize = 15;

/// A file that the stand-in holds.
#[derive(Clone)]
pub(crate) struct File {
    /// Whose upload; none for what an app made.
    pub(crate) user: Option<String>,
    pub(crate) name: String,
    pub(crate) mime_type: String,
    pub(crate) bytes: Bytes,
    sign: String,
}

impl File {
    /// What an app made.
    pub(crate) fn made(name: &str, mime_type: &str, bytes: impl Into<Bytes>) -> Self {
        Self {
            user: None,
            name: name.to_owned(),
            mime_type: mime_type.to_owned(),
            bytes: bytes.into(),
            sign: ids::uuid(),
        }
    }

    /// What Dify finds the file to be, by its ending.
    pub(crate) fn kind(&self) -> &'static str {
        kind(&self.name)
    }
}

fn kind(name: &str) -> &'static str {
    match ending(name).to_ascii_lowercase().as_str() {
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "svg" => "image",
        "mp3" | "wav" | "m4a" => "audio",
        "mp4" | "webm" => "video",
        "txt" | "pdf" | "md" | "csv" | "html" | "docx" => "document",
        _ => "custom",
    }
}

fn ending(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, ending)| ending)
}

/// `POST /files/upload`.
pub(crate) fn upload(state: &State, content_type: &str, body: &Bytes) -> Result<Answer, Refusal> {
    let refused = |code, message| Err(Refusal::new(StatusCode::BAD_REQUEST, code, message));
    let form = Multipart::read(content_type, body);
    let Some((name, mime_type, bytes)) = form.file else {
        return refused("no_file_uploaded", "Please upload your file.");
    };
    if name.is_empty() {
        return refused(
            "filename_not_exists_error",
            "The specified filename does not exist.",
        );
    }
    let most = if kind(&name) == "image" { IMAGE } else { OTHER };
    if bytes.len() > most << 20 {
        return Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "file_too_large",
            "",
        ));
    }
    let size = bytes.len();
    let file = File {
        user: Some(form.user.unwrap_or_else(|| "DEFAULT-USER".into())),
        ..File::made(&name, &mime_type, bytes)
    };
    let sign = file.sign.clone();
    let id = state.keep_file(file);
    let now = ids::now();
    let uploaded = json!({
        "id": id, "reference": null, "name": name, "size": size, "extension": ending(&name), "mime_type": mime_type,
        "created_by": ids::uuid(), "created_at": now, "preview_url": null,
        "source_url": format!("/files/{id}/file-preview?timestamp={now}&nonce={}&sign={sign}", ids::uuid()),
        "original_url": null, "user_id": null, "tenant_id": ids::uuid(), "conversation_id": null, "file_key": null,
    });
    Ok(answer::json(StatusCode::CREATED, &uploaded))
}

/// `GET /files/tools/{id}.{ending}` and `GET /files/{id}/file-preview`, which need no key but a signature.
pub(crate) fn download(state: &State, path: &str, query: &str) -> Answer {
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let forbidden = || Refusal::new(StatusCode::FORBIDDEN, "forbidden", "Invalid request.");
    let id = match path
        .trim_start_matches("/files/")
        .split('/')
        .collect::<Vec<_>>()[..]
    {
        ["tools", name] => name.split('.').next().unwrap_or_default(),
        [id, "file-preview"] => id,
        _ => return answer::not_found_page(),
    };
    let Some(stamp) = value("timestamp").and_then(|stamp| stamp.parse::<u64>().ok()) else {
        return Refusal::invalid("1 validation error for ToolFileQuery").into();
    };
    let Some(file) = state
        .file(id)
        .filter(|file| Some(file.sign.as_str()) == value("sign"))
    else {
        return forbidden().into();
    };
    if ids::now().saturating_sub(stamp) >= state.options.file_ttl.as_secs() {
        return forbidden().into();
    }
    let mut given = answer::bytes(file.bytes);
    if let Ok(kind) = HeaderValue::from_str(&file.mime_type) {
        given.headers_mut().insert(CONTENT_TYPE, kind);
    }
    given
}

/// Keeps what an app made, and describes it as Dify does in outputs. Every mention has a signature of its own.
pub(crate) fn describe(state: &State, id: &str) -> Value {
    let Some(file) = state.file(id) else {
        return Value::Null;
    };
    json!({
        "dify_model_identity": "__dify__file__", "id": null, "type": file.kind(), "transfer_method": "tool_file",
        "remote_url": null, "reference": null, "filename": file.name, "extension": format!(".{}", ending(&file.name)),
        "mime_type": file.mime_type, "size": file.bytes.len(), "related_id": id, "url": address(&file, id),
    })
}

/// Relative, as where no public address is configured.
pub(crate) fn address(file: &File, id: &str) -> String {
    format!(
        "/files/tools/{id}.{}?timestamp={}&nonce={}&sign={}",
        ending(&file.name),
        ids::now(),
        ids::uuid().replace('-', ""),
        file.sign
    )
}

/// A file that Dify knows the address of, and nothing more.
pub(crate) fn elsewhere(url: &str) -> Value {
    let name = name_in(url);
    json!({
        "dify_model_identity": "__dify__file__", "id": null, "type": kind(name), "transfer_method": "remote_url",
        "remote_url": url, "reference": null, "filename": name, "extension": format!(".{}", ending(name)),
        "mime_type": "application/octet-stream", "size": -1, "related_id": null, "url": url,
    })
}

fn name_in(url: &str) -> &str {
    let path = url.split('?').next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}

/// What Dify makes of a file mapping, in its words where it refuses one.
pub(crate) fn judge(state: &State, user: &str, mapping: &Value) -> Result<Value, Refusal> {
    let told = mapping["type"].as_str().unwrap_or_default();
    let mismatch = "Detected file type does not match the specified type. Please verify the file.";
    match mapping["transfer_method"].as_str() {
        Some("local_file") => {
            let id = mapping["upload_file_id"].as_str().unwrap_or_default();
            let file = state
                .file(id)
                .filter(|file| file.user.as_deref() == Some(user));
            let file = file.ok_or_else(|| Refusal::invalid("Invalid upload file"))?;
            if told != "custom" && told != file.kind() {
                return Err(Refusal::invalid(mismatch));
            }
            let mut described = describe(state, id);
            described["transfer_method"] = json!("local_file");
            Ok(described)
        }
        Some("remote_url") => {
            let url = mapping["url"].as_str().unwrap_or_default();
            let name = name_in(url);
            let found = kind(name);
            if told != "custom" && found != "custom" && told != found {
                return Err(Refusal::invalid(mismatch));
            }
            let mut described = elsewhere(url);
            described["type"] = told.into();
            Ok(described)
        }
        Some(other) => Err(Refusal::invalid(format!(
            "'{other}' is not a valid FileTransferMethod"
        ))),
        None => Err(Refusal::invalid(
            "transfer_method is required in file mapping",
        )),
    }
}

/// The two fields of an upload.
#[derive(Default)]
struct Multipart {
    user: Option<String>,
    file: Option<(String, String, Bytes)>,
}

impl Multipart {
    fn read(content_type: &str, body: &Bytes) -> Self {
        let mut form = Self::default();
        let Some((_, boundary)) = content_type.split_once("boundary=") else {
            return form;
        };
        let line = format!("--{boundary}");
        let mut rest = &body[..];
        while let Some(start) = find(rest, line.as_bytes()) {
            rest = &rest[start + line.len()..];
            let Some(head_end) = find(rest, b"\r\n\r\n") else {
                break;
            };
            let head = String::from_utf8_lossy(&rest[..head_end]).into_owned();
            let part = &rest[head_end + 4..];
            let Some(end) = find(part, format!("\r\n{line}").as_bytes()) else {
                break;
            };
            let quoted = |name: &str| {
                let (_, value) = head.split_once(&format!("{name}=\""))?;
                value.split('"').next().map(str::to_owned)
            };
            match (quoted("; name").as_deref(), quoted("filename")) {
                (Some("user"), _) => {
                    form.user = Some(String::from_utf8_lossy(&part[..end]).into_owned());
                }
                (Some("file"), Some(name)) => {
                    let kind = head
                        .lines()
                        .find_map(|line| line.strip_prefix("Content-Type: "));
                    let bytes = body.slice_ref(&part[..end]);
                    form.file = Some((name, kind.unwrap_or_default().to_owned(), bytes));
                }
                _ => {}
            }
            rest = &part[end + 2..];
        }
        form
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
