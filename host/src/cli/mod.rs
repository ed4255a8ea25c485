//! The command line: what may be said, and which file answers it.

pub mod app;
pub mod door;
pub mod environment;
pub mod guest;
pub mod output;
pub mod serve;
pub mod stdio;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::ServeArgs;
use crate::guests::child;
use crate::ops::Operation;

/// Publishes Dify apps as MCP servers, each behind its own address and in its own sandbox.
#[derive(Debug, Parser)]
#[command(name = "airlock", version, propagate_version = true)]
pub struct Cli {
    /// What they all share.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The directory that holds everything Airlock keeps.
    #[arg(long, env = "AIRLOCK_HOME", default_value_os_t = default_home(), global = true, value_name = "DIR")]
    pub home: PathBuf,
    /// Print JSON for programs. `stdio` speaks nothing else anyway.
    #[arg(long, global = true)]
    pub json: bool,
}

/// `$XDG_DATA_HOME/airlock`, as the XDG base directory specification has it for what a user's programs keep.
fn default_home() -> PathBuf {
    let data = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    data.or_else(|| std::env::home_dir().map(|home| home.join(".local/share")))
        .unwrap_or_else(|| PathBuf::from("/var/lib"))
        .join("airlock")
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the sidecar.
    #[command(
        after_help = "Example:\n  DIFY_URL=http://localhost/v1 DIFY_APP_KEYS=app-… airlock serve"
    )]
    Serve(Box<ServeArgs>),
    /// Run the sidecar beside a small stand-in for Dify, with one published sample app of each mode.
    #[command(after_help = "Example:\n  airlock demo")]
    Demo(DemoArgs),
    /// The published apps.
    #[command(subcommand)]
    App(app::AppCommand),
    /// Print what the running server counts, as OpenMetrics text.
    #[command(after_help = "Example:\n  airlock metrics | grep bounds_hit")]
    Metrics,
    /// Guests: the WebAssembly components that describe an app's tools and make its calls.
    #[command(subcommand)]
    Guest(guest::GuestCommand),
    /// Succeed when the sidecar on this machine is ready to serve.
    #[command(after_help = "Example:\n  airlock healthcheck --listen 127.0.0.1:8808")]
    Healthcheck(HealthcheckArgs),
    /// Bridge a client that speaks MCP over standard input and output to an address.
    #[command(after_help = "Example:\n  airlock stdio http://localhost:8808/server/CODE/mcp")]
    Stdio(StdioArgs),
    /// Compile the guest on standard input, within bounds. Airlock starts this itself.
    #[command(
        hide = true,
        after_help = "Example:\n  airlock compile-guest --memory 2147483648 --cpu 120 <guest.wasm >guest.code"
    )]
    CompileGuest(child::ChildArgs),
}

/// This program's name, where it is installed.
pub(crate) const PROGRAM: &str = "airlock";

/// Options of `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Where to listen.
    #[arg(
        long,
        env = "AIRLOCK_LISTEN",
        default_value = "127.0.0.1:8808",
        value_name = "ADDR:PORT"
    )]
    pub listen: std::net::SocketAddr,
}

/// Options of `healthcheck`.
#[derive(Debug, Clone, Args)]
pub struct HealthcheckArgs {
    /// Where the sidecar listens.
    #[arg(
        long,
        env = "AIRLOCK_LISTEN",
        default_value = "127.0.0.1:8808",
        value_name = "ADDR:PORT"
    )]
    pub listen: std::net::SocketAddr,
}

/// Options of `stdio`.
#[derive(Debug, Clone, Args)]
pub struct StdioArgs {
    /// The app's address; it can also stand in the environment, where a list of processes does not show it.
    #[arg(env = "AIRLOCK_ADDRESS", hide_env_values = true, value_name = "URL")]
    pub url: String,
}

/// Runs what was asked for. The code that the process should end with.
///
/// # Errors
/// What went wrong, in words for the person at the terminal.
pub async fn run(cli: Cli) -> anyhow::Result<std::process::ExitCode> {
    let Cli { global, command } = cli;
    match command {
        Command::Serve(args) => serve::serve(&global, *args).await?,
        Command::Demo(args) => serve::demo(&global, &args).await?,
        Command::App(command) => app::run(&global, command).await?,
        Command::Metrics => {
            let reply = door::ask(&global.home, Operation::Metrics).await?;
            output::print(&reply, global.json)?;
        }
        Command::Guest(command) => guest::run(&global, command).await?,
        Command::Healthcheck(args) => {
            crate::net::health::check(args.listen).await?;
            if global.json {
                println!("{}", serde_json::json!({"ready": true}));
            }
        }
        Command::Stdio(args) => stdio::bridge(&args.url).await?,
        Command::CompileGuest(args) => return Ok(child::run(&args)),
    }
    Ok(std::process::ExitCode::SUCCESS)
}

/// Writes the log to standard error: what `AIRLOCK_LOG` asks for, warnings and one line a call by default.
pub fn start_log(command: &Command) {
    use std::io::IsTerminal;
    use tracing_subscriber::EnvFilter;
    let usual = match command {
        Command::Serve(_) | Command::Demo(_) => "warn,airlock=info",
        // A command that is over in a moment says what it has to say itself.
        Command::App(_)
        | Command::Metrics
        | Command::Guest(_)
        | Command::Healthcheck(_)
        | Command::Stdio(_)
        | Command::CompileGuest(_) => "warn",
    };
    let asked = std::env::var("AIRLOCK_LOG")
        .ok()
        .filter(|filter| !filter.trim().is_empty());
    let filter = EnvFilter::try_new(asked.as_deref().unwrap_or(usual))
        .unwrap_or_else(|_| EnvFilter::new(usual));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_option_takes_an_app_key() {
        let args = ["airlock", "serve", "--app-keys", "app-secret"];
        let refused = Cli::try_parse_from(args)
            .map(|_| ())
            .expect_err("no such option");
        assert!(!refused.to_string().contains("app-secret"), "{refused}");
    }

    #[test]
    fn every_command_has_an_example() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            let leaf = command.get_subcommands().next().is_none();
            if leaf {
                let example = command
                    .get_after_help()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                assert!(
                    example.starts_with("Example"),
                    "{path} has no example in its --help"
                );
            }
            command.get_subcommands().for_each(|sub| check(sub, &path));
        }
        check(&Cli::command(), "");
    }
}
