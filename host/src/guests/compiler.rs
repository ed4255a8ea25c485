//! Compiling: in a process of its own, with bounds, one component at a time.
//!
//! A component can be made for which a compiler takes hours, or all memory, or more stack than there is. So it is read and
//! compiled by a child, this same program ([`child`](super::child) is its side), which has nothing of ours but the
//! component, and is killed when it is over a bound.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use airlock_sandbox::{Compiled, Refusal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::child::{self, REFUSED};
use super::{GuestError, blocking};

/// Components that may wait for their turn. They are not in memory yet, but for those that an operator brings.
const WAITING: usize = 16;
/// Bytes of code for one byte of a component, and for any. Rust guests and interpreters grow two- to threefold.
const GROWTH: usize = 16;
const SMALLEST: usize = 16 << 20;
/// Bytes that are read of what a child says of its end.
const WORDS: usize = 8 << 10;
/// Threads that a child may compile on at the most. Each reserves address space, of which it has little.
const MAX_THREADS: usize = 4;

/// What compiling one component may cost, and who does it.
#[derive(Debug, Clone)]
pub struct CompilerConfig {
    /// The `airlock` program, which compiles in a child. `None`: a thread of this process compiles, for those who use this
    /// crate without that program; there only the component's size is bounded.
    pub program: Option<PathBuf>,
    /// Bytes of a component.
    pub size: usize,
    /// How long a child may take.
    pub time: Duration,
    /// Bytes of address space that a child may have. Some 180 MiB of it is the program itself.
    pub memory: usize,
}

/// A component that is over a bound of the compiler's. The text names the bound, its value and its setting, and what the
/// component's author can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverBound {
    /// Too large to be looked at.
    #[error(
        "it has {bytes} bytes, and {limit} is the most (AIRLOCK_COMPILE_SIZE): build it with optimisation for size and \
         without debug information, or strip it (`wasm-tools strip`)"
    )]
    Size {
        /// What it has.
        bytes: usize,
        /// What it may have.
        limit: usize,
    },
    /// Too slow.
    #[error(
        "compiling it took more than {} s (AIRLOCK_COMPILE_TIME) and was ended: split its largest functions, or leave \
         out what it does not use",
        .0.as_secs_f32()
    )]
    Time(Duration),
    /// Too greedy.
    #[error(
        "compiling it took more than {} MiB of memory (AIRLOCK_COMPILE_MEMORY) and was ended: split its largest functions, \
         or leave out what it does not use",
        .0 >> 20
    )]
    Memory(usize),
    /// Code out of proportion.
    #[error(
        "it compiles to more than {0} bytes of code, {GROWTH} times what it has itself: leave out what it does not use"
    )]
    Code(usize),
    /// The compiler did not survive it.
    #[error(
        "the compiler died of it ({0}): it may be nested too deep, or have found a fault of the compiler's"
    )]
    Crash(String),
}

/// Compiles. One component at a time; others wait in the order in which they came.
pub(super) struct Compiler {
    config: CompilerConfig,
    turn: Semaphore,
    line: Semaphore,
}

/// The right to compile one component now.
pub(super) struct Turn<'a> {
    _line: SemaphorePermit<'a>,
    _turn: SemaphorePermit<'a>,
}

impl Compiler {
    pub(super) fn new(config: CompilerConfig) -> Self {
        Self {
            config,
            turn: Semaphore::new(1),
            line: Semaphore::new(1 + WAITING),
        }
    }

