//! The guests of this process: the one built in and those in the registry, loaded when first needed.
//!
//! * [`Guests`]: finds a guest in memory, else in the cache, else has it compiled.
//! * [`compiler`]: compiles in a process of its own, within bounds; [`child`] is that process.
//! * [`cache`]: machine code on disk, under a tag.
//! * `loaded`: what is ready to run, within a bound.
//! * [`permissions`]: what a guest's imports let it do.
//! * [`describe`]: asks a guest what it offers.

pub mod cache;
pub mod child;
pub mod compiler;
mod loaded;
pub mod permissions;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use airlock_registry::{Digest, Registry};
use airlock_sandbox::{
    Compiled, Component, Ended, Engine, EngineConfig, EngineError, Failure, Refusal, wit,
};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::OnceCell;

use cache::{Cache, CacheConfig, Unusable};
use compiler::{Compiler, CompilerConfig, OverBound};
use loaded::Loaded;

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

/// A stored guest that was refused is not compiled again before this: each of its calls would have the compiler busy.
const REFUSED_FOR: Duration = Duration::from_secs(60);

/// A guest that cannot be had, or cannot say what it offers.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// No engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A component that Airlock does not take.
    #[error("the guest is refused: {0}")]
    Refused(#[from] Refusal),
    /// One that the compiler could not be given the time or memory for.
    #[error("the guest is refused: {0}")]
    OverBound(#[from] OverBound),
    /// Too many components are to be compiled.
    #[error("{0} components wait to be compiled already; try again in a minute")]
    Busy(usize),
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
    /// What everybody is told who waited for the same guest.
    #[error(transparent)]
    Shared(#[from] Arc<Self>),
    /// A fault of Airlock's.
    #[error("the guest could not be loaded: {0}")]
    Internal(String),
}

impl GuestError {
    /// Do too many wait already?
    #[must_use]
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Shared(error) => error.is_busy(),
            _ => matches!(self, Self::Busy(_)),
        }
    }

    /// Is it found in the component itself, so that another try would find it too?
    fn is_of_component(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::OverBound(_))
    }
}

/// What guests are run, compiled and kept with.
pub struct GuestsConfig {
    /// The engine's.
    pub engine: EngineConfig,
    /// The compiler's.
    pub compiler: CompilerConfig,
    /// Where code is kept. `None`: nowhere, and each process compiles.
    pub cache: Option<CacheConfig>,
    /// Bytes of code that are held ready in memory.
    pub loaded: usize,
}

/// What was done for guests since this process began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Components that were compiled.
    pub compiled: u64,
    /// Components whose code came from the cache.
    pub cached: u64,
    /// Entries of the cache that could not be used, and were replaced.
    pub unusable: u64,
}

/// Guests that are ready to run, and the engine, which starts with the first of them. Cheap to clone.
#[derive(Clone)]
pub struct Guests(Arc<Inner>);

struct Inner {
    config: EngineConfig,
    engine: OnceCell<Engine>,
    compiler: Compiler,
    cache: Option<Arc<Cache>>,
    loaded: Loaded<Component>,
    /// Those that are being loaded, so that nothing is loaded twice at one time.
    loading: Mutex<HashMap<Digest, Loading>>,
    refused: Mutex<HashMap<Digest, (Instant, Arc<GuestError>)>>,
    compiled: AtomicU64,
    cached: AtomicU64,
    unusable: AtomicU64,
    compile_times: Histogram,
}

type Loading = Shared<BoxFuture<'static, Result<Component, Arc<GuestError>>>>;

/// Where a component's bytes are, until they are needed.
enum Source {
    BuiltIn,
    Registry(Registry),
    Bytes(Vec<u8>),
}

