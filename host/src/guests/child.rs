//! The child's side of compiling: `airlock compile-guest`, which no person calls. It reads a component from its standard
//! input and writes the code on its standard output, with the settings that every engine of this program has.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use airlock_sandbox::Compiled;
use clap::Args;
use rlimit::Resource;

/// The command's name.
pub(super) const COMMAND: &str = "compile-guest";
/// It exits with this where the component is refused, with the words on its standard output.
pub(super) const REFUSED: i32 = 3;

/// How much later than calls it has its turn, as `nice` counts.
const STEP_BACK: i32 = 10;

/// The bounds of `compile-guest`.
#[derive(Debug, Clone, Args)]
pub struct ChildArgs {
    /// Bytes of address space.
    #[arg(long, value_name = "BYTES")]
    memory: u64,
    /// Seconds of computing, over all its threads.
    #[arg(long, value_name = "SECONDS")]
    cpu: u64,
}

/// What a child is started with.
pub(super) fn arguments(time: Duration, memory: usize, threads: usize) -> [OsString; 5] {
    // Its parent kills it in time. This ends one whose parent is gone.
    let cpu = (time.as_secs() + 1).saturating_mul(threads as u64);
    [
        COMMAND.into(),
        "--memory".into(),
        memory.to_string().into(),
        "--cpu".into(),
        cpu.to_string().into(),
    ]
}

/// Is this what a process says that got no more memory?
pub(super) fn was_out_of_memory(words: &str) -> bool {
    // Rust's allocator, and the system where a mapping or a thread was asked for.
    ["memory allocation of", "os error 12", "os error 11"]
        .iter()
        .any(|sign| words.contains(sign))
}

/// Compiles what comes in.
#[must_use]
pub fn run(args: &ChildArgs) -> ExitCode {
    match compile(args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{COMMAND}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compile(args: &ChildArgs) -> std::io::Result<ExitCode> {
    // Before it has read anything. It writes no file, and leaves none when it dies.
    for (resource, most) in [
        (Resource::AS, args.memory),
        (Resource::CPU, args.cpu),
        (Resource::FSIZE, 0),
        (Resource::CORE, 0),
    ] {
        rlimit::setrlimit(resource, most, most)?;
    }
    // Calls come first; its threads inherit it.
    rustix::process::nice(STEP_BACK)?;
    let mut component = Vec::new();
    std::io::stdin().lock().read_to_end(&mut component)?;
    let mut out = std::io::stdout().lock();
    let code = match Compiled::of(&component) {
        Ok(compiled) => {
            out.write_all(compiled.as_bytes())?;
            ExitCode::SUCCESS
        }
        Err(refusal) => {
            let words = refusal.to_string();
            if was_out_of_memory(&words) {
                return Err(std::io::Error::other(words));
            }
            out.write_all(words.as_bytes())?;
            ExitCode::from(REFUSED as u8)
        }
    };
    out.flush()?;
    Ok(code)
}
