//! A guest that is ready to run: inspected, compiled, linked.

use std::sync::Arc;

use wasmtime::component::{HasSelf, InstancePre, Linker};

use crate::bindings::completions::GuestCompletionsIndices;
use crate::bindings::prompts::GuestPromptsIndices;
use crate::bindings::resources::GuestResourcesIndices;
use crate::bindings::{Guest, GuestIndices};
use crate::compiled::Compiled;
use crate::engine::Engine;
use crate::error::Refusal;
use crate::inspect::{COMPLETIONS, Inspection, PROMPTS, RESOURCES};
use crate::pace::Pace;
use crate::state::State;
use crate::wasi;

/// A guest's compiled code with its imports linked: what is left for a call is to instantiate it. Cheap to clone.
#[derive(Clone)]
pub struct Component {
    pub(crate) engine: Engine,
    pub(crate) pre: InstancePre<State>,
    pub(crate) exports: Exports,
    pub(crate) pace: Arc<Pace>,
    inspection: Inspection,
}

/// Where in the component the functions of each export stand.
#[derive(Clone)]
pub(crate) struct Exports {
    pub(crate) tools: GuestIndices,
    pub(crate) resources: Option<GuestResourcesIndices>,
    pub(crate) prompts: Option<GuestPromptsIndices>,
    pub(crate) completions: Option<GuestCompletionsIndices>,
}

impl Component {
    /// Compiles and links; see [`Compiled::of`] for what that may cost.
    ///
    /// # Errors
    /// A [`Refusal`] that says what the component's author can do.
    pub fn load(engine: &Engine, bytes: &[u8]) -> Result<Self, Refusal> {
        Self::link(engine, &Compiled::of(bytes)?)
    }

    /// Takes in compiled code, which is copied. This takes less than a millisecond for a Rust guest and some 50 ms for an
    /// interpreter: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`Refusal::WrongTypes`], and [`Refusal::Invalid`] for code of another [`compatibility`](crate::compatibility).
    #[expect(
        unsafe_code,
        reason = "wasmtime trusts machine code; who made the `Compiled` has answered for it"
    )]
    pub fn link(engine: &Engine, compiled: &Compiled) -> Result<Self, Refusal> {
        // SAFETY: wasmtime asks that the bytes are its own, unchanged. A `Compiled` is either made by it a moment ago or
        // promised to be that by the caller of `Compiled::from_bytes`. They are memory of ours, which nobody else can
        // change while they are read, as they could a mapped file.
        let compiled = unsafe {
            wasmtime::component::Component::deserialize(&engine.0.wasmtime, compiled.as_bytes())
        }
        .map_err(|error| Refusal::Invalid(format!("{error:#}")))?;
        let inspection = Inspection::of(&engine.0.wasmtime, &compiled);
        let mut linker = Linker::new(&engine.0.wasmtime);
        Guest::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)
            .map_err(|error| Refusal::Invalid(format!("{error:#}")))?;
        let wrong_types = |error: wasmtime::Error| Refusal::WrongTypes(format!("{error:#}"));
        wasi::link(&mut linker, &compiled).map_err(wrong_types)?;
        let pre = linker.instantiate_pre(&compiled).map_err(wrong_types)?;
        let exports = Exports {
            tools: GuestIndices::new(&pre).map_err(wrong_types)?,
            resources: inspection
                .offers(RESOURCES)
                .then(|| GuestResourcesIndices::new(&pre))
                .transpose()
                .map_err(wrong_types)?,
            prompts: inspection
                .offers(PROMPTS)
                .then(|| GuestPromptsIndices::new(&pre))
                .transpose()
                .map_err(wrong_types)?,
            completions: inspection
                .offers(COMPLETIONS)
                .then(|| GuestCompletionsIndices::new(&pre))
                .transpose()
                .map_err(wrong_types)?,
        };
        Ok(Self {
            engine: engine.clone(),
            pre,
            exports,
            pace: Arc::default(),
            inspection,
        })
    }

    /// What it asks for and offers.
    #[must_use]
    pub fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    /// Bytes of its code and of what is kept with it, as they are in memory.
    #[must_use]
    pub fn code_size(&self) -> usize {
        let image = self.pre.component().image_range();
        image.end.addr() - image.start.addr()
    }

    /// Can it finish what a person types?
    #[must_use]
    pub fn completes(&self) -> bool {
        self.exports.completions.is_some()
    }
}
