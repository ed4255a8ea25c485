//! Running a guest: a store, an instance, one function, and everything dropped again.

use std::sync::Arc;

use wasmtime::component::Instance;
use wasmtime::{Store, Trap, UpdateDeadline};

use crate::backend::{Backend, BoxFuture};
use crate::clock::{CpuClock, Timed};
use crate::component::Component;
use crate::error::{Bound, Failure};
use crate::limits::Limits;
use crate::pace::{LONG, UNNOTICED};
use crate::state::{Access, ImportInDescribe, State};
use crate::wit::{
    App, CallRequest, Error, Manifest, Outcome, completions::*, prompts::*, resources::*,
};

/// What a function of the contract comes to: the guest's answer or its own error, unless it [`Failure`]s.
pub type Ended<T> = Result<Result<T, Error>, Failure>;

impl Component {
    /// Asks the guest which tools serve `app`. No import works meanwhile.
    ///
    /// # Errors
    /// `Err` when there is no answer; `Ok(Err(…))` when the guest's answer is that it cannot serve this app.
    pub async fn describe(&self, app: Arc<App>, limits: &Limits) -> Ended<Manifest> {
        let tools = self.exports.tools.clone();
        self.run(Access::Describe, limits, move |store, instance| {
            Box::pin(async move {
                let guest = tools.load(&mut *store, instance)?;
                guest.airlock_guest_tools().call_describe(store, &app).await
            })
        })
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
    ) -> Ended<Outcome> {
        let tools = self.exports.tools.clone();
        self.run(Access::Call(backend), limits, move |store, instance| {
            Box::pin(async move {
                let guest = tools.load(&mut *store, instance)?;
                let tools = guest.airlock_guest_tools();
                tools.call_call(store, &app, &request).await
            })
        })
        .await
    }

    /// Asks the guest what there is to read, as [`Component::describe`] does; `None` where it exports no resources.
    ///
    /// # Errors
    /// As [`Component::describe`].
    pub async fn describe_resources(
        &self,
        app: Arc<App>,
        limits: &Limits,
    ) -> Option<Ended<crate::wit::resources::Catalogue>> {
        let resources = self.exports.resources.clone()?;
        let described = self.run(Access::Describe, limits, move |store, instance| {
            Box::pin(async move {
                let guest = resources.load(&mut *store, instance)?;
                let resources = guest.airlock_guest_resources();
                resources.call_describe(store, &app).await
            })
        });
        Some(described.await)
    }

    /// One read, as [`Component::call`] makes a call; `None` where the guest exports no resources.
    ///
    /// # Errors
    /// As [`Component::call`].
    pub async fn read(
        &self,
        app: Arc<App>,
        request: ReadRequest,
        backend: Arc<dyn Backend>,
        limits: &Limits,
    ) -> Option<Ended<ReadOutcome>> {
        let resources = self.exports.resources.clone()?;
        let read = self.run(Access::Call(backend), limits, move |store, instance| {
            Box::pin(async move {
                let guest = resources.load(&mut *store, instance)?;
                let resources = guest.airlock_guest_resources();
                resources.call_read(store, &app, &request).await
            })
        });
        Some(read.await)
    }

    /// Asks the guest what there is to begin with, as [`Component::describe`] does; `None` where it exports no prompts.
    ///
    /// # Errors
    /// As [`Component::describe`].
    pub async fn describe_prompts(
        &self,
        app: Arc<App>,
        limits: &Limits,
    ) -> Option<Ended<crate::wit::prompts::Catalogue>> {
        let prompts = self.exports.prompts.clone()?;
        let described = self.run(Access::Describe, limits, move |store, instance| {
            Box::pin(async move {
                let guest = prompts.load(&mut *store, instance)?;
                let prompts = guest.airlock_guest_prompts();
                prompts.call_describe(store, &app).await
            })
        });
        Some(described.await)
    }

    /// The messages of one prompt, as [`Component::call`] makes a call; `None` where the guest exports no prompts.
    ///
    /// # Errors
    /// As [`Component::call`].
    pub async fn get_prompt(
        &self,
        app: Arc<App>,
        request: GetRequest,
        backend: Arc<dyn Backend>,
        limits: &Limits,
    ) -> Option<Ended<GetOutcome>> {
        let prompts = self.exports.prompts.clone()?;
        let got = self.run(Access::Call(backend), limits, move |store, instance| {
            Box::pin(async move {
                let guest = prompts.load(&mut *store, instance)?;
                let prompts = guest.airlock_guest_prompts();
                prompts.call_get(store, &app, &request).await
            })
        });
        Some(got.await)
    }

