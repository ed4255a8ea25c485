//! The one wasmtime engine of a process: its settings, its pool, and the threads that guests run on.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::clock::Timed;
use crate::error::Failure;
use crate::limits::Limits;
use crate::placed::Placed;
use crate::ticker::Ticker;

/// How long a call waits for a free instance before it is told that there is none.
const SLOT_WAIT: Duration = Duration::from_secs(5);

/// Core instances, memories and tables that one component may have: the pool has room for as many in each of its
/// instances, so that no guest takes its neighbour's. A core instance takes no room beforehand, a table some address
/// space, a memory over 4 GiB of it. A guest in Rust or JavaScript has three or four core instances, one in Python
/// fourteen, and thirty-eight where `componentize-py` has stubbed WASI; all of these have one memory and two tables.
const INSTANCES_PER_COMPONENT: u32 = 256;
const MEMORIES_PER_COMPONENT: u32 = 2;
const TABLES_PER_COMPONENT: u32 = 8;
/// Bytes of one memory, and elements of one table.
const MAX_MEMORY: usize = 256 << 20;
const MAX_TABLE_ELEMENTS: usize = 20_000;

/// Free memories of the pool that stay ready for the component that had them last, for each processor: wasmtime has its
/// threads share them out so. And bytes that each keeps with the process: a call of the default guest touches less
/// than 64 KiB.
const WARM: u32 = 32;
const KEPT: usize = 128 << 10;
/// The same for a stack: what a call of the default guest needs, imports included. With half of it, a call on a busy
/// server cost a fifth more processor time, because each gave pages back; with this no difference could be measured.
const STACK_KEPT: usize = 32 << 10;

/// What the engine is built with.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Calls that may hold an instance at one time, those that wait for Dify included. 128.
    pub instances: u32,
    /// Threads for guests, apart from those that serve requests. As many as there are processors.
    pub threads: usize,
    /// Reserve memory for all instances beforehand. Where the address space is too small for it (a container with
    /// `ulimit -v`, 39-bit arm64), the engine falls back to allocating on demand, and logs so.
    pub pooling: bool,
    /// Bytes of stack for each guest. 512 KiB.
    pub stack: usize,
}

impl EngineConfig {
    /// The most that one call may be given of what the engine is built for: memory, table elements, core instances,
    /// memories and tables. The rest of these limits has no end here.
    #[must_use]
    pub fn room() -> Limits {
        Limits {
            memory: MAX_MEMORY,
            table_elements: MAX_TABLE_ELEMENTS,
            instances: INSTANCES_PER_COMPONENT as usize,
            memories: MEMORIES_PER_COMPONENT as usize,
            tables: TABLES_PER_COMPONENT as usize,
            ..Limits::default()
        }
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            instances: 128,
            threads: processors() as usize,
            pooling: true,
            stack: 512 << 10,
        }
    }
}

fn processors() -> u32 {
    let all = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    u32::try_from(all).unwrap_or(u32::MAX)
}

/// How much later than the rest of the process a guest's thread has its turn, as `nice` counts: a third of a share where
/// the processor is short.
const STEP_BACK: i32 = 5;

/// Has this thread, and on Linux this thread alone, come after those that serve requests.
fn step_back() {
    if cfg!(target_os = "linux")
        && let Err(error) = rustix::process::nice(STEP_BACK)
    {
        tracing::warn!(%error, "a guest's thread has the same priority as the others");
    }
}

/// The engine could not be built. The host cannot run without it.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// wasmtime refused.
    #[error("the WebAssembly engine did not start: {0}")]
    Engine(String),
    /// No thread to be had.
    #[error("no thread could be started for guests: {0}")]
    Thread(#[from] std::io::Error),
}

/// Runs guests. Cheap to clone; guests end when the last clone is dropped.
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) wasmtime: wasmtime::Engine,
    pub(crate) ticker: Arc<Ticker>,
    /// Guests that compute for long have threads of their own: two that spin on the threads that serve requests would
    /// delay a neighbour's I/O by hundreds of milliseconds, since tokio polls its driver only now and then. Here the
    /// operating system shares the processor out. `None` only while dropping.
    guests: Option<Runtime>,
    slots: Arc<Semaphore>,
    instances: u32,
    pooling: bool,
    pub(crate) stack: usize,
}

