//! Running a guest: a store, an instance, one function, and everything dropped again.

use std::sync::Arc;

use wasmtime::{Store, Trap, UpdateDeadline};

use crate::backend::Backend;
use crate::clock::{CpuClock, Timed};
use crate::component::Component;
use crate::error::Failure;
use crate::limits::Limits;
use crate::state::{Access, ImportInDescribe, State};
use crate::wit::{App, CallRequest, Error, Manifest, Outcome};

impl Component {
    /// Asks the guest which tools serve `app`. No import works meanwhile.
    ///
    /// # Errors
    /// `Err` when there is no answer; `Ok(Err(…))` when the guest's answer is that it cannot serve this app.
    pub async fn describe(
        &self,
        app: Arc<App>,
        limits: &Limits,
    ) -> Result<Result<Manifest, Error>, Failure> {
        let (mut store, clock) = self.store(Access::Describe, limits);
        let (pre, limits_in) = (self.pre.clone(), limits.clone());
        let future = async move {
            let ended = async {
                let guest = pre.instantiate_async(&mut store).await?;
                guest
                    .airlock_guest_tools()
                    .call_describe(&mut store, &app)
                    .await
            }
            .await;
            ended.map_err(|error| failure(&error, store.data(), &limits_in))
        };
        self.engine
            .run(
                limits.deadline,
                Timed {
                    future: Box::pin(future),
                    clock,
                },
            )
            .await
    }

    /// One call, in an instance of its own. Dropping the returned future ends the call: the store goes, and with it
    /// the backend and every run it started.
    ///
    /// # Errors
    /// `Err` when there is no answer; `Ok(Err(…))` for an error in the guest's own words.
    pub async fn call(
        &self,
        app: Arc<App>,
        request: CallRequest,
        backend: Arc<dyn Backend>,
        limits: &Limits,
    ) -> Result<Result<Outcome, Error>, Failure> {
        let (mut store, clock) = self.store(Access::Call(backend), limits);
        let (pre, limits_in) = (self.pre.clone(), limits.clone());
        let future = async move {
            let ended = async {
                let guest = pre.instantiate_async(&mut store).await?;
                guest
                    .airlock_guest_tools()
                    .call_call(&mut store, &app, &request)
                    .await
            }
            .await;
            ended.map_err(|error| failure(&error, store.data(), &limits_in))
        };
        self.engine
            .run(
                limits.deadline,
                Timed {
                    future: Box::pin(future),
                    clock,
                },
            )
            .await
    }

    pub(crate) fn store(&self, access: Access, limits: &Limits) -> (Store<State>, Arc<CpuClock>) {
        let mut store = Store::new(&self.engine.0.wasmtime, State::new(access, limits));
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(limits.host_call_bytes);
        store.set_max_component_handles(limits.handles);
        store.set_epoch_deadline(1);
        let clock = CpuClock::new();
        store.epoch_deadline_callback({
            let (clock, limit) = (Arc::clone(&clock), limits.cpu);
            move |_| {
                Ok(if clock.used() > limit {
                    UpdateDeadline::Interrupt
                } else {
                    // At each tick the guest makes room for the others on its thread.
                    UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))
                })
            }
        });
        (store, clock)
    }
}

/// Finds the cause behind wasmtime's error. A refused bound comes first: the guest traps over it in its own way.
pub(crate) fn failure(error: &wasmtime::Error, state: &State, limits: &Limits) -> Failure {
    if let Some(ImportInDescribe(import)) = error.downcast_ref() {
        return Failure::ImportInDescribe(import);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Failure::Cpu(limits.cpu),
        trap => match (state.limiter.refused, trap) {
            (Some(bound), _) => Failure::Bound(bound),
            (None, Some(trap)) => Failure::Trap(trap.to_string()),
            // Without a trap code: a value the contract does not allow, or a bound of wasmtime's own.
            (None, None) => Failure::Trap(format!("{error:#}")),
        },
    }
}
