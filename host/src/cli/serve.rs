//! `airlock serve` and `airlock demo`.

use std::sync::Arc;
use std::time::Duration;

use airlock_registry::Secret;
use airlock_stand_in::{Options, StandIn};
use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::{DemoArgs, Global, output};
use crate::addresses::curl;
use crate::config::{FileArgs, GuestArgs, LimitArgs, ServeArgs};
use crate::guests::compiler;
use crate::ops::{AppView, OpError, Operation, Operations, Reply};
use crate::server::{Server, ServerConfig};

/// The first pause before a key that Dify could not be asked about is tried again, and the longest.
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LAST_RETRY: Duration = Duration::from_secs(300);

/// # Errors
/// What keeps the server from starting, in a sentence that says what to do.
pub async fn serve(global: &Global, args: ServeArgs) -> anyhow::Result<()> {
    let keys = args.keys()?;
    let limits = args.limits.clone();
    let dify = args.dify.base()?.map(|base| airlock_dify::Config {
        in_flight: limits.dify_in_flight,
        per_app: limits.dify_per_app,
        ..airlock_dify::Config::new(base)
    });
    if dify.is_none() {
        tracing::warn!("DIFY_URL is not set: lists answer, calls do not");
    }
    let server = Server::start(ServerConfig {
        home: global.home.clone(),
        listen: args.place.listen,
        public_url: args.place.public_url,
        host_url: args.place.host_url,
        inside_url: args.place.inside_url,
        allowed_origins: args.allowed_origins,
        allowed_hosts: args.allowed_hosts,
        dify,
        master_key_file: args.master_key_file,
        program: super::PROGRAM.into(),
        mcp: limits.mcp(),
        limits,
        files: args.files,
        guests: args.guests,
        compiler: Some(compiler::this_program()),
    })
    .await?;
    let say = Say(global.json);
    say.line(format_args!(
        "airlock {} listens on {}\nhome: {}",
        env!("CARGO_PKG_VERSION"),
        server.address,
        global.home.display()
    ));
    let enable = args.enable.is_some();
    let pending = register(&server.operations, keys, enable, say).await;
    if global.json {
        let snapshot = server.operations.registry.snapshot();
        let apps: Vec<AppView> = snapshot.apps().map(|app| AppView::new(app)).collect();
        println!(
            "{}",
            serde_json::json!({"listens": server.address, "home": global.home, "pending": pending.len(), "apps": apps})
        );
    } else {
        tell(&server.operations, &global.home);
    }
    if !pending.is_empty() {
        tokio::spawn(retry(
            Arc::clone(&server.operations),
            pending,
            enable,
            say,
            server.stopping(),
        ));
    }
    until_stopped().await?;
    say.line(format_args!("airlock stops; calls that run may end"));
    server.stop().await
}

/// What a server says to the person who started it; with `--json`, only the one object is said.
#[derive(Clone, Copy)]
struct Say(bool);

impl Say {
    fn line(self, text: std::fmt::Arguments<'_>) {
        if !self.0 {
            println!("{text}");
        }
    }
}

/// Registers the apps of these keys, off unless `enable`. The keys that Dify could not be asked about come back.
async fn register(
    operations: &Operations,
    keys: Vec<Secret>,
    enable: bool,
    say: Say,
) -> Vec<Secret> {
    let mut pending = Vec::new();
    for (index, key) in keys.into_iter().enumerate() {
        let number = index + 1;
        let add = Operation::Add {
            key: key.clone(),
            guest: None,
        };
        match operations.execute(add).await {
            Ok(Reply::Added { app, existed }) => {
                if !existed {
                    say.line(format_args!(
                        "registered {} ({}, {})",
                        app.slug, app.name, app.mode
                    ));
                }
                // What an operator has switched off since stays off.
                if enable && !app.has_address {
                    enable_first(operations, &app, say).await;
                }
            }
            Ok(_) => {}
            Err(error @ OpError::Dify(_)) => {
                say.line(format_args!(
                    "key {number} of DIFY_APP_KEYS is pending: {error}"
                ));
                pending.push(key);
            }
            Err(error) => {
                say.line(format_args!(
                    "key {number} of DIFY_APP_KEYS is left out: {error}"
                ));
            }
        }
    }
    pending
}

/// The address is not printed: a server's output is a log, and logs are kept.
async fn enable_first(operations: &Operations, app: &AppView, say: Say) {
    let enable = Operation::Enable {
        app: app.id.clone(),
    };
    if let Err(error) = operations.execute(enable).await {
        say.line(format_args!("{} was not enabled: {error}", app.slug));
    }
}

