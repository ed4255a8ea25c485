//! A guest that is ready to run: inspected, compiled, linked.

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::{Guest, GuestPre};
use crate::engine::Engine;
use crate::error::Refusal;
use crate::inspect::{Inspection, as_component, inspect};
use crate::state::State;

/// A guest's compiled code with its imports linked: what is left for a call is to instantiate it. Cheap to clone.
#[derive(Clone)]
pub struct Component {
    pub(crate) engine: Engine,
    pub(crate) pre: GuestPre<State>,
    inspection: Inspection,
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
        let pre = linker
            .instantiate_pre(&compiled)
            .and_then(GuestPre::new)
            .map_err(|error| Refusal::WrongTypes(format!("{error:#}")))?;
        Ok(Self {
            engine: engine.clone(),
            pre,
            inspection,
        })
    }

    /// What it asks for and offers.
    #[must_use]
    pub fn inspection(&self) -> &Inspection {
        &self.inspection
    }
}
