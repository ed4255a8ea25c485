//! The one wasmtime engine of a process: its settings, its pool, and the threads that guests run on.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::clock::Timed;
use crate::error::Failure;
use crate::placed::Placed;
use crate::ticker::Ticker;

/// How long a call waits for a free instance before it is told that there is none.
const SLOT_WAIT: Duration = Duration::from_secs(5);

/// Core instances for each component: a guest in Rust or JavaScript has three or four, one in Python fourteen, and
/// thirty-eight where `componentize-py` has stubbed WASI. The pool counts them and keeps nothing ready for them.
const CORE_PER_COMPONENT: u32 = 64;
/// Memories and tables: all of these have one memory and two tables.
const PARTS_PER_COMPONENT: u32 = 2;

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
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            instances: 128,
            threads: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            pooling: true,
        }
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
            .enable_time()
            .build()?;
        Ok(Self(Arc::new(Inner {
            ticker: Arc::new(Ticker::start(wasmtime.clone())?),
            wasmtime,
            guests: Some(guests),
            slots: Arc::new(Semaphore::new(config.instances as usize)),
            instances: config.instances,
            pooling,
        })))
    }

    /// Are instances allocated from a pool?
    #[must_use]
    pub fn pooling(&self) -> bool {
        self.0.pooling
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
        match wasmtime::Engine::new(settings().allocation_strategy(pool(config.instances))) {
            Ok(engine) => return Ok((engine, true)),
            Err(error) => {
                tracing::warn!(%error, "no address space for an instance pool; instances are allocated on demand");
            }
        }
    }
    wasmtime::Engine::new(settings().allocation_strategy(InstanceAllocationStrategy::OnDemand))
        .map(|engine| (engine, false))
        .map_err(|error| EngineError::Engine(format!("{error:#}")))
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
        .wasm_tail_call(false)
        .max_wasm_stack(512 << 10)
        .async_stack_size(1 << 20);
    config
}

/// Keeping the first pages of a slot resident and finding the dirty ones with `PAGEMAP_SCAN` (Linux 6.7; silently off
/// before) makes a fresh instance two to five times cheaper than giving the pages back each time. The guard regions
/// stay at wasmtime's default: pooling without them was the precondition of GHSA-6wgr-89rj-399p.
fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances * CORE_PER_COMPONENT)
        .max_core_instances_per_component(CORE_PER_COMPONENT)
        .total_memories(instances * PARTS_PER_COMPONENT)
        .total_tables(instances * PARTS_PER_COMPONENT)
        .total_stacks(instances)
        .max_memory_size(256 << 20)
        .max_unused_warm_slots(32)
        .linear_memory_keep_resident(2 << 20)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);
    pool
}
