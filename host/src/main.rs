//! The `airlock` command.

use std::process::ExitCode;

use airlock::cli::{Cli, Command, environment};
use airlock::guests::child;

fn main() -> ExitCode {
    airlock::heap::give_back();
    let cli: Cli = environment::parse();
    match &cli.command {
        // Its bounds are for all its threads: none may be there before.
        Command::CompileGuest(args) => child::run(args),
        _ => run(cli),
    }
}

#[tokio::main]
async fn run(cli: Cli) -> ExitCode {
    airlock::cli::start_log(&cli.command);
    match airlock::cli::run(cli).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("airlock: {}", told(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes, each said once: some errors quote their cause in their own sentence.
fn told(error: &anyhow::Error) -> String {
    let mut told = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}
