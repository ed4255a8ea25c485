//! What a process uses, as Linux counts it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// Ticks of `/proc/PID/stat` in a second: `USER_HZ`, which Linux has fixed at 100 for programs.
const TICK: Duration = Duration::from_millis(10);
/// Without a tick for as long, a process is at rest.
const QUIET: Duration = Duration::from_millis(600);
/// A server that starts with a thousand components compiles for minutes.
const REST_WITHIN: Duration = Duration::from_secs(300);

/// Another process, or this one.
#[derive(Clone, Copy, Debug)]
pub struct Process(pub u32);

/// KiB of memory that a process has resident.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Now.
    pub now: u64,
    /// The most since [`Process::forget_peak`].
    pub most: u64,
}

impl Process {
    /// CPU time that the whole process has used, in user mode and in the kernel. Its grain is 10 ms.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn cpu(self) -> anyhow::Result<Duration> {
        let text = self.read("stat")?;
        // The second field, in brackets, may hold spaces; utime and stime are the 14th and 15th.
        let (_, fields) = text.rsplit_once(')').context("this is no /proc/PID/stat")?;
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u32 = ticks.map(str::parse::<u32>).sum::<Result<_, _>>()?;
        Ok(TICK * ticks)
    }

    /// Its resident memory.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn memory(self) -> anyhow::Result<Memory> {
        let text = self.read("status")?;
        let field = |name| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
            let number = number.and_then(|number| number.parse().ok());
            number.with_context(|| format!("no {name} in /proc/PID/status"))
        };
        Ok(Memory {
            now: field("VmRSS:")?,
            most: field("VmHWM:")?,
        })
    }

    /// Begins to count the most memory anew.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn forget_peak(self) -> anyhow::Result<()> {
        std::fs::write(self.path("clear_refs"), "5").context("the process has ended")
    }

    /// Waits until it computes nothing any more: it has compiled what it compiles at its start, and put away what a load
    /// has left behind.
    ///
    /// # Errors
    /// When the process has ended, or does not come to rest.
    pub async fn rest(self) -> anyhow::Result<()> {
        let began = Instant::now();
        let (mut cpu, mut since) = (self.cpu()?, began);
        while since.elapsed() < QUIET {
            ensure!(
                began.elapsed() < REST_WITHIN,
                "the process does not come to rest"
            );
            tokio::time::sleep(QUIET / 6).await;
            let now = self.cpu()?;
            if now != cpu {
                (cpu, since) = (now, Instant::now());
            }
        }
        Ok(())
    }

    fn path(self, file: &str) -> PathBuf {
        format!("/proc/{}/{file}", self.0).into()
    }

    fn read(self, file: &str) -> anyhow::Result<String> {
        std::fs::read_to_string(self.path(file)).context("the process has ended")
    }
}
