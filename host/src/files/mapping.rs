//! References in a guest's request become Dify's file mappings.

use std::sync::Arc;

use airlock_dify::RunRequest;
use airlock_form::{FileKind, Files as Takes, Kind, Uploads};
use airlock_sandbox::wit;
use serde_json::{Value, json};

use super::held::{Held, Lost, NotUploaded, Source};
use super::take::{fits, small_enough};
use super::{CallFiles, FetchedBy, Sizes};

/// The files of one request that Dify has not been told of yet.
#[derive(Default)]
pub struct Pending(Vec<(Place, Wanted)>);

/// Where a mapping belongs.
enum Place {
    Input(String),
    Item(String, usize),
    Message(usize),
}

struct Wanted {
    /// As the guest's error names it.
    name: String,
    takes: Takes,
    held: Arc<Held>,
}

impl Pending {
    /// Is there nothing to do?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl CallFiles {
    /// Finds the files that a request names. Until [`CallFiles::map`] has been asked, an empty object stands for each.
    ///
    /// # Errors
    /// Where something that is no reference of this call stands for a file, or one that the variable does not take. A
    /// mapping that a guest made itself is refused too: it could name any address, and any upload.
    pub fn pending(
        &self,
        request: &mut RunRequest,
        uploads: Option<&Uploads>,
        files: &[String],
    ) -> Result<Pending, wit::Error> {
        let mut pending = Vec::new();
        let form = Arc::clone(&request.form);
        for field in &form.fields {
            let Some(value) = request.inputs.get_mut(&field.variable) else {
                continue;
            };
            let variable = || field.variable.clone();
            match (&field.kind, &mut *value) {
                // "" is how many say "none".
                (Kind::File(_) | Kind::FileList { .. }, Value::String(text)) if text.is_empty() => {
                    *value = Value::Null;
                }
                (Kind::File(_) | Kind::FileList { .. }, Value::Null) => {}
                (Kind::File(takes), value) => {
                    let wanted = self.wanted(variable(), takes, value)?;
                    pending.push((Place::Input(variable()), wanted));
                }
                (Kind::FileList { files: takes, .. }, Value::Array(items)) => {
                    for (place, item) in items.iter_mut().enumerate() {
                        let wanted =
                            self.wanted(format!("{}[{place}]", field.variable), takes, item)?;
                        pending.push((Place::Item(variable(), place), wanted));
                    }
                }
                _ => {}
            }
        }
        let takes = uploads
            .map(|uploads| uploads.files.clone())
            .unwrap_or_default();
        for (place, reference) in files.iter().enumerate() {
            let mut value = Value::String(reference.clone());
            let wanted = self.wanted(format!("files[{place}]"), &takes, &mut value)?;
            request.files.push(value);
            pending.push((Place::Message(place), wanted));
        }
        Ok(Pending(pending))
    }

    fn wanted(&self, name: String, takes: &Takes, value: &mut Value) -> Result<Wanted, wit::Error> {
        let held = value.as_str().and_then(|reference| self.find(reference));
        let held = held.ok_or_else(|| {
            wit::Error::InvalidArguments(format!(
                "`{name}` is no file of this call: a file is named by the reference that the host gave for it"
            ))
        })?;
        fits(takes, &held.name, held.kind)
            .map_err(|rule| wit::Error::InvalidArguments(rule.of(&name)))?;
        *value = json!({});
        let takes = takes.clone();
        Ok(Wanted { name, takes, held })
    }

    /// Makes Dify's mappings and puts them into the request, uploading what has to be. Does I/O: for the host's own
    /// threads.
    ///
    /// # Errors
    /// The first file that cannot be had or handed over.
    pub async fn map(
        &self,
        mut request: RunRequest,
        pending: Pending,
        sizes: Sizes,
    ) -> Result<RunRequest, NotMapped> {
        for (place, wanted) in pending.0 {
            let mapping = self.mapping(&wanted, &request.user, &sizes).await;
            let mapping = mapping.map_err(|why| NotMapped {
                input: wanted.name,
                why,
            })?;
            let slot = match place {
                Place::Input(variable) => request.inputs.get_mut(&variable),
                Place::Item(variable, item) => request
                    .inputs
                    .get_mut(&variable)
                    .and_then(|list| list.get_mut(item)),
                Place::Message(file) => request.files.get_mut(file),
            };
            if let Some(slot) = slot {
                *slot = mapping;
            }
        }
        Ok(request)
    }

    async fn mapping(&self, wanted: &Wanted, user: &str, sizes: &Sizes) -> Result<Value, Why> {
        let Wanted { takes, held, .. } = wanted;
        let by_dify = self.files.settings.fetched_by == FetchedBy::Dify || !takes.takes_uploads();
        if let Source::Address { url, .. } = &held.source
            && by_dify
        {
            let kind = takes.mapping_type(held.kind);
            return Ok(json!({"type": kind, "transfer_method": "remote_url", "url": url.as_str()}));
        }
        let mut kind = held.kind;
        if kind.is_none() {
            let contents = held.contents(self).await.map_err(NotUploaded::from)?;
            kind = Some(FileKind::of(&contents.name, &contents.mime_type));
            fits(takes, &contents.name, kind)
                .and_then(|()| small_enough(contents.bytes.len(), sizes, kind))
                .map_err(|rule| Why::Rule(rule.of(&wanted.name)))?;
        }
        let id = held.uploaded(self, user).await?;
        let kind = takes.mapping_type(kind);
        Ok(json!({"type": kind, "transfer_method": "local_file", "upload_file_id": id}))
    }
}

/// A file that Dify was not told of.
#[derive(Debug)]
pub struct NotMapped {
    input: String,
    why: Why,
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("{0}")]
    Rule(String),
    #[error(transparent)]
    Upload(#[from] NotUploaded),
}

impl NotMapped {
    /// For the guest, and through it for the caller. Dify's own refusals are translated as those of a run.
    #[must_use]
    pub fn error(
        self,
        dify: impl FnOnce(&airlock_dify::Error) -> wit::Error,
        no_dify: impl FnOnce() -> wit::Error,
    ) -> wit::Error {
        match self.why {
            Why::Rule(words) => wit::Error::InvalidArguments(words),
            Why::Upload(NotUploaded::Lost(lost @ Lost::NoRoom)) => {
                wit::Error::Failed(lost.to_string())
            }
            Why::Upload(NotUploaded::Lost(lost)) => {
                wit::Error::InvalidArguments(format!("`{}` cannot be fetched: {lost}", self.input))
            }
            Why::Upload(NotUploaded::Dify(error)) => dify(&error),
            Why::Upload(NotUploaded::NoDify) => no_dify(),
        }
    }
}
