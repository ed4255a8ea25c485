use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use super::{HOST, Progress, Script, State};
use crate::client::{Caller, Change, Level};
use crate::dify::{Answer, Event, Reply, Request};
use crate::{DifyError, Error};

/// The thread's host, for a guest that is being called.
fn state() -> Rc<RefCell<State>> {
    let state = HOST
        .with_borrow(Clone::clone)
        .expect("outside WebAssembly a guest's imports need a `testing::Host`");
    assert!(
        !state.borrow().describing,
        "`describe` must not use imports: the host refuses them all"
    );
    state
}

fn script(asked: impl FnOnce(&mut State)) -> (Rc<RefCell<State>>, Script) {
    let state = state();
    let script = {
        let mut state = state.borrow_mut();
        asked(&mut state);
        state
            .scripts
            .pop_front()
            .expect("the guest ran the app, but the `testing::Host` has no run scripted for it")
    };
    (state, script)
}

pub(crate) fn run_app(request: &Request) -> Result<Answer, Error> {
    script(|state| state.requests.push(request.clone())).1.end
}

pub(crate) fn start(request: &Request) -> Result<Run, Error> {
    Ok(run(script(|state| state.requests.push(request.clone()))))
}

pub(crate) fn resume(reply: &Reply) -> Result<Run, Error> {
    let (state, script) = script(|state| state.replies.push(reply.clone()));
    match script.end {
        // Without events before it, this is a reply that the host refuses.
        Err(error) if script.events.is_empty() => Err(error),
        _ => Ok(run((state, script))),
    }
}

fn run((state, script): (Rc<RefCell<State>>, Script)) -> Run {
    Run {
        state,
        events: RefCell::new(script.events),
        end: RefCell::new(Some(script.end)),
        stopped: Cell::new(false),
    }
}

#[derive(Debug)]
pub(crate) struct Run {
    state: Rc<RefCell<State>>,
    events: RefCell<VecDeque<Event>>,
    /// Taken when the guest has seen it.
    end: RefCell<Option<Result<Answer, Error>>>,
    stopped: Cell<bool>,
}

impl Run {
    pub(crate) fn next(&self) -> Result<Option<Event>, Error> {
        if let Some(event) = self.events.borrow_mut().pop_front() {
            return Ok(Some(event));
        }
        self.end
            .take()
            .transpose()
            .map(|answer| answer.map(Event::Done))
    }

    pub(crate) fn finish(self) -> Result<Answer, Error> {
        self.end
            .take()
            .unwrap_or_else(|| Err(Error::Failed("the run is over already".to_owned())))
    }

    pub(crate) fn stop(&self) {
        if self.end.borrow().is_none() || self.stopped.replace(true) {
            return;
        }
        self.state.borrow_mut().stopped += 1;
        self.events.borrow_mut().clear();
        self.end.replace(Some(Err(Error::from(DifyError {
            code: "stopped".to_owned(),
            message: "The run was stopped.".to_owned(),
            ..DifyError::default()
        }))));
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(crate) fn who() -> Caller {
    state().borrow().caller.clone()
}

pub(crate) fn progress(done: f64, total: Option<f64>, message: Option<&str>) {
    state().borrow_mut().progress.push(Progress {
        done,
        total,
        message: message.map(str::to_owned),
    });
}

pub(crate) fn log(level: Level, data: Value) {
    state().borrow_mut().log.push((level, data));
}

pub(crate) fn tell(level: Level, data: Value) {
    state().borrow_mut().told.push((level, data));
}

pub(crate) fn changed(what: &Change) {
    state().borrow_mut().changes.push(what.clone());
}

pub(crate) fn cancelled() -> bool {
    match &mut state().borrow_mut().patience {
        None => false,
        Some(0) => true,
        Some(questions) => {
            *questions -= 1;
            false
        }
    }
}

pub(crate) fn wait(ms: u32) {
    let state = state();
    let mut state = state.borrow_mut();
    let time = Duration::from_millis(ms.into());
    state.waited += time;
    state.remaining = state.remaining.saturating_sub(time);
}

pub(crate) fn remaining_ms() -> u32 {
    u32::try_from(state().borrow().remaining.as_millis()).unwrap_or(u32::MAX)
}