/// Says what is there and how each app that is off is switched on.
fn tell(operations: &Operations, home: &std::path::Path) {
    let snapshot = operations.registry.snapshot();
    if snapshot.is_empty() {
        println!("no app is registered yet; with its API key from Dify (API Access):");
        println!(
            "  printf %s \"$KEY\" | AIRLOCK_HOME={} airlock app add -",
            home.display()
        );
    }
    for app in snapshot.apps() {
        let (state, next) = if app.enabled {
            ("on ", format!("show {} --reveal", app.slug))
        } else {
            ("off", format!("enable {}", app.slug))
        };
        println!("{state} {:<24} {} ({})", app.slug, app.name, app.mode);
        println!("      AIRLOCK_HOME={} airlock app {next}", home.display());
    }
}

async fn retry(
    operations: Arc<Operations>,
    mut pending: Vec<Secret>,
    enable: bool,
    say: Say,
    stop: CancellationToken,
) {
    let mut pause = FIRST_RETRY;
    while !pending.is_empty() {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pending = register(&operations, pending, enable, say).await;
        pause = LAST_RETRY.min(pause * 2);
    }
}

/// # Errors
/// What keeps the demo from starting.
pub async fn demo(global: &Global, args: &DemoArgs) -> anyhow::Result<()> {
    let dify = StandIn::start(Options::default())
        .await
        .context("the stand-in for Dify did not start")?;
    let home = tempfile::Builder::new()
        .prefix("airlock-demo-")
        .tempdir()
        .context("no temporary directory")?;
    let limits = LimitArgs::default();
    let server = Server::start(ServerConfig {
        home: home.path().to_owned(),
        listen: args.listen,
        public_url: None,
        host_url: None,
        inside_url: None,
        allowed_origins: Vec::new(),
        allowed_hosts: Vec::new(),
        dify: Some(airlock_dify::Config::new(airlock_dify::parse_base(
            &dify.url(),
        )?)),
        master_key_file: None,
        // Nothing is installed yet.
        program: this_program(),
        mcp: limits.mcp(),
        limits,
        files: FileArgs::default(),
        guests: GuestArgs::default(),
        compiler: Some(compiler::this_program()),
    })
    .await?;
    let mut apps = Vec::new();
    for (_, key) in dify.keys() {
        let key = Secret::new(key.to_owned());
        let Reply::Added { app, .. } = server
            .operations
            .execute(Operation::Add { key, guest: None })
            .await?
        else {
            continue;
        };
        if let Reply::App { app } = server
            .operations
            .execute(Operation::Enable { app: app.id })
            .await?
        {
            apps.push(app);
        }
    }
    if global.json {
        println!("{}", serde_json::json!({"home": home.path(), "apps": apps}));
    } else {
        introduce(&apps, home.path());
    }
    until_stopped().await?;
    server.stop().await?;
    dify.down().await;
    home.close().context("the demo's home could not be removed")
}

fn introduce(apps: &[AppView], home: &std::path::Path) {
    println!("Airlock runs beside a small stand-in for Dify. Five sample apps are published:\n");
    for app in apps {
        let address = app
            .addresses
            .as_ref()
            .map(crate::addresses::Addresses::preferred)
            .unwrap_or_default();
        println!("  {:<14} {:<22} {address}", app.mode, app.name);
    }
    let Some(app) = apps
        .iter()
        .find(|app| app.mode == "workflow")
        .or(apps.first())
    else {
        return;
    };
    let Some(addresses) = &app.addresses else {
        return;
    };
    println!(
        "\nCall one:\n\n  {}",
        curl(addresses.preferred(), &example_call(app))
    );
    println!("\nOr let your AI client call it:\n");
    for snippet in &app.snippets {
        println!(
            "  {}: {}\n{}\n",
            snippet.client,
            snippet.how,
            output::indented(&snippet.text, 4)
        );
    }
    println!(
        "Look around with the CLI:\n\n  export AIRLOCK_HOME={}",
        home.display()
    );
    println!("  {} app list\n", this_program());
    println!("Ctrl-C ends the demo and removes its home.");
}

/// This program, as a person at this terminal can call it.
fn this_program() -> String {
    std::env::current_exe()
        .map_or_else(|_| super::PROGRAM.into(), |path| path.display().to_string())
}

/// A call that gives the first tool just what it needs.
fn example_call(app: &AppView) -> String {
    let Some(tool) = app.tools.first() else {
        return String::new();
    };
    let arguments: serde_json::Map<String, serde_json::Value> = tool
        .inputs
        .iter()
        .filter(|input| input.required)
        .map(|input| {
            let value = match (input.choices.first(), input.r#type.as_str()) {
                (Some(choice), _) => choice.clone(),
                (None, "number" | "integer") => 3.into(),
                (None, "boolean") => true.into(),
                (None, "object") => serde_json::json!({}),
                (None, "array") => serde_json::json!([]),
                (None, _) => "Lisbon in spring".into(),
            };
            (input.name.clone(), value)
        })
        .collect();
    serde_json::json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": tool.name, "arguments": arguments, "_meta": {"progressToken": 1}}
    })
    .to_string()
}

/// Waits for Ctrl-C, or for the signal with which a container is stopped.
async fn until_stopped() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        stopped = tokio::signal::ctrl_c() => stopped?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
