//! The guests of this process: the one built in and those in the registry, compiled when first needed.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Instant;

use airlock_registry::bounds::MAX_COMPONENT;
use airlock_registry::{Digest, Registry};
use airlock_sandbox::{Component, Ended, Engine, EngineConfig, EngineError, Failure, Refusal, wit};
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::OnceCell;

use crate::limits::{self, Own};
use crate::metrics;
use crate::publish::catalogue::{self, Resources};
use crate::publish::{CatalogueFault, Manifest, ManifestFault};

/// The guest that serves any app from its form alone, as `make guests` built it.
static BUILT_IN: &[u8] = include_bytes!(env!("AIRLOCK_DEFAULT_GUEST_PATH"));

static BUILT_IN_DIGEST: LazyLock<Digest> = LazyLock::new(|| Digest::of(BUILT_IN));

/// The digest of the component that serves an app.
#[must_use]
pub fn digest(guest: Option<Digest>) -> Digest {
    guest.unwrap_or(*BUILT_IN_DIGEST)
}

/// A guest that cannot be had, or cannot say what it offers.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// No engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A component that Airlock does not take.
    #[error("the guest is refused: {0}")]
    Refused(#[from] Refusal),
    /// A component that is not even looked at.
    #[error("this component has {bytes} bytes; {} MiB is the most", MAX_COMPONENT >> 20)]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// The registry has no such component.
    #[error(
        "the registry lacks the component {0}; give the app its guest again with `airlock app guest`"
    )]
    Missing(Digest),
    /// The registry could not be read.
    #[error(transparent)]
    Registry(#[from] airlock_registry::Error),
    /// `describe` came to no answer.
    #[error("the guest could not describe this app: {0}")]
    Describe(#[from] Failure),
    /// The guest's answer is that it cannot serve this app.
    #[error("the guest does not serve this app: {0}")]
    Unserved(String),
    /// It described something that cannot be published.
    #[error("what the guest describes cannot be published: {0}")]
    Manifest(#[from] ManifestFault),
    /// The same for what it offers besides tools.
    #[error("what the guest describes cannot be published: {0}")]
    Catalogue(#[from] CatalogueFault),
    /// A fault of Airlock's.
    #[error("the guest could not be loaded: {0}")]
    Internal(String),
}

/// Compiled guests, and the engine, which starts with the first of them.
pub struct Guests {
    config: EngineConfig,
    engine: OnceCell<Engine>,
    loaded: Mutex<HashMap<Digest, Arc<OnceCell<Component>>>>,
    /// How long each compilation took.
    pub compile_times: Histogram,
}

impl Guests {
    /// Nothing is started yet: `airlock app list` needs no engine.
    #[must_use]
    pub fn new(config: EngineConfig) -> Self {
        Self {
            config,
            engine: OnceCell::new(),
            loaded: Mutex::default(),
            compile_times: metrics::compile_times(),
        }
    }

    /// The engine.
    ///
    /// # Errors
    /// When it cannot be started here.
    pub async fn engine(&self) -> Result<&Engine, GuestError> {
        let config = self.config.clone();
        self.engine
            .get_or_try_init(|| async move { Ok(blocking(move || Engine::start(&config)).await??) })
            .await
    }

    /// Instances in use, and instances in all; none before the engine has started.
    #[must_use]
    pub fn instances(&self) -> (usize, usize) {
        self.engine.get().map_or((0, 0), |engine| {
            let all = engine.instances();
            (all.saturating_sub(engine.free_instances()), all)
        })
    }

    /// The compiled guest; compiled now if it is not yet. Callers that come meanwhile wait for the same compilation.
    ///
    /// # Errors
    /// [`GuestError`].
    pub async fn component(
        &self,
        registry: &Registry,
        guest: Option<Digest>,
    ) -> Result<Component, GuestError> {
        let digest = digest(guest);
        let cell = Arc::clone(self.lock().entry(digest).or_default());
        let component = cell
            .get_or_try_init(|| async {
                let bytes = match guest {
                    None => BUILT_IN.to_vec(),
                    Some(digest) => registry
                        .component(&digest)
                        .await?
                        .ok_or(GuestError::Missing(digest))?,
                };
                self.compile(bytes).await
            })
            .await?;
        Ok(component.clone())
    }

    /// Compiles a component that is not in the registry (yet).
    ///
    /// # Errors
    /// [`GuestError::Refused`], with what its author can do.
    pub async fn compile(&self, bytes: Vec<u8>) -> Result<Component, GuestError> {
        if bytes.len() > MAX_COMPONENT {
            return Err(GuestError::TooLarge { bytes: bytes.len() });
        }
        let engine = self.engine().await?.clone();
        let began = Instant::now();
        let component = blocking(move || Component::load(&engine, &bytes)).await??;
        metrics::compiled(&self.compile_times, began.elapsed());
        Ok(component)
    }

    /// Keeps what was compiled on trial, so that the app's first call does not wait for a second compilation.
    pub fn keep(&self, digest: Digest, component: Component) {
        let cell = Arc::clone(self.lock().entry(digest).or_default());
        // Where it is there already, or being compiled, the other copy is as good.
        let _ = cell.set(component);
    }

    /// Lets go of compiled guests that no app uses any more.
    pub fn retain(&self, used: impl Fn(&Digest) -> bool) {
        self.lock()
            .retain(|digest, _| *digest == *BUILT_IN_DIGEST || used(digest));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, Arc<OnceCell<Component>>>> {
        // A map of cells stays usable whatever happened while it was held.
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes of the guest that is built in, for who wants to inspect it.
#[must_use]
pub fn built_in() -> &'static [u8] {
    BUILT_IN
}

/// Asks a guest which tools serve `app`, and what else it offers, and checks the answers. `own` are the app's own bounds.
///
/// # Errors
/// [`GuestError`]: nothing of a faulty answer is kept.
pub async fn describe(
    component: &Component,
    app: wit::App,
    own: &Own,
) -> Result<Manifest, GuestError> {
    let (app, limits) = (Arc::new(app), limits::describe(own));
    let tools = answered(component.describe(Arc::clone(&app), &limits).await)?;
    let mut manifest = Manifest::from_guest(tools)?;
    let offered = &mut manifest.catalogue;
    if let Some(ended) = component
        .describe_resources(Arc::clone(&app), &limits)
        .await
    {
        offered.resources = Some(Resources::from_guest(answered(ended)?)?);
    }
    if let Some(ended) = component.describe_prompts(app, &limits).await {
        offered.prompts = Some(catalogue::prompts_from_guest(answered(ended)?)?);
    }
    offered.completions = component.completes();
    Ok(manifest)
}

fn answered<T>(ended: Ended<T>) -> Result<T, GuestError> {
    ended?.map_err(|error| GuestError::Unserved(crate::call::outcome::guest_words(&error)))
}

/// Compiling takes from a tenth of a second to many seconds: never on a thread that serves requests.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, GuestError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| GuestError::Internal(error.to_string()))
}
