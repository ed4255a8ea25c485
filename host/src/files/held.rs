//! The files of one call. A guest knows them by references; what is behind those stays here and goes with the call.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use airlock_dify::{App, NoDownload, Upload};
use airlock_form::FileKind;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, OwnedSemaphorePermit};
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::deliver::ahead;
use super::fetch::NotFetched;
use super::handle::{Handle as Earlier, Place};
use super::{Files, Owner, Sizes, names};

/// Files of one call: those of its arguments and those of its answers.
const MOST: usize = 64;
/// What every reference begins with.
const REFERENCE: &str = "airlock-ref:";

/// The files that a call holds, for as long as it lasts.
pub struct CallFiles {
    pub(super) files: Arc<Files>,
    pub(super) owner: Owner,
    pub(super) dify: Option<App>,
    /// So that no reference of one call means anything in another.
    call: OnceLock<String>,
    held: Mutex<Vec<Arc<Held>>>,
}

/// One file.
pub(super) struct Held {
    pub(super) name: String,
    /// As it was told; `application/octet-stream` where it was not.
    pub(super) mime_type: String,
    /// None for an address whose ending says nothing.
    pub(super) kind: Option<FileKind>,
    pub(super) source: Source,
    /// What makes two mentions the same file.
    pub(super) identity: Option<String>,
    contents: OnceCell<Result<Contents, Lost>>,
    upload: OnceCell<String>,
}

/// Where a file comes from.
pub(super) enum Source {
    /// From the caller, whole.
    Given,
    /// From where a caller's address leads, `most` bytes.
    Address { url: Url, sizes: Sizes },
    /// From an earlier call.
    Earlier(Earlier),
    /// From Dify, by a signed address.
    Dify(String),
    /// From elsewhere, by an address in an app's answer.
    Elsewhere(Url),
}

/// What is in a file.
#[derive(Clone)]
pub(super) struct Contents {
    pub(super) bytes: Bytes,
    pub(super) name: String,
    pub(super) mime_type: String,
    _room: Arc<OwnedSemaphorePermit>,
}

/// Why a file's contents cannot be had. The words are for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Lost {
    #[error("{0}")]
    NotFetched(#[from] NotFetched),
    #[error("its address in Dify has expired, or it is not there any more")]
    Gone,
    #[error("Dify cannot be asked for it right now")]
    Unreachable,
    #[error("it has more than {} MiB, which is the most that this server hands on", .0 >> 20)]
    TooLarge(usize),
    #[error("its time is over, and it is not kept any more")]
    Forgotten,
    #[error("it was handed to the app, and this server has no copy of it")]
    OnlyThere,
    #[error("this server holds as many files as it may; try again in a few seconds")]
    NoRoom,
}

impl CallFiles {
    /// None yet.
    #[must_use]
    pub fn new(files: Arc<Files>, owner: Owner, dify: Option<App>) -> Self {
        Self {
            files,
            owner,
            dify,
            call: OnceLock::new(),
            held: Mutex::default(),
        }
    }

    /// Takes a file over; its reference. None where the call has too many.
    pub(super) fn hold(&self, file: Held) -> Option<String> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(identity) = &file.identity
            && let Some(known) = held
                .iter()
                .position(|known| known.identity.as_ref() == Some(identity))
        {
            return Some(self.reference(known));
        }
        if held.len() >= MOST {
            return None;
        }
        held.push(Arc::new(file));
        Some(self.reference(held.len() - 1))
    }

    fn reference(&self, number: usize) -> String {
        let call = self
            .call
            .get_or_init(|| format!("{:016x}", RandomState::new().build_hasher().finish()));
        format!("{REFERENCE}{call}.{number}")
    }

    /// The file of a reference; none for one that is no reference of this call.
    pub(super) fn find(&self, reference: &str) -> Option<Arc<Held>> {
        let (call, number) = reference.strip_prefix(REFERENCE)?.split_once('.')?;
        if self.call.get().map(String::as_str) != Some(call) {
            return None;
        }
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(number.parse::<usize>().ok()?).cloned()
    }

    /// Begins to fetch these, if there are any, on the host's own threads; the fetching ends with what comes back.
    pub fn ahead(
        self: &Arc<Self>,
        references: &[String],
        io: &Handle,
    ) -> Option<AbortOnDropHandle<()>> {
        if references.is_empty() {
            return None;
        }
        let (call, references) = (Arc::clone(self), references.to_vec());
        let fetching = io.spawn(async move { ahead(&call, &references).await });
        Some(AbortOnDropHandle::new(fetching))
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<Held>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }
}

impl Held {
    /// A file that is not fetched yet.
    pub(super) fn new(
        name: String,
        mime_type: String,
        kind: Option<FileKind>,
        source: Source,
    ) -> Self {
        Self {
            name,
            mime_type,
            kind,
            source,
            identity: None,
            contents: OnceCell::new(),
            upload: OnceCell::new(),
        }
    }

