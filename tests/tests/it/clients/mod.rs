//! Real clients call apps of all five modes: they list, call, see progress, and cancel.
//!
//! The two scenarios are here and the calls in `cases`; each other module is a client that plays them.

mod bridge;
mod cases;
mod mcp_remote;
mod python;
mod rmcp;
mod script;
mod stateless;
mod typescript;

use std::time::Duration;

use airlock::config::LimitArgs;
use airlock_stand_in::{Behaviour, Options, SampleApp, Seen};
use airlock_tests::{World, WorldConfig};
use anyhow::{Context, ensure};
use serde_json::Value;

use cases::Case;

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
async fn call_every_mode(client: &mut impl Client) {
    let world = world(NO_HANG_UP).await;
    for case in Case::all() {
        call(&world, &case, client)
            .await
            .with_context(|| format!("{:?}", case.app))
            .expect("the client gets its answer");
    }
}

async fn call(world: &World, case: &Case, client: &mut impl Client) -> anyhow::Result<()> {
    world.dify.set(case.app, A_WHILE);
    client.connect(&world.publish(case.app).await?).await?;
    case.check_tools(&client.tools().await?)?;
    let (result, progress) = client.call(case.tool, &case.arguments).await?;
    case.check_result(&result)?;
    case.check_progress(&progress)?;
    client.disconnect().await
}

/// In each mode a call that the client cancels is stopped in Dify. `hangup_grace` is how many seconds a call goes on
/// whose client merely hung up.
async fn cancel_in_every_mode(client: &mut impl Client, hangup_grace: u64) {
    let world = world(hangup_grace).await;
    for case in Case::all() {
        cancel(&world, &case, client)
            .await
            .with_context(|| format!("{:?}", case.app))
            .expect("the run is stopped");
    }
}

async fn cancel(world: &World, case: &Case, client: &mut impl Client) -> anyhow::Result<()> {
    world.dify.set(case.app, FOR_EVER);
    client.connect(&world.publish(case.app).await?).await?;
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

async fn world(hangup_grace: u64) -> World {
    World::with(WorldConfig {
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
    .expect("a world")
}