impl Guests {
    /// Nothing is started yet: `airlock app list` needs no engine.
    ///
    /// # Errors
    /// When the compiler does not know this processor.
    pub fn new(config: GuestsConfig) -> Result<Self, GuestError> {
        let cache = config.cache.map(|cache| -> Result<_, Refusal> {
            Ok(Arc::new(Cache::new(
                cache,
                airlock_sandbox::compatibility()?,
            )))
        });
        Ok(Self(Arc::new(Inner {
            config: config.engine,
            engine: OnceCell::new(),
            compiler: Compiler::new(config.compiler),
            cache: cache.transpose()?,
            loaded: Loaded::new(config.loaded),
            loading: Mutex::default(),
            refused: Mutex::default(),
            compiled: AtomicU64::new(0),
            cached: AtomicU64::new(0),
            unusable: AtomicU64::new(0),
            compile_times: metrics::compile_times(),
        })))
    }

    /// The engine.
    ///
    /// # Errors
    /// When it cannot be started here.
    pub async fn engine(&self) -> Result<&Engine, GuestError> {
        self.0.engine().await
    }

    /// How long each compilation took.
    #[must_use]
    pub fn compile_times(&self) -> Histogram {
        self.0.compile_times.clone()
    }

    /// Instances in use, and instances in all; none before the engine has started.
    #[must_use]
    pub fn instances(&self) -> (usize, usize) {
        self.0.engine.get().map_or((0, 0), |engine| {
            let all = engine.instances();
            (all.saturating_sub(engine.free_instances()), all)
        })
    }

    /// The guest, loaded now if it is not yet. Callers that come meanwhile wait for the same one, and it goes on being
    /// loaded when they leave.
    ///
    /// # Errors
    /// [`GuestError`].
    pub async fn component(
        &self,
        registry: &Registry,
        guest: Option<Digest>,
    ) -> Result<Component, GuestError> {
        let digest = digest(guest);
        if let Some(component) = self.0.loaded.get(&digest) {
            return Ok(component);
        }
        if let Some(refusal) = self.0.refusal(&digest) {
            return Err(refusal.into());
        }
        let source = match guest {
            None => Source::BuiltIn,
            Some(_) => Source::Registry(registry.clone()),
        };
        Box::pin(self.0.load(digest, source)).await
    }

    /// Takes in a component that is not in the registry (yet). What was compiled is kept, for the call that may come.
    ///
    /// # Errors
    /// [`GuestError::Refused`] and [`GuestError::OverBound`], with what its author can do.
    pub async fn take_in(&self, bytes: Vec<u8>) -> Result<Component, GuestError> {
        let (digest, bytes) = blocking(move || (Digest::of(&bytes), bytes)).await?;
        self.0.load(digest, Source::Bytes(bytes)).await
    }

    /// Compiles a guest now that is not in the cache, so that its first call need not wait for that.
    ///
    /// # Errors
    /// [`GuestError`].
    pub async fn prepare(
        &self,
        registry: &Registry,
        guest: Option<Digest>,
    ) -> Result<(), GuestError> {
        let cache = self.0.cache.as_ref();
        if cache.is_some_and(|cache| cache.has(&digest(guest))) {
            return Ok(());
        }
        self.component(registry, guest).await.map(drop)
    }

    /// Lets go of loaded guests that no app uses any more.
    pub fn retain(&self, used: impl Fn(&Digest) -> bool) {
        let used = |digest: &Digest| *digest == *BUILT_IN_DIGEST || used(digest);
        self.0.loaded.retain(used);
        lock(&self.0.refused).retain(|digest, _| used(digest));
    }

    /// What was done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            compiled: read(&self.0.compiled),
            cached: read(&self.0.cached),
            unusable: read(&self.0.unusable),
        }
    }
}

impl Inner {
    async fn engine(&self) -> Result<&Engine, GuestError> {
        let config = self.config.clone();
        self.engine
            .get_or_try_init(|| async move { Ok(blocking(move || Engine::start(&config)).await??) })
            .await
    }

    fn refusal(&self, digest: &Digest) -> Option<Arc<GuestError>> {
        let refused = lock(&self.refused);
        let (when, refusal) = refused.get(digest)?;
        (when.elapsed() < REFUSED_FOR).then(|| Arc::clone(refusal))
    }