    /// Waits for the others.
    ///
    /// # Errors
    /// [`GuestError::Busy`] where too many wait already.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, GuestError> {
        let busy = |_| GuestError::Busy(WAITING);
        Ok(Turn {
            _line: self.line.try_acquire().map_err(busy)?,
            _turn: self
                .turn
                .acquire()
                .await
                .map_err(|_| GuestError::Busy(WAITING))?,
        })
    }

    /// Compiles a component, or a core module that carries its component type.
    ///
    /// # Errors
    /// [`GuestError::Refused`], [`GuestError::OverBound`], and what keeps a child from being started.
    pub(super) async fn compile(
        &self,
        bytes: Vec<u8>,
        _turn: &Turn<'_>,
    ) -> Result<Compiled, GuestError> {
        let limit = self.config.size;
        if bytes.len() > limit {
            let bytes = bytes.len();
            return Err(OverBound::Size { bytes, limit }.into());
        }
        match &self.config.program {
            Some(program) => self.in_child(program, bytes).await,
            None => Ok(blocking(move || Compiled::of(&bytes)).await??),
        }
    }

    async fn in_child(&self, program: &Path, component: Vec<u8>) -> Result<Compiled, GuestError> {
        let CompilerConfig { time, memory, .. } = self.config;
        let child = command(program, time, memory).spawn();
        let mut child = child.map_err(|error| {
            let program = program.display();
            GuestError::Internal(format!("{program} cannot be started to compile: {error}"))
        })?;
        let most = component.len().saturating_mul(GROWTH).max(SMALLEST);
        let ended = tokio::time::timeout(time, exchange(&mut child, &component, most)).await;
        let Ok(ended) = ended else {
            // Waits until it is gone: the next one's turn comes only then.
            let _ = child.kill().await;
            return Err(OverBound::Time(time).into());
        };
        let Ended { status, out, words } = ended.map_err(|error| {
            GuestError::Internal(format!(
                "the compiling process cannot be spoken to: {error}"
            ))
        })?;
        if out.len() > most {
            return Err(OverBound::Code(most).into());
        }
        match status.code() {
            Some(0) => Ok(trusted(out)),
            Some(REFUSED) => {
                let words = out.get(..WORDS).unwrap_or(&out);
                Err(Refusal::Told(String::from_utf8_lossy(words).into_owned()).into())
            }
            _ if child::was_out_of_memory(&words) => Err(OverBound::Memory(memory).into()),
            _ => Err(OverBound::Crash(format!("{status}: {}", words.trim())).into()),
        }
    }
}

/// A child without our environment, directory or files.
fn command(program: &Path, time: Duration, memory: usize) -> Command {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = (processors / 2).clamp(1, MAX_THREADS);
    let mut command = Command::new(program);
    command
        .args(child::arguments(time, memory, threads))
        .env_clear()
        // Half the processors go on serving.
        .env("RAYON_NUM_THREADS", threads.to_string())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// How a child ended.
struct Ended {
    status: ExitStatus,
    /// At most one byte more than it may be.
    out: Vec<u8>,
    words: String,
}

async fn exchange(child: &mut Child, component: &[u8], most: usize) -> std::io::Result<Ended> {
    let gone = || std::io::Error::other("it has no pipes");
    let mut stdin = child.stdin.take().ok_or_else(gone)?;
    let stdout = child.stdout.take().ok_or_else(gone)?;
    let stderr = child.stderr.take().ok_or_else(gone)?;
    let (mut out, mut words) = (Vec::new(), Vec::new());
    let say = async {
        // A child that dies says why by how it ends.
        let _ = stdin.write_all(component).await;
        drop(stdin);
    };
    // Whoever has more to say than is heard finds its pipe closed.
    let code = async { stdout.take(most as u64 + 1).read_to_end(&mut out).await };
    let complaints = async { stderr.take(WORDS as u64).read_to_end(&mut words).await };
    let ((), read, _) = tokio::join!(say, code, complaints);
    read?;
    Ok(Ended {
        status: child.wait().await?,
        out,
        words: String::from_utf8_lossy(&words).into_owned(),
    })
}

#[expect(
    unsafe_code,
    reason = "code from another process is code that this one did not see being made"
)]
fn trusted(code: Vec<u8>) -> Compiled {
    // SAFETY: a child of this process made it, running this same program, and handed it over a pipe that nobody else can
    // write to. What this trusts is the compiler: one that a component could subvert would be subverted on a thread of
    // this process just as well, and there it would hold our memory too.
    unsafe { Compiled::from_bytes(code) }
}

/// The program that this process runs, for [`CompilerConfig::program`] where that is `airlock`. It stays the same one when
/// an update replaces the file.
#[must_use]
pub fn this_program() -> PathBuf {
    PathBuf::from("/proc/self/exe")
}

#[cfg(test)]
#[path = "compiler_tests.rs"]
mod tests;
