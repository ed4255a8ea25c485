//! Real clients call apps of all five modes: they list, call, see progress, and cancel.
//!
//! The table of clients and the two scenarios that each of them plays are here, and the calls in `cases`; each other
//! module is a kind of client.

mod cases;
mod inspector;
mod proxied;
mod rmcp;
mod script;
mod stateless;

use std::collections::BTreeSet;
use std::time::Duration;

use airlock::config::LimitArgs;
use airlock_stand_in::{Behaviour, Options, SampleApp, Seen};
use airlock_tests::{Proxy, World, WorldConfig};
use anyhow::{Context, ensure};
use serde_json::Value;

use cases::Case;
use inspector::Inspector;
use rmcp::Rmcp;
use script::Scripted;
use stateless::Stateless;

/// How a client comes through the scenarios. What it cannot do, it cannot do for a reason.
struct Manner {
    /// The version of the protocol that its requests name, all of them: none may fall back into the other era.
    speaks: &'static str,
    /// Why it shows no progress, where it shows none.
    shows_no_progress: Option<&'static str>,
    /// Why it cancels in no other way than by hanging up, where it has none. In the newer era that is the only way.
    only_hangs_up: Option<&'static str>,
}

const LEGACY: Manner = Manner {
    speaks: "2025-11-25",
    shows_no_progress: None,
    only_hangs_up: None,
};

const MODERN: Manner = Manner {
    speaks: "2026-07-28",
    ..LEGACY
};

const PRINTS_NO_PROGRESS: Option<&str> = Some("the command prints the result alone");
const ONE_PROCESS: Option<&str> = Some("a command is a process, and whoever cancels ends it");
const NO_SESSION: Option<&str> = Some("without a session nothing says whose call an id means");

// On one thread each: rmcp hands every notification to a task of its own, and on several they would overtake each other.
macro_rules! clients {
    ($($name:ident: $client:expr, $manner:expr;)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn calls_every_mode() {
                call_every_mode(&mut $client, &$manner).await;
            }

            #[tokio::test]
            async fn cancels_in_every_mode() {
                cancel_in_every_mode(&mut $client, &$manner).await;
            }
        }
    )*};
}

// `auto` clients find out by themselves which eras a server speaks; the others are told. `airlock stdio` has only the older
// era, and a client that asks falls back to it. `mcp-remote` would pass the newer era on, but posts its client's
// `notifications/cancelled` there, which that era does not have, and hangs up on nothing: such a call could not be stopped.
clients! {
    no_session: Stateless::default(), Manner { only_hangs_up: NO_SESSION, ..LEGACY };
    airlock_stdio: Scripted::airlock_stdio("first"), LEGACY;
    airlock_stdio_auto: Scripted::airlock_stdio("auto"), LEGACY;
    mcp_remote: Scripted::mcp_remote(), LEGACY;
    python_session: Scripted::python("session"), LEGACY;
    python_legacy: Scripted::python("legacy"), LEGACY;
    python_auto: Scripted::python("auto"), MODERN;
    python_modern: Scripted::python(MODERN.speaks), MODERN;
    typescript_first: Scripted::typescript("first"), LEGACY;
    typescript_legacy: Scripted::typescript("legacy"), LEGACY;
    typescript_auto: Scripted::typescript("auto"), MODERN;
    typescript_modern: Scripted::typescript(MODERN.speaks), MODERN;
    rmcp_legacy: Rmcp::legacy(), LEGACY;
    rmcp_auto: Rmcp::auto(), MODERN;
    rmcp_modern: Rmcp::modern(), MODERN;
    inspector_legacy: Inspector::new("legacy"), Manner {
        shows_no_progress: PRINTS_NO_PROGRESS, only_hangs_up: ONE_PROCESS, ..LEGACY
    };
    inspector_modern: Inspector::new("modern"), Manner { shows_no_progress: PRINTS_NO_PROGRESS, ..MODERN };
}

/// What the scenarios need of a client.
trait Client {
    /// Opens a connection; there is one at a time.
    async fn connect(&mut self, url: &str) -> anyhow::Result<()>;

    /// `tools/list`.
    async fn tools(&mut self) -> anyhow::Result<Vec<Value>>;

    /// `tools/call`: the result, and the numbers of the progress notifications before it.
    async fn call(&mut self, tool: &str, arguments: &Value) -> anyhow::Result<(Value, Vec<f64>)>;

