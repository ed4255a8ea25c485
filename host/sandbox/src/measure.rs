//! The parts of a call by themselves, on the caller's own thread: for the benchmark, which shows what each costs.

use std::sync::Arc;

use wasmtime::Store;

use crate::backend::Backend;
use crate::bindings::Guest;
use crate::call::failure;
use crate::clock::CpuClock;
use crate::component::Component;
use crate::error::Failure;
use crate::limits::Limits;
use crate::state::{Access, State};
use crate::wit::{App, CallRequest, Error, Outcome};

/// An instance that may be called again, which a published guest's never is. Dropping it frees its place in the pool.
pub struct Instance {
    store: Store<State>,
    guest: Guest,
    clock: Arc<CpuClock>,
    limits: Limits,
    component: Component,
}

impl Instance {
    /// A fresh one. `limits` hold for all its calls together; `deadline` is not kept here.
    ///
    /// # Errors
    /// When it cannot be instantiated.
    pub async fn new(
        component: &Component,
        backend: Arc<dyn Backend>,
        limits: &Limits,
    ) -> Result<Self, Failure> {
        let (mut store, clock) = component.store(Access::Call(backend), limits);
        let tools = &component.exports.tools;
        let instantiating = async {
            let instance = component.pre.instantiate_async(&mut store).await?;
            tools.load(&mut store, &instance)
        };
        let instantiated = component.timed(instantiating, Arc::clone(&clock)).await;
        match instantiated {
            Ok(guest) => Ok(Self {
                store,
                guest,
                clock,
                limits: limits.clone(),
                component: component.clone(),
            }),
            Err(error) => Err(failure(&error, store.data(), limits)),
        }
    }

    /// One call.
    ///
    /// # Errors
    /// As [`Component::call`]; after an outer `Err` the instance is of no more use.
    pub async fn call(
        &mut self,
        app: &App,
        request: &CallRequest,
    ) -> Result<Result<Outcome, Error>, Failure> {
        let tools = self.guest.airlock_guest_tools();
        let calling = tools.call_call(&mut self.store, app, request);
        let timed = self.component.timed(calling, Arc::clone(&self.clock));
        let ended = timed.await;
        ended.map_err(|error| failure(&error, self.store.data(), &self.limits))
    }
}
