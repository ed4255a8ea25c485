//! From a component's bytes to machine code. That may happen in another process, and the code may wait on a disk: whoever
//! brings it back answers for where it was.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::engine::settings;
use crate::error::Refusal;
use crate::inspect::{as_component, inspect};

/// The machine code of a component, in wasmtime's form. It runs in every [`Engine`](crate::Engine) of the same
/// [`compatibility`].
pub struct Compiled(Vec<u8>);

impl Compiled {
    /// Compiles a component, or a core module that carries its component type.
    ///
    /// This takes some 0.1 s for a Rust guest and many seconds for an interpreter, and a component can be made for which it
    /// takes hours or all memory: nothing here bounds it. It needs no [`Engine`](crate::Engine), and no pool's address
    /// space.
    ///
    /// # Errors
    /// A [`Refusal`] that says what the component's author can do.
    pub fn of(bytes: &[u8]) -> Result<Self, Refusal> {
        let bytes = as_component(bytes)?;
        inspect(&bytes)?;
        compiler()
            .and_then(|compiler| compiler.precompile_component(&bytes))
            .map(Self)
            .map_err(|error| Refusal::Invalid(format!("{error:#}")))
    }

    /// Takes code back that [`of`](Self::of) made, here or in another process.
    ///
    /// # Safety
    /// The bytes must be exactly what [`as_bytes`](Self::as_bytes) gave of a `Compiled` that this program, or another
    /// version of it, made with [`of`](Self::of). They are run as they are: whoever can write them owns the process.
    /// wasmtime refuses code of another processor, other settings, or another major version of its own by itself.
    #[expect(
        unsafe_code,
        reason = "only the caller can know where the bytes come from"
    )]
    #[must_use]
    pub unsafe fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The code, to be kept.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Which code engines of this program take: a hash of the processor, wasmtime's full version, and the settings. Another
/// one after an update, even one of wasmtime's patches alone, is wanted: code that a compiler with a fault has made goes
/// with it.
///
/// # Errors
/// When the compiler does not know this processor.
pub fn compatibility() -> Result<u64, Refusal> {
    let compiler = compiler().map_err(|error| Refusal::Invalid(format!("{error:#}")))?;
    let mut hasher = DefaultHasher::new();
    compiler.precompile_compatibility_hash().hash(&mut hasher);
    Ok(hasher.finish())
}

/// Where instances will be allocated is no part of the code, so no pool is reserved.
fn compiler() -> wasmtime::Result<wasmtime::Engine> {
    let on_demand = wasmtime::InstanceAllocationStrategy::OnDemand;
    wasmtime::Engine::new(settings().allocation_strategy(on_demand))
}