    /// One that the caller sent.
    pub(super) fn given(
        name: String,
        mime_type: String,
        bytes: Bytes,
        room: OwnedSemaphorePermit,
    ) -> Self {
        let contents = Contents {
            bytes,
            name: name.clone(),
            mime_type: mime_type.clone(),
            _room: Arc::new(room),
        };
        let kind = FileKind::of(&name, &mime_type);
        Self {
            contents: OnceCell::from(Ok(contents)),
            ..Self::new(name, mime_type, Some(kind), Source::Given)
        }
    }

    /// What is in it, fetched once. Does I/O: for the host's own threads.
    pub(super) async fn contents(&self, call: &CallFiles) -> Result<Contents, Lost> {
        let fetched = self.contents.get_or_init(|| self.fetch(call)).await;
        fetched.clone()
    }

    async fn fetch(&self, call: &CallFiles) -> Result<Contents, Lost> {
        let files = &call.files;
        let out = files.settings.read_limit;
        let (bytes, mime_type, room) = match &self.source {
            // Its contents were there from the beginning.
            Source::Given => return Err(Lost::Forgotten),
            Source::Address { url, sizes } => {
                let most = sizes.most(self.kind).min(files.settings.body_limit);
                let room = files.room(most).ok_or(Lost::NoRoom)?;
                let fetched = files.fetcher.fetch(url, most).await?;
                (fetched.bytes, fetched.mime_type, room)
            }
            Source::Elsewhere(url) => {
                let room = files.room(out).ok_or(Lost::NoRoom)?;
                let fetched = files.fetcher.fetch(url, out).await?;
                (fetched.bytes, fetched.mime_type, room)
            }
            Source::Earlier(handle) => {
                let Place::Spool(place) = &handle.place else {
                    return Err(Lost::OnlyThere);
                };
                let room = files.room(handle.size()).ok_or(Lost::NoRoom)?;
                let kept = files.spool.get(&call.owner.app, place).await;
                (kept.ok_or(Lost::Forgotten)?, String::new(), room)
            }
            Source::Dify(address) => {
                let room = files.room(out).ok_or(Lost::NoRoom)?;
                let app = call.dify.as_ref().ok_or(Lost::Unreachable)?;
                let downloaded = app.download(address, out).await.map_err(|error| match error {
                    NoDownload::Gone { .. } => Lost::Gone,
                    NoDownload::TooLarge => Lost::TooLarge(out),
                    NoDownload::Failed(error) => {
                        tracing::warn!(app = call.owner.slug, error = %error.operator(), "a file was not fetched");
                        Lost::Unreachable
                    }
                })?;
                (downloaded.bytes, downloaded.mime_type, room)
            }
        };
        // What was put by for the largest file is more than most need.
        let room = Files::shrunk(room, bytes.len());
        let told = if self.mime_type == names::UNKNOWN {
            mime_type
        } else {
            self.mime_type.clone()
        };
        Ok(Contents {
            bytes,
            mime_type: names::type_of(&self.name, names::media_type(&told)),
            name: self.name.clone(),
            _room: Arc::new(room),
        })
    }

    /// Dify's id of it, uploaded once whatever it is named for.
    pub(super) async fn uploaded(
        &self,
        call: &CallFiles,
        user: &str,
    ) -> Result<String, NotUploaded> {
        if let Source::Earlier(Earlier {
            place: Place::Upload(id),
            ..
        }) = &self.source
        {
            return Ok(id.clone());
        }
        let upload = self.upload.get_or_try_init(|| async {
            let contents = self.contents(call).await?;
            let app = call.dify.as_ref().ok_or(NotUploaded::NoDify)?;
            let file = Upload {
                name: contents.name,
                mime_type: contents.mime_type,
                bytes: contents.bytes,
            };
            app.upload(user, file)
                .await
                .map_err(|error| NotUploaded::Dify(Box::new(error)))
        });
        upload.await.cloned()
    }

    /// The upload of a caller's own file in this call: a handle of it saves sending it again.
    pub(super) fn upload_id(&self) -> Option<&str> {
        match self.source {
            Source::Given | Source::Address { .. } => self.upload.get().map(String::as_str),
            Source::Earlier(_) | Source::Dify(_) | Source::Elsewhere(_) => None,
        }
    }

    /// How many bytes it has, once that is known.
    pub(super) fn length(&self) -> Option<usize> {
        let contents = self.contents.get()?.as_ref().ok()?;
        Some(contents.bytes.len())
    }
}

/// Why a file did not reach Dify.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotUploaded {
    #[error(transparent)]
    Lost(#[from] Lost),
    #[error("there is no Dify")]
    NoDify,
    #[error("{0}")]
    Dify(Box<airlock_dify::Error>),
}
