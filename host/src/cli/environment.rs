//! Reading the command line and the environment together.

use clap::{Command, CommandFactory, FromArgMatches};

/// Reads the process's arguments; ends the process with help, or with what does not fit.
#[must_use]
pub fn parse<T: CommandFactory + FromArgMatches>() -> T {
    from(std::env::args_os())
}

/// Reads the environment alone, for who stands in for a server and does not have its flags.
#[must_use]
pub fn environment<T: CommandFactory + FromArgMatches>() -> T {
    from([super::PROGRAM.into()])
}

fn from<T: CommandFactory + FromArgMatches>(
    arguments: impl IntoIterator<Item = std::ffi::OsString>,
) -> T {
    let matches = without_empty(T::command()).get_matches_from(arguments);
    T::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// clap cannot take a variable off an argument again; no variable's name holds this.
const NEVER_SET: &str = "=";

/// A variable that is set to nothing is not set: compose files write `${NAME:-}`.
fn without_empty(command: Command) -> Command {
    command
        .mut_args(|argument| match argument.get_env() {
            Some(name) if std::env::var_os(name).is_some_and(|value| value.is_empty()) => {
                argument.env(NEVER_SET).hide_env(true)
            }
            _ => argument,
        })
        .mut_subcommands(without_empty)
}
