//! Builds everything once, in the order in which things depend on one another, and runs it.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use airlock_dify::Dify;
use airlock_mcp::{Guard, GuardConfig, Keys, Mcp};
use airlock_registry::{Home, MasterKey, Purpose, Registry};
use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::addresses::Bases;
use crate::admin;
use crate::call::identity::Identities;
use crate::call::journal::Journals;
use crate::call::sessions::SessionConversations;
use crate::call::{AppChanges, RegistryChannel, Services, Shared};
use crate::config::{FileArgs, GuestArgs, LimitArgs};
use crate::files::Files;
use crate::guests::Guests;
use crate::metrics::Metrics;
use crate::net::{self, Door};
use crate::ops::Operations;
use crate::ops::drift::Troubles;

/// What a server is built from.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The directory that holds everything it keeps.
    pub home: PathBuf,
    /// Where to listen for clients; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Its addresses on the internet, on this host, and inside the compose network.
    pub public_url: Option<Url>,
    /// See `public_url`.
    pub host_url: Option<Url>,
    /// See `public_url`.
    pub inside_url: Option<Url>,
    /// Web origins that may call.
    pub allowed_origins: Vec<String>,
    /// Host names that requests may be addressed to.
    pub allowed_hosts: Vec<String>,
    /// The Dify beside it. Without one, lists still answer.
    pub dify: Option<airlock_dify::Config>,
    /// The master key, when it is not in the home.
    pub master_key_file: Option<PathBuf>,
    /// How a client on this host starts Airlock: `airlock`, or a path where it is not installed.
    pub program: String,
    /// The bounds.
    pub limits: LimitArgs,
    /// What the protocol may spend on one client.
    pub mcp: airlock_mcp::Config,
    /// Files.
    pub files: FileArgs,
    /// Compiling guests.
    pub guests: GuestArgs,
    /// The `airlock` program, which compiles guests in a process of its own. `None`: a thread of this process does.
    pub compiler: Option<PathBuf>,
}

/// How long calls that run may go on once the server is asked to stop, and how long it may take to write down how tasks
/// stand and to tell Dify what was stopped. The compose overlay gives the server 30 s in all.
const GRACE: Duration = Duration::from_secs(22);
const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// A server that runs.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// What an operator can do with it.
    pub operations: Arc<Operations>,
    stop: CancellationToken,
    ending: CancellationToken,
    door: Arc<Door>,
    tasks: TaskTracker,
}

impl Server {
    /// Takes the home, opens the registry, and listens. The server is ready when this returns.
    ///
    /// # Errors
    /// What cannot be had, in a sentence that says what to do. Nothing is changed then.
    pub async fn start(config: ServerConfig) -> anyhow::Result<Self> {
        let (registry, master) = open(&config).await?;
        let dify = config
            .dify
            .clone()
            .map(Dify::new)
            .transpose()
            .context("DIFY_URL")?;
        let listener = TcpListener::bind(config.listen).await.with_context(|| {
            format!(
                "cannot listen on {}; AIRLOCK_LISTEN or --listen names another address",
                config.listen
            )
        })?;
        let address = listener
            .local_addr()
            .context("the listener has no address")?;
        let socket = admin::listen::bind(&registry.home().socket())
            .context("cannot open the admin socket")?;

        let guests = Guests::new(config.guests.settings(
            config.limits.engine(),
            config.compiler.clone(),
            Some((registry.home(), &master)),
        ))?;
        let metrics = Metrics::new(guests.compile_times());
        let operations = Arc::new(Operations {
            registry: Arc::clone(&registry),
            guests: guests.clone(),
            dify: dify.clone(),
            bases: Bases::new(
                address,
                config.public_url.clone(),
                config.host_url.clone(),
                config.inside_url.clone(),
            ),
            program: config.program.clone(),
            troubles: Troubles::default(),
            metrics: Some(Arc::clone(&metrics)),
        });
        let ending = CancellationToken::new();
        let changes = Arc::new(AppChanges::default());
        let spool = registry.home().spool();
        let files = Files::new(config.files.settings(), spool, &master).context("the spool")?;
        let files = Arc::new(files);
        let shared = Arc::new(Shared {
            registry: Arc::clone(&registry),
            guests,
            dify,
            files: Arc::clone(&files),
            identities: Identities::new(&master),
            conversations: SessionConversations::default(),
            changes: Arc::clone(&changes),
            journals: Journals::default(),
            limits: config.limits.call(),
            metrics,
            io: tokio::runtime::Handle::current(),
            ending: ending.clone(),
        });
        let keys = Keys {
            session: master.derive(Purpose::Sessions),
            state: master.derive(Purpose::RequestState),
            task: master.derive(Purpose::TaskIds),
        };
        let connections = net::descriptors::room_for(config.limits.connections);
        let replicas = Arc::new(RegistryChannel(registry.channel().clone()));
        let door = Arc::new(Door::new(
            Arc::clone(&registry),
            Services::new(shared),
            Mcp::with_replicas(bounded(&config, connections), &keys, replicas),
            guard(&config, address)?,
        ));

        door.resume_tasks().await;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(net::accept(
            listener,
            connections,
            Arc::clone(&door),
            stop.clone(),
            GRACE,
        ));
        tasks.spawn(admin::listen::serve(
            socket,
            Arc::clone(&operations),
            stop.clone(),
        ));
        tasks.spawn(changes.watch(registry, stop.clone()));
        tasks.spawn(Arc::clone(&files.spool).sweep(stop.clone()));
        tasks.spawn(warm_up(Arc::clone(&operations), stop.clone()));
        if config.limits.refresh_every > 0 {
            let every = Duration::from_secs(config.limits.refresh_every);
            let watch = Arc::clone(&operations).watch_dify(every, stop.clone());
            tasks.spawn(watch);
        }
        tasks.close();
        Ok(Self {
            address,
            operations,
            stop,
            ending,
            door,
            tasks,
        })
    }