impl Engine {
    /// Starts the engine, its ticker and its threads.
    ///
    /// # Errors
    /// When neither a pool nor on-demand allocation can be had, or no thread.
    pub fn start(config: &EngineConfig) -> Result<Self, EngineError> {
        let (wasmtime, pooling) = build(config)?;
        let guests = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(config.threads.max(1))
            .thread_name("airlock-guest")
            .on_thread_start(step_back)
            .enable_time()
            .build()?;
        Ok(Self(Arc::new(Inner {
            ticker: Arc::new(Ticker::start(wasmtime.clone())?),
            wasmtime,
            guests: Some(guests),
            slots: Arc::new(Semaphore::new(config.instances as usize)),
            instances: config.instances,
            pooling,
            stack: config.stack,
        })))
    }

    /// Are instances allocated from a pool?
    #[must_use]
    pub fn pooling(&self) -> bool {
        self.0.pooling
    }

    /// Instances in all.
    #[must_use]
    pub fn instances(&self) -> usize {
        self.0.instances as usize
    }

    /// Instances that are free at this moment.
    #[must_use]
    pub fn free_instances(&self) -> usize {
        self.0.slots.available_permits()
    }

    /// Runs `guest` until it ends or `deadline` has passed, on this thread as long as it is quick (see [`crate::pace`]).
    /// Dropping the returned future drops the guest's store, at the latest a tick later when the guest is computing.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        deadline: Duration,
        guest: Timed<impl Future<Output = Result<T, Failure>> + Send + 'static>,
    ) -> Result<T, Failure> {
        let inner = &self.0;
        let slot = tokio::time::timeout(
            SLOT_WAIT.min(deadline),
            Arc::clone(&inner.slots).acquire_owned(),
        )
        .await
        .map_err(|_| Failure::Full(inner.instances as usize))?
        .map_err(|closed| Failure::Internal(closed.to_string()))?;
        let Some(guests) = &inner.guests else {
            return Err(Failure::Internal("the engine is shutting down".into()));
        };
        let (clock, pace) = (Arc::clone(&guest.clock), Arc::clone(&guest.pace));
        let call = async move {
            let ended = tokio::time::timeout(deadline, guest).await;
            drop(slot);
            ended.unwrap_or(Err(Failure::Deadline(deadline)))
        };
        Placed::new(Box::pin(call), clock, pace, guests.handle()).await
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Dropping a runtime inside another one's task panics; this never blocks.
        if let Some(guests) = self.guests.take() {
            guests.shutdown_background();
        }
    }
}

fn build(config: &EngineConfig) -> Result<(wasmtime::Engine, bool), EngineError> {
    if config.pooling {
        match wasmtime::Engine::new(settings_of(config).allocation_strategy(pool(config.instances)))
        {
            Ok(engine) => return Ok((engine, true)),
            Err(error) => {
                tracing::warn!(%error, "no address space for an instance pool; instances are allocated on demand");
            }
        }
    }
    wasmtime::Engine::new(
        settings_of(config).allocation_strategy(InstanceAllocationStrategy::OnDemand),
    )
    .map(|engine| (engine, false))
    .map_err(|error| EngineError::Engine(format!("{error:#}")))
}

/// The same with room to run in, which is no part of the code.
fn settings_of(engine: &EngineConfig) -> Config {
    let mut config = settings();
    config
        .max_wasm_stack(engine.stack)
        // What the host needs of it for an import comes on top.
        .async_stack_size(engine.stack + (512 << 10))
        // A guest that recursed would leave its whole stack with the process.
        .async_stack_zeroing(true);
    config
}

/// What guests may use of WebAssembly, and what the lean engine leaves out. Each proposal that is off is a part of
/// wasmtime that no guest can reach.
pub(crate) fn settings() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .gc_support(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false);
    config
}

/// Keeping the first pages of a slot resident and finding the dirty ones with `PAGEMAP_SCAN` (Linux 6.7; silently off
/// before) makes a fresh instance two to five times cheaper than giving the pages back each time. The guard regions
/// stay at wasmtime's default: pooling without them was the precondition of GHSA-6wgr-89rj-399p.
fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances * INSTANCES_PER_COMPONENT)
        .total_memories(instances * MEMORIES_PER_COMPONENT)
        .total_tables(instances * TABLES_PER_COMPONENT)
        .total_stacks(instances)
        .table_elements(MAX_TABLE_ELEMENTS)
        .max_memory_size(MAX_MEMORY)
        .max_unused_warm_slots(WARM.saturating_mul(processors()).min(instances))
        .linear_memory_keep_resident(KEPT)
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(STACK_KEPT)
        .pagemap_scan(Enabled::Auto);
    pool
}