    /// Finishes what a person types, as [`Component::call`] makes a call; `None` where the guest exports no completions.
    ///
    /// # Errors
    /// As [`Component::call`].
    pub async fn complete(
        &self,
        app: Arc<App>,
        request: CompleteRequest,
        backend: Arc<dyn Backend>,
        limits: &Limits,
    ) -> Option<Ended<Completion>> {
        let completions = self.exports.completions.clone()?;
        let completed = self.run(Access::Call(backend), limits, move |store, instance| {
            Box::pin(async move {
                let guest = completions.load(&mut *store, instance)?;
                let completions = guest.airlock_guest_completions();
                completions.call_complete(store, &app, &request).await
            })
        });
        Some(completed.await)
    }

    /// One function of a fresh instance, within `limits`.
    async fn run<T, F>(&self, access: Access, limits: &Limits, function: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Store<State>, &'a Instance) -> BoxFuture<'a, wasmtime::Result<T>>
            + Send
            + 'static,
    {
        let (mut store, clock) = self.store(access, limits);
        let (pre, limits_in) = (self.pre.clone(), limits.clone());
        let future = async move {
            let ended = match pre.instantiate_async(&mut store).await {
                Ok(instance) => function(&mut store, &instance).await,
                Err(error) => Err(error),
            };
            store.data_mut().end_output();
            ended.map_err(|error| failure(&error, store.data(), &limits_in))
        };
        let timed = self.timed(future, clock);
        self.engine.run(limits.deadline, timed).await
    }

    pub(crate) fn timed<F: Future>(&self, future: F, clock: Arc<CpuClock>) -> Timed<F> {
        Timed {
            future: Box::pin(future),
            clock,
            pace: Arc::clone(&self.pace),
            ticker: Arc::clone(&self.engine.0.ticker),
        }
    }

    pub(crate) fn store(&self, access: Access, limits: &Limits) -> (Store<State>, Arc<CpuClock>) {
        let mut store = Store::new(
            &self.engine.0.wasmtime,
            State::new(access, limits, self.engine.0.stack),
        );
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(limits.to_host);
        store.set_max_component_handles(limits.handles);
        store.set_epoch_deadline(1);
        let clock = Arc::new(CpuClock::default());
        store.epoch_deadline_callback({
            let (clock, limit) = (Arc::clone(&clock), limits.cpu);
            let pace = Arc::clone(&self.pace);
            move |_| {
                let stretch = clock.stretch();
                let used = clock.used_before() + stretch;
                Ok(if used > limit {
                    UpdateDeadline::Interrupt
                } else if stretch < UNNOTICED {
                    // The epoch has moved while this guest waited.
                    UpdateDeadline::Continue(1)
                } else {
                    if used > LONG {
                        pace.very_slow();
                    }
                    // The guest makes room for the others on its thread, or leaves it.
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
            (None, Some(Trap::StackOverflow)) => Failure::Bound(Bound::Stack(state.stack)),
            (None, Some(trap)) => trapped(trap.to_string(), state),
            // Without a trap code: a bound that wasmtime keeps itself, or a value the contract does not allow.
            (None, None) => {
                let words = format!("{error:#}");
                match bound(&words, limits) {
                    Some(bound) => Failure::Bound(bound),
                    None => trapped(words, state),
                }
            }
        },
    }
}

fn trapped(trap: String, state: &State) -> Failure {
    Failure::Trap(match state.last_words() {
        Some(words) => format!("{trap}; its last words: {words}"),
        None => trap,
    })
}

/// wasmtime has no types for these errors; a hostile guest in the tests goes over each, and would show if the words changed.
fn bound(words: &str, limits: &Limits) -> Option<Bound> {
    let known = [
        (
            "fuel allocated for hostcalls has been exhausted",
            Bound::ToHost(limits.to_host),
        ),
        (
            "store handle limit exceeded",
            Bound::Handles(limits.handles),
        ),
        (
            "resource table has no free keys",
            Bound::Handles(limits.handles),
        ),
        (
            "instance count too high",
            Bound::Instances(limits.instances),
        ),
        ("memory count too high", Bound::Memories(limits.memories)),
        ("table count too high", Bound::Tables(limits.tables)),
    ];
    let mut known = known.into_iter();
    known.find_map(|(said, bound)| words.contains(said).then_some(bound))
}