    /// A token that fires when the server is asked to stop, for tasks that live beside it.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Stops accepting, lets what runs come to its end for up to 22 s, leaves tasks that the next server goes on with, stops
    /// the rest, and closes the registry.
    ///
    /// # Errors
    /// When the registry's last words could not be written; it is whole all the same.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.door.close();
        self.tasks.wait().await;
        self.ending.cancel();
        let stopped = async {
            self.door.idle().await;
            if let Some(dify) = &self.operations.dify {
                dify.idle().await;
            }
        };
        if tokio::time::timeout(STOPS_WITHIN, stopped).await.is_err() {
            tracing::warn!("Dify has not answered every stop; some runs may go on there");
        }
        let socket = self.operations.registry.home().socket();
        self.operations.registry.close().await?;
        // The next server would remove it too; until then, nobody should knock at a dead door.
        let _ = std::fs::remove_file(socket);
        Ok(())
    }
}

async fn open(config: &ServerConfig) -> anyhow::Result<(Arc<Registry>, MasterKey)> {
    let lock = Home::open(&config.home)?.lock()?;
    let master = MasterKey::load(&lock, config.master_key_file.as_deref())?;
    let registry = Registry::open(lock, &master).await?;
    Ok((Arc::new(registry), master))
}

/// Whoever only listens holds a connection: a quarter is left for those who ask.
fn bounded(config: &ServerConfig, connections: usize) -> airlock_mcp::Config {
    airlock_mcp::Config {
        streams: config.mcp.streams.min(connections - connections / 4).max(1),
        file_body_cap: config.files.settings().body_limit,
        ..config.mcp
    }
}

fn guard(config: &ServerConfig, address: SocketAddr) -> anyhow::Result<Guard> {
    let mut hosts = config.allowed_hosts.clone();
    // What this server prints as its own addresses must lead to it.
    let urls = [&config.inside_url, &config.host_url];
    hosts.extend(
        urls.into_iter()
            .flatten()
            .filter_map(Url::host_str)
            .map(str::to_owned),
    );
    if !address.ip().is_unspecified() {
        hosts.push(address.to_string());
        // Known without being listed, but in this spelling it needs no reading.
        hosts.push(format!("localhost:{}", address.port()));
    }
    Ok(Guard::new(&GuardConfig {
        origins: config.allowed_origins.clone(),
        hosts,
        public_url: config.public_url.as_ref().map(Url::to_string),
        loopback: address.ip().is_loopback(),
    })?)
}

/// Does beforehand what the first call would wait for: outdated descriptions, starting the engine, and compiling the guests
/// in use that are not in the cache. Those that are take a moment to load, and memory once they are called.
async fn warm_up(operations: Arc<Operations>, stop: CancellationToken) {
    let work = async {
        operations.describe_outdated().await;
        if let Err(error) = operations.guests.engine().await {
            tracing::error!(%error, "no guest can run");
            return;
        }
        let mut prepared = HashSet::new();
        let snapshot = operations.registry.snapshot();
        for app in snapshot.apps().filter(|app| app.enabled) {
            if !prepared.insert(app.guest) {
                continue;
            }
            let guests = &operations.guests;
            if let Err(error) = guests.prepare(&operations.registry, app.guest).await {
                tracing::error!(app = %app.slug, %error, "the app's guest cannot be loaded");
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}
