//! Airlock as `airlock serve` runs it, log included, with one app and without its bulkhead.

use std::path::PathBuf;

use airlock::cli::{Cli, Command};
use airlock::config::{FileArgs, GuestArgs};
use airlock::ops::{Operation, Reply};
use airlock::server::{Server, ServerConfig};
use airlock_registry::Secret;
use anyhow::{Context, bail};
use clap::Parser;

use super::{Ready, Started, Upstream};

/// Calls at one time, in Dify and of the app. The defaults (6, and 3 for each app) protect a Dify that takes ten
/// connections; with them the benchmark would measure a queue.
const CALLS: usize = 128;

pub(super) async fn start(dify: &Upstream) -> Started {
    let home = tempfile::tempdir()?;
    let server = serve(home.path().to_owned(), dify).await?;
    let key = Secret::new(dify.key.clone());
    let add = Operation::Add { key, guest: None };
    let Reply::Added { app, .. } = server.operations.execute(add).await? else {
        bail!("adding an app answers with the app");
    };
    let enable = Operation::Enable { app: app.slug };
    let Reply::App { app } = server.operations.execute(enable).await? else {
        bail!("enabling an app answers with the app");
    };
    let ready = Ready {
        url: app.addresses.context("an enabled app has an address")?.host,
        key: String::new(),
    };
    Ok((ready, Box::new((server, home))))
}

/// With the apps that the home has.
pub(super) async fn start_in(home: PathBuf, dify: &Upstream) -> Started {
    let server = serve(home, dify).await?;
    let ready = Ready {
        url: format!("http://{}", server.address),
        key: String::new(),
    };
    Ok((ready, Box::new(server)))
}

async fn serve(home: PathBuf, dify: &Upstream) -> anyhow::Result<Server> {
    let Command::Serve(serve) = Cli::parse_from(["airlock", "serve"]).command else {
        bail!("`serve` was parsed as something else");
    };
    let mut limits = serve.limits.clone();
    limits.calls_per_app = CALLS;
    airlock::cli::start_log(&Command::Serve(serve));
    Server::start(ServerConfig {
        home,
        listen: "127.0.0.1:0".parse()?,
        public_url: None,
        host_url: None,
        inside_url: None,
        allowed_origins: Vec::new(),
        allowed_hosts: Vec::new(),
        dify: Some(airlock_dify::Config {
            in_flight: CALLS,
            per_app: CALLS,
            ..airlock_dify::Config::new(airlock_dify::parse_base(&dify.url)?)
        }),
        master_key_file: None,
        program: "airlock".into(),
        mcp: limits.mcp(),
        limits,
        files: FileArgs::default(),
        guests: GuestArgs::default(),
        compiler: None,
    })
    .await
}
