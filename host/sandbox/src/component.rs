//! A guest that is ready to run: inspected, compiled, linked.

use std::sync::Arc;

use wasmtime::component::{HasSelf, InstancePre, Linker};

use crate::bindings::completions::GuestCompletionsIndices;
use crate::bindings::prompts::GuestPromptsIndices;
use crate::bindings::resources::GuestResourcesIndices;
use crate::bindings::{Guest, GuestIndices};
use crate::engine::Engine;
use crate::error::Refusal;
use crate::inspect::{COMPLETIONS, Inspection, PROMPTS, RESOURCES, as_component, inspect};
use crate::pace::Pace;
use crate::state::State;

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
    /// Takes in a component, or a core module that carries its component type.
    ///
    /// This compiles, which takes some 0.1 s for a Rust guest and many seconds for an interpreter: call it where
    /// blocking is allowed.
    ///
    /// # Errors
    /// A [`Refusal`] that says what the component's author can do.
    pub fn load(engine: &Engine, bytes: &[u8]) -> Result<Self, Refusal> {
        let bytes = as_component(bytes)?;
        let inspection = inspect(&bytes)?;
        let compiled = wasmtime::component::Component::from_binary(&engine.0.wasmtime, &bytes)
            .map_err(|error| Refusal::Invalid(format!("{error:#}")))?;
        let mut linker = Linker::new(&engine.0.wasmtime);
        Guest::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)
            .map_err(|error| Refusal::Invalid(format!("{error:#}")))?;
        let wrong_types = |error: wasmtime::Error| Refusal::WrongTypes(format!("{error:#}"));
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

    /// Can it finish what a person types?
    #[must_use]
    pub fn completes(&self) -> bool {
        self.exports.completions.is_some()
    }
}