    /// Begins a call, waits for `begun`, and then cancels the call by the client's own means.
    async fn cancel(
        &mut self,
        tool: &str,
        arguments: &Value,
        begun: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<()>;

    /// Closes the connection.
    async fn disconnect(&mut self) -> anyhow::Result<()>;
}

/// Longer than the time after which a call's answer becomes a stream of events, so that every client has to read one.
const A_WHILE: Behaviour = Behaviour::Slow {
    steps: 6,
    each: Duration::from_millis(100),
};

/// Longer than any test.
const FOR_EVER: Behaviour = Behaviour::Slow {
    steps: 6_000,
    each: Duration::from_millis(100),
};

/// How long the stand-in may take to see what must come.
const SOON: Duration = Duration::from_secs(20);

/// Seconds of grace after a hang-up, where something else has to stop the run: more than a test may last.
const NO_HANG_UP: u64 = 600;

/// Each app's tool is listed, answers, and shows progress meanwhile.
async fn call_every_mode(client: &mut impl Client, manner: &Manner) {
    let (world, proxy) = world(NO_HANG_UP).await;
    for case in Case::all() {
        call(&world, &proxy, &case, client, manner)
            .await
            .with_context(|| format!("{:?}", case.app))
            .expect("the client gets its answer");
    }
    assert_eq!(proxy.versions(), BTreeSet::from([manner.speaks.to_owned()]));
}

async fn call(
    world: &World,
    proxy: &Proxy,
    case: &Case,
    client: &mut impl Client,
    manner: &Manner,
) -> anyhow::Result<()> {
    world.dify.set(case.app, A_WHILE);
    let url = proxy.url(&world.publish(case.app).await?)?;
    client.connect(&url).await?;
    case.check_tools(&client.tools().await?)?;
    let (result, progress) = client.call(case.tool, &case.arguments).await?;
    case.check_result(&result)?;
    match manner.shows_no_progress {
        None => case.check_progress(&progress)?,
        Some(reason) => println!("{:?}: no progress: {reason}", case.app),
    }
    client.disconnect().await
}

/// In each mode a call that the client cancels is stopped in Dify.
async fn cancel_in_every_mode(client: &mut impl Client, manner: &Manner) {
    let grace = manner.only_hangs_up.map_or(NO_HANG_UP, |_reason| 0);
    let (world, proxy) = world(grace).await;
    for case in Case::all() {
        cancel(&world, &proxy, &case, client)
            .await
            .with_context(|| format!("{:?}", case.app))
            .expect("the run is stopped");
    }
    assert_eq!(proxy.versions(), BTreeSet::from([manner.speaks.to_owned()]));
}

async fn cancel(
    world: &World,
    proxy: &Proxy,
    case: &Case,
    client: &mut impl Client,
) -> anyhow::Result<()> {
    world.dify.set(case.app, FOR_EVER);
    let url = proxy.url(&world.publish(case.app).await?)?;
    client.connect(&url).await?;
    let begun = async {
        let began = |seen: &Seen| user_of_run(seen, case.app).is_some();
        world.dify.wait_until(began, SOON).await.map(drop)
    };
    client.cancel(case.tool, &case.arguments, begun).await?;

    let stopped = |seen: &Seen| seen.stops.iter().any(|stop| stop.app == case.app);
    let seen = world.dify.wait_until(stopped, SOON).await?;
    let stops: Vec<_> = seen
        .stops
        .iter()
        .filter(|stop| stop.app == case.app)
        .collect();
    // Dify answers every stop with success; only the right task and user make it one.
    ensure!(
        matches!(stops[..], [stop] if stop.effective && user_of_run(&seen, case.app) == Some(&stop.user)),
        "{stops:?}"
    );
    // The connection is as good as before.
    case.check_tools(&client.tools().await?)?;
    client.disconnect().await
}

fn user_of_run(seen: &Seen, app: SampleApp) -> Option<&str> {
    let mut runs = seen
        .requests
        .iter()
        .filter(|request| request.app == Some(app) && request.body.get("response_mode").is_some());
    runs.next()?.user.as_deref()
}

/// A world, and the proxy that hears what clients say to it. `hangup_grace` is how many seconds a call of the older era
/// goes on whose client merely hung up.
async fn world(hangup_grace: u64) -> (World, Proxy) {
    let world = World::with(WorldConfig {
        dify: Options {
            step: Duration::from_millis(40),
            ..Options::instant()
        },
        limits: LimitArgs {
            hangup_grace,
            ..LimitArgs::default()
        },
        ..WorldConfig::default()
    })
    .await
    .expect("a world");
    let proxy = Proxy::before(world.server.address, None).await;
    (world, proxy.expect("a proxy"))
}
