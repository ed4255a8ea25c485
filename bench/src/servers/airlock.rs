//! Airlock as `airlock serve` runs it, log included.

use std::sync::Arc;

use airlock::cli::{Cli, Command};
use airlock::config::{FileArgs, GuestArgs};
use airlock::facts::{Facts, described_by};
use airlock::ops::{Operation, Reply};
use airlock::server::{Server, ServerConfig};
use airlock_registry::{AppRecord, Described, Digest, NewApp, Secret};
use airlock_tests::guests::variant;
use anyhow::{Context, bail};
use clap::Parser;

use super::{Airlock, Bounds, Guests, Ready, Started};

/// Calls at one time where the bounds are lifted, in Dify and of each app: as many as there are instances.
pub(crate) const CALLS: usize = 128;

pub(super) async fn start(role: &Airlock) -> Started {
    let temporary = tempfile::tempdir()?;
    let home = role.home.clone();
    let Command::Serve(serve) = Cli::parse_from(["airlock", "serve"]).command else {
        bail!("`serve` was parsed as something else");
    };
    let mut limits = serve.limits.clone();
    if !matches!(role.bounds, Bounds::Default) {
        limits.calls_per_app = CALLS;
        limits.dify_in_flight = CALLS;
        limits.dify_per_app = CALLS;
    }
    if matches!(role.bounds, Bounds::Narrow) {
        limits.guest_cpu = 50;
        limits.guest_memory = 16;
        limits.hangup_grace = 1;
    }
    airlock::cli::start_log(&Command::Serve(serve));
    let server = Server::start(ServerConfig {
        home: home.unwrap_or_else(|| temporary.path().to_owned()),
        listen: "127.0.0.1:0".parse()?,
        public_url: None,
        host_url: None,
        inside_url: None,
        allowed_origins: Vec::new(),
        allowed_hosts: Vec::new(),
        dify: Some(airlock_dify::Config {
            in_flight: limits.dify_in_flight,
            per_app: limits.dify_per_app,
            ..airlock_dify::Config::new(airlock_dify::parse_base(&role.dify)?)
        }),
        master_key_file: None,
        program: "airlock".into(),
        mcp: limits.mcp(),
        limits,
        files: FileArgs::default(),
        guests: GuestArgs::default(),
        compiler: None,
    })
    .await?;
    publish(&server, role).await?;
    let ready = Ready {
        urls: addresses(&server)?,
        keys: Vec::new(),
    };
    Ok((ready, Box::new((server, temporary))))
}

/// Publishes the apps of these keys, which are all keys of one app. Airlock asks Dify about the first and has its guest
/// describe it; the others are registered with what came of that, so that a thousand take a second or two.
async fn publish(server: &Server, role: &Airlock) -> anyhow::Result<()> {
    let registry = &server.operations.registry;
    let mut first = None;
    for (place, key) in role.publish.iter().enumerate() {
        let key = Secret::new(key.clone());
        let app = match &first {
            None => {
                let app = add(server, key).await?;
                first = Some(Arc::clone(&app));
                app
            }
            Some(first) => {
                let app = like(first, key, role.guests.of(place))?;
                registry.add(app).await?.app
            }
        };
        registry.enable(&app.id).await?;
    }
    Ok(())
}

async fn add(server: &Server, key: Secret) -> anyhow::Result<Arc<AppRecord>> {
    let add = Operation::Add { key, guest: None };
    let Reply::Added { app, .. } = server.operations.execute(add).await? else {
        bail!("adding an app answers with the app");
    };
    let snapshot = server.operations.registry.snapshot();
    Ok(Arc::clone(snapshot.find(&app.slug)?))
}

/// The same app behind another key, served by another guest that describes it in the same words.
fn like(app: &AppRecord, key: Secret, guest: Option<Vec<u8>>) -> anyhow::Result<NewApp> {
    let digest = airlock::guests::digest(guest.as_deref().map(Digest::of));
    let told = Facts::of(app)?.app(&app.settings);
    Ok(NewApp {
        key,
        facts: Facts::of(app)?.stored(),
        guest,
        described: Described {
            manifest: app.manifest.clone(),
            by: described_by(&digest, &told),
        },
        settings: app.settings.clone(),
    })
}

/// The addresses of all apps that are on.
fn addresses(server: &Server) -> anyhow::Result<Vec<String>> {
    let operations = &server.operations;
    let snapshot = operations.registry.snapshot();
    let enabled = snapshot.apps().filter(|app| app.enabled);
    let addresses = enabled.map(|app| {
        let code = operations.registry.address(&app.id)?;
        let code = code.context("an enabled app has an address")?;
        Ok(operations.bases.addresses(code.expose()).host)
    });
    addresses.collect()
}

impl Guests {
    /// The component of the app at this place; `None` is the built-in one, which is also the first of several.
    fn of(self, place: usize) -> Option<Vec<u8>> {
        match self {
            Self::BuiltIn => None,
            Self::Distinct(count) => match place % count {
                0 => None,
                number => Some(variant(number)),
            },
        }
    }
}
