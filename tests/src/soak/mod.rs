//! A soak: many calls over many apps, while guests are swapped, addresses die and come back, and hostile guests misbehave.
//!
//! Every answer is either what the call should come to, or explained: its address died while the call ran. Everything
//! else is a fault, and so is memory that grows.
//!
//! * [`run`]: the calls, and what came of them.
//! * `app`: an app under load, and when its address was dead.
//! * `disturb`: the operations that are done meanwhile.

mod app;
mod disturb;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use airlock_stand_in::SampleApp;
use anyhow::{Context, bail, ensure};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::post::{Connection, Post};
use crate::process::Process;
use app::App;

/// Of the apps, one in so many has a hostile guest.
const HOSTILE_ONE_IN: usize = 10;
/// Faults that are told; one is enough to fail.
const FAULTS: usize = 20;

/// A server under soak. It must have room for [`Plan::workers`] calls of one app at one time, give guests 50 ms and 16 MiB,
/// and let a call whose client has hung up go on for a second at most.
pub struct Subject {
    /// Its admin socket.
    pub socket: PathBuf,
    /// Its process.
    pub process: Process,
    /// A key for each app, and which of the samples it opens.
    pub keys: Vec<(SampleApp, String)>,
}

/// How much.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Calls before memory is looked at first.
    pub warm_up: usize,
    /// Calls after that.
    pub calls: usize,
    /// Clients that call, each on a connection of its own.
    pub workers: usize,
    /// Calls between two operations.
    pub operation_every: usize,
    /// Calls between two of a hostile guest.
    pub hostile_every: usize,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Soaked {
    /// How calls were answered, and how often.
    pub answers: BTreeMap<&'static str, usize>,
    /// Operations that were done, and how often.
    pub operations: BTreeMap<&'static str, usize>,
    /// What nobody had asked for. The first few.
    pub faults: Vec<String>,
    /// KiB resident after the warm-up, and in the end.
    pub memory: (u64, u64),
}

impl Soaked {
    /// How much memory has grown, in per cent.
    #[must_use]
    pub fn growth(&self) -> f64 {
        let (before, after) = self.memory;
        100.0 * (after as f64 / before as f64 - 1.0)
    }
}

/// What all clients share.
struct Soak {
    apps: Vec<App>,
    plan: Plan,
    begun: AtomicUsize,
    answered: watch::Sender<usize>,
    soaked: Mutex<Soaked>,
}

impl Soak {
    fn note(&self, note: impl FnOnce(&mut Soaked)) {
        note(&mut self.soaked.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn fault(&self, fault: String) {
        self.note(|soaked| {
            if soaked.faults.len() < FAULTS {
                soaked.faults.push(fault);
            }
        });
    }
}

/// Publishes the apps, calls them as planned, and says what came of it.
///
/// # Errors
/// When an operation fails, or the server cannot be reached. Faulty answers are no error but [`Soaked::faults`].
pub async fn run(subject: &Subject, plan: Plan) -> anyhow::Result<Soaked> {
    let mut apps = Vec::new();
    for (place, (sample, key)) in subject.keys.iter().enumerate() {
        let hostile = place % HOSTILE_ONE_IN == HOSTILE_ONE_IN - 1;
        apps.push(App::publish(&subject.socket, *sample, key, hostile).await?);
    }
    ensure!(
        apps.iter().any(App::is_hostile),
        "a soak takes {HOSTILE_ONE_IN} apps at least"
    );
    let soak = Arc::new(Soak {
        apps,
        plan,
        begun: AtomicUsize::new(0),
        answered: watch::Sender::new(0),
        soaked: Mutex::default(),
    });
    stretch(subject, &soak, plan.warm_up).await?;
    let before = subject.process.memory()?.now;
    stretch(subject, &soak, plan.warm_up + plan.calls).await?;
    let after = subject.process.memory()?.now;
    soak.note(|soaked| soaked.memory = (before, after));
    let soaked = soak.soaked.lock();
    Ok(std::mem::take(
        &mut *soaked.unwrap_or_else(PoisonError::into_inner),
    ))
}

/// Calls until so many calls have been made in all, with everything else, and waits for the server to rest.
async fn stretch(subject: &Subject, soak: &Arc<Soak>, until: usize) -> anyhow::Result<()> {
    let mut workers = JoinSet::new();
    for _ in 0..soak.plan.workers {
        workers.spawn(worker(Arc::clone(soak), until));
    }
    let disturbed = disturb::disturb(subject, Arc::clone(soak), until);
    let called = async {
        while let Some(worker) = workers.join_next().await {
            worker??;
        }
        anyhow::Ok(())
    };
    tokio::try_join!(called, disturbed)?;
    subject.process.rest().await
}

async fn worker(soak: Arc<Soak>, until: usize) -> anyhow::Result<()> {
    let mut connection = None;
    loop {
        let number = soak.begun.fetch_add(1, Ordering::Relaxed);
        if number >= until {
            // Not begun after all: the next stretch goes on from here.
            soak.begun.fetch_sub(1, Ordering::Relaxed);
            return Ok(());
        }
        call(&soak, number, &mut connection).await?;
        soak.answered.send_modify(|answered| *answered += 1);
    }
}

/// One call, on the worker's connection where it is still good.
async fn call(
    soak: &Soak,
    number: usize,
    connection: &mut Option<Connection>,
) -> anyhow::Result<()> {
    let hostile = number.is_multiple_of(soak.plan.hostile_every);
    // Neither order repeats what the other does.
    let turn = if hostile {
        number / soak.plan.hostile_every
    } else {
        number
    };
    let apps = soak.apps.iter().filter(|app| app.is_hostile() == hostile);
    let apps: Vec<&App> = apps.collect();
    let app = apps[turn % apps.len()];
    let (tool, arguments, expected) = app.asked(turn / apps.len());
    let (began, address) = (Instant::now(), app.address());
    let post = Post::to(&address).call(tool, arguments);
    let mut open = match connection.take() {
        Some(open) => open,
        None => post.connect().await?,
    };
    let posted = post.send_on(&mut open).await;
    let posted = posted.with_context(|| format!("the connection broke under {tool}"))?;
    let status = posted.status.as_u16();
    let (answer, dead) = if status == 200 {
        let response = posted.response().await?;
        let dead = response["error"]["code"] == 404;
        (response, dead)
    } else {
        (serde_json::Value::Null, matches!(status, 404 | 429))
    };
    let ended = Instant::now();
    let kind = if dead && app.was_dead(began, ended) {
        "address dead meanwhile"
    } else if let Some(kind) = expected.met_by(&answer) {
        *connection = Some(open);
        kind
    } else {
        soak.fault(format!(
            "call {number}, {tool} of {}: {status} {answer}",
            app.slug
        ));
        return Ok(());
    };
    soak.note(|soaked| *soaked.answers.entry(kind).or_default() += 1);
    Ok(())
}

/// Begins a call that waits for ever, and hangs up once its answer has become a stream.
async fn leave(app: &App) -> anyhow::Result<()> {
    let arguments = serde_json::json!({});
    let posted = Post::to(&app.address()).call("wait_long", arguments);
    let posted = posted.send().await?;
    if !posted.streams() {
        bail!(
            "a call that waits was answered: {}",
            posted.response().await?
        );
    }
    Ok(())
}
