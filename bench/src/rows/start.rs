//! From the start of the process to the first call, in a home whose guests were compiled before.

use std::path::Path;
use std::time::{Duration, Instant};

use airlock::config::GuestArgs;
use airlock::facts::{Facts, described_by};
use airlock::guests::{self, Guests};
use airlock_dify::{Config, Dify, parse_base};
use airlock_registry::{Described, Digest, Home, MasterKey, NewApp, Registry, Secret};
use airlock_sandbox::EngineConfig;
use airlock_tests::guests::variant;
use anyhow::Context;
use serde_json::json;

use super::call::arguments;
use super::{Era, World};
use crate::report::{Goal, Report, Table, number, spread};
use crate::servers::{self, Airlock, Bounds, Role, Server, Upstream};
use crate::stats::Series;

const ROUNDS: usize = 5;
/// Milliseconds.
const GOAL: Goal = Goal::AtMost(&[1_000.0]);

pub(crate) async fn measure(world: &World, report: &mut Report) -> anyhow::Result<()> {
    let mut table = Table {
        title: "From start to ready",
        about: format!(
            "The process is started, opens its registry and listens; then one app is called, whose compiled guest comes \
             from the cache. Each component is the default guest with a mark of its own, every app is enabled and has the \
             form of the completion app. Memory is what is resident after the second call. {ROUNDS} rounds."
        ),
        columns: vec![
            "apps",
            "components",
            "to ready, ms",
            "first call, ms",
            "second call, ms",
            "memory, MB",
        ],
        rows: Vec::new(),
    };
    for (apps, components) in [(1, 1), (20, 20), (1_000, 20)] {
        let home = tempfile::tempdir()?;
        let code = furnish(home.path(), &world.dify.upstream()?, apps, components).await?;
        let (mut ready, mut first, mut second, mut memory) = Default::default();
        for _ in 0..ROUNDS {
            round(
                world,
                home.path(),
                &code,
                [&mut ready, &mut first, &mut second, &mut memory],
            )
            .await?;
        }
        table.rows.push(vec![
            apps.to_string(),
            components.to_string(),
            if apps == 1_000 {
                GOAL.judge(&ready)
            } else {
                spread(&ready, 0)
            },
            spread(&first, 1),
            spread(&second, 1),
            number(memory.median(), 1),
        ]);
    }
    report.table(&table);
    Ok(())
}

async fn round(
    world: &World,
    home: &Path,
    code: &Secret,
    [ready, first, second, memory]: [&mut Series; 4],
) -> anyhow::Result<()> {
    let began = Instant::now();
    let server = Server::start(&Role::Airlock(Airlock {
        dify: world.dify.url()?.to_string(),
        home: Some(home.to_owned()),
        publish: Vec::new(),
        guests: servers::Guests::BuiltIn,
        bounds: Bounds::Lifted,
    }))?;
    ready.push(milliseconds(began.elapsed()));
    let params = json!({"name": "product_blurb", "arguments": arguments()});
    let path = format!("/server/{}/mcp", code.expose());
    for times in [first, second] {
        times.push(milliseconds(
            world
                .once_at(&server, &path, Era::Stateless, "tools/call", &params)
                .await?,
        ));
    }
    memory.push(server.process().memory()?.now as f64 * 1.024 / 1e3);
    Ok(())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Fills a home with apps that share some components. The code of the first one's address.
async fn furnish(
    home: &Path,
    upstream: &Upstream,
    apps: usize,
    components: usize,
) -> anyhow::Result<Secret> {
    let dify = Dify::new(Config::new(parse_base(&upstream.url)?))?;
    let facts = Facts::from(dify.app(upstream.key.parse()?).facts().await?);
    let told = facts.app(&Default::default());
    let lock = Home::open(home)?.lock()?;
    let master = MasterKey::load(&lock, None)?;
    let registry = Registry::open(lock, &master).await?;
    let engine = EngineConfig {
        instances: 1,
        threads: 1,
        pooling: false,
    };
    let settings = GuestArgs::default().settings(engine, None, Some((registry.home(), &master)));
    let guests = Guests::new(settings)?;
    let mut made = Vec::new();
    for number in 0..components {
        let bytes = variant(number);
        let component = guests.take_in(bytes.clone()).await?;
        let manifest = guests::describe(&component, told.clone()).await?;
        let described = Described {
            manifest: serde_json::to_value(&manifest)?,
            by: described_by(&Digest::of(&bytes), &told),
        };
        made.push((bytes, described));
    }
    let mut first = None;
    for number in 0..apps {
        let (bytes, described) = &made[number % components];
        // The first one is called; no other is ever known to Dify.
        let key = match number {
            0 => upstream.key.clone(),
            _ => format!("app-{number}"),
        };
        let added = registry
            .add(NewApp {
                key: Secret::new(key),
                facts: facts.stored(),
                guest: Some(bytes.clone()),
                described: described.clone(),
                settings: Default::default(),
            })
            .await?;
        let code = registry.enable(&added.app.id).await?;
        first.get_or_insert(code);
    }
    registry.close().await?;
    first.context("there is an app")
}