    async fn load(
        self: &Arc<Self>,
        digest: Digest,
        source: Source,
    ) -> Result<Component, GuestError> {
        let loading = {
            let mut all = lock(&self.loading);
            // It may have come since it was looked for.
            if let Some(component) = self.loaded.get(&digest) {
                return Ok(component);
            }
            let begin = || Arc::clone(self).begin(digest, source);
            all.entry(digest).or_insert_with(begin).clone()
        };
        Ok(loading.await?)
    }

    /// Loads in a task of its own: a caller with little patience must not end what others wait for.
    fn begin(self: Arc<Self>, digest: Digest, source: Source) -> Loading {
        // What is only on trial is nobody's to call.
        let stored = !matches!(source, Source::Bytes(_));
        let task = tokio::spawn(async move {
            let done = Done(&self, digest);
            let loaded = self.fetch(&digest, source).await.map_err(Arc::new);
            match &loaded {
                Ok(component) => {
                    let bytes = component.code_size();
                    self.loaded.put(digest, component.clone(), bytes);
                    lock(&self.refused).remove(&digest);
                }
                Err(error) if stored && error.is_of_component() => {
                    let refused = (Instant::now(), Arc::clone(error));
                    lock(&self.refused).insert(digest, refused);
                }
                Err(_) => {}
            }
            drop(done);
            loaded
        });
        task.map(|ended| {
            ended.unwrap_or_else(|error| Err(Arc::new(GuestError::Internal(error.to_string()))))
        })
        .boxed()
        .shared()
    }

    async fn fetch(&self, digest: &Digest, source: Source) -> Result<Component, GuestError> {
        let engine = self.engine().await?;
        if let Some(component) = self.load_cached(engine, digest).await? {
            return Ok(component);
        }
        let turn = self.compiler.turn().await?;
        let bytes = match source {
            Source::BuiltIn => BUILT_IN.to_vec(),
            Source::Registry(registry) => registry
                .component(digest)
                .await?
                .ok_or(GuestError::Missing(*digest))?,
            Source::Bytes(bytes) => bytes,
        };
        let began = Instant::now();
        let compiled = self.compiler.compile(bytes, &turn).await?;
        metrics::compiled(&self.compile_times, began.elapsed());
        self.compiled.fetch_add(1, Ordering::Relaxed);
        let (engine, cache, digest) = (engine.clone(), self.cache.clone(), *digest);
        let linked = blocking(move || {
            let component = Component::link(&engine, &compiled)?;
            if let Some(Err(error)) = cache.map(|cache| cache.put(&digest, &compiled)) {
                tracing::warn!(guest = %digest, %error, "a compiled guest cannot be kept in cache/; the next start compiles it again");
            }
            Ok::<_, Refusal>(component)
        });
        Ok(linked.await??)
    }

    /// `None` where the cache has nothing that can be used.
    async fn load_cached(
        &self,
        engine: &Engine,
        digest: &Digest,
    ) -> Result<Option<Component>, GuestError> {
        let Some(cache) = self.cache.clone() else {
            return Ok(None);
        };
        let (engine, wanted) = (engine.clone(), *digest);
        let found = blocking(move || {
            let compiled: Compiled = cache.get(&wanted)?;
            Component::link(&engine, &compiled).map_err(Unusable::from)
        });
        match found.await? {
            Ok(component) => {
                self.cached.fetch_add(1, Ordering::Relaxed);
                Ok(Some(component))
            }
            Err(Unusable::Absent) => Ok(None),
            Err(error) => {
                self.unusable.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(guest = %digest, %error, "a compiled guest in cache/ is not used; it is compiled anew and replaced");
                Ok(None)
            }
        }
    }
}

/// Takes a guest off the list of those being loaded, however that ends.
struct Done<'a>(&'a Inner, Digest);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        lock(&self.0.loading).remove(&self.1);
    }
}

fn lock<T>(map: &Mutex<T>) -> MutexGuard<'_, T> {
    // These maps stay usable whatever happened while they were held.
    map.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests;
