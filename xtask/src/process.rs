//! Running other programs.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Runs a program that talks to the terminal itself.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot run {}", name(command)))?;
    ensure!(status.success(), "{} failed ({status})", line(command));
    Ok(())
}

/// Runs a program for its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {}", name(command)))?;
    ensure!(
        output.status.success(),
        "{} failed ({}):\n{}",
        line(command),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).with_context(|| format!("{} printed no UTF-8", name(command)))
}

/// Can the program be started at all?
pub(crate) fn exists(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// Is the program there, and new enough for what the tests run?
pub(crate) fn at_least(program: &str, oldest: (u32, u32)) -> Result<()> {
    ensure!(
        exists(program),
        "the tests have clients and guests in Python and Node.js, and this machine has no {program}; install version \
         {}.{} or later",
        oldest.0,
        oldest.1
    );
    let answer = output(Command::new(program).arg("--version"))?;
    let found = version(&answer).with_context(|| format!("{program} --version says {answer:?}"))?;
    ensure!(
        found >= oldest,
        "{program} is version {}.{}, and what the tests run needs {}.{} or later",
        found.0,
        found.1,
        oldest.0,
        oldest.1
    );
    Ok(())
}

/// The first two numbers of `Python 3.11.7` or `v20.20.2`.
fn version(answer: &str) -> Option<(u32, u32)> {
    let mut numbers = answer
        .trim_start_matches(|character: char| !character.is_ascii_digit())
        .split('.')
        .map(|number| number.trim().parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn line(command: &Command) -> String {
    let arguments = command
        .get_args()
        .map(|argument| argument.to_string_lossy());
    std::iter::once(command.get_program().to_string_lossy())
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_python_and_node_print_them() {
        assert_eq!(version("Python 3.11.7\n"), Some((3, 11)));
        assert_eq!(version("v20.20.2\n"), Some((20, 20)));
        assert_eq!(version("no number"), None);
        assert!(version("Python 3.9.1") < Some((3, 10)));
    }
}
