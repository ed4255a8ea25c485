//! The bounds that an operator may want to move.

use std::time::Duration;

use airlock_sandbox::EngineConfig;
use clap::Args;

use super::{count, mebibytes};
use crate::limits::{CallLimits, Limit};

/// The bounds that an operator may want to move. The units are in the names' help.
#[derive(Debug, Clone, Args)]
pub struct LimitArgs {
    /// Calls running in Dify at one time. Dify's default container takes 10 connections in all.
    #[arg(
        long,
        env = "AIRLOCK_DIFY_IN_FLIGHT",
        default_value_t = 6,
        value_name = "N",
        value_parser = count
    )]
    pub dify_in_flight: usize,
    /// The same for one app.
    #[arg(
        long,
        env = "AIRLOCK_DIFY_PER_APP",
        default_value_t = 3,
        value_name = "N",
        value_parser = count
    )]
    pub dify_per_app: usize,
    /// Seconds after which a call is ended. Dify ends its own runs after 1,200.
    #[arg(
        long,
        env = "AIRLOCK_CALL_DEADLINE",
        default_value_t = 1_260,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..=86_400_000)
    )]
    pub call_deadline: u64,
    /// Calls of one app that may run at one time, waiting for Dify included; as many more wait for up to 30 s.
    #[arg(
        long,
        env = "AIRLOCK_CALLS_PER_APP",
        default_value_t = 32,
        value_name = "N",
        value_parser = count
    )]
    pub calls_per_app: usize,
    /// MiB of memory that one call's guest may use.
    #[arg(
        long,
        env = "AIRLOCK_GUEST_MEMORY",
        default_value_t = 64,
        value_name = "MIB",
        value_parser = mebibytes
    )]
    pub guest_memory: usize,
    /// Milliseconds that one call's guest may compute; waiting is not counted.
    #[arg(
        long,
        env = "AIRLOCK_GUEST_CPU",
        default_value_t = 2_000,
        value_name = "MS",
        value_parser = clap::value_parser!(u64).range(1..=86_400_000)
    )]
    pub guest_cpu: u64,
    /// Elements that all tables of one call's guest may have.
    #[arg(
        long,
        env = "AIRLOCK_GUEST_TABLE_ELEMENTS",
        default_value_t = 20_000,
        value_name = "N",
        value_parser = within(Limit::TableElements)
    )]
    pub guest_table_elements: u64,
    /// Core instances of one call's guest.
    #[arg(
        long,
        env = "AIRLOCK_GUEST_INSTANCES",
        default_value_t = 256,
        value_name = "N",
        value_parser = within(Limit::Instances)
    )]
    pub guest_instances: u64,
    /// Linear memories of one call's guest.
    #[arg(
        long,
        env = "AIRLOCK_GUEST_MEMORIES",
        default_value_t = 2,
        value_name = "N",
        value_parser = within(Limit::Memories)
    )]
    pub guest_memories: u64,
    /// Tables of one call's guest.
    #[arg(
        long,
        env = "AIRLOCK_GUEST_TABLES",
        default_value_t = 8,
        value_name = "N",
        value_parser = within(Limit::Tables)
    )]
    pub guest_tables: u64,
    /// KiB of stack for each guest.
    #[arg(
        long,
        env = "AIRLOCK_GUEST_STACK",
        default_value_t = 512,
        value_name = "KIB",
        value_parser = clap::value_parser!(u64).range(64..=16_384)
    )]
    pub guest_stack: u64,
    /// MiB that a guest may hand to the host at once.
    #[arg(
        long,
        env = "AIRLOCK_GUEST_TO_HOST",
        default_value_t = 16,
        value_name = "MIB",
        value_parser = mebibytes
    )]
    pub guest_to_host: usize,
    /// MiB that a guest is handed at once.
    #[arg(
        long,
        env = "AIRLOCK_GUEST_FROM_HOST",
        default_value_t = 16,
        value_name = "MIB",
        value_parser = mebibytes
    )]
    pub guest_from_host: usize,
    /// Handles that one call's guest may hold at one time.
    #[arg(
        long,
        env = "AIRLOCK_GUEST_HANDLES",
        default_value_t = 1_024,
        value_name = "N",
        value_parser = within(Limit::Handles)
    )]
    pub guest_handles: u64,
    /// KiB that one call's guest may log, and as many that it may tell its client.
    #[arg(
        long,
        env = "AIRLOCK_GUEST_LOG",
        default_value_t = 64,
        value_name = "KIB",
        value_parser = clap::value_parser!(u64).range(0..=65_536)
    )]
    pub guest_log: u64,
    /// Lines of that.
    #[arg(
        long,
        env = "AIRLOCK_GUEST_LOG_LINES",
        default_value_t = 1_000,
        value_name = "N",
        value_parser = within(Limit::LogLines)
    )]
    pub guest_log_lines: u64,
    /// Reports of progress that a guest may make in one second.
    #[arg(
        long,
        env = "AIRLOCK_GUEST_PROGRESS",
        default_value_t = 100,
        value_name = "N",
        value_parser = within(Limit::Progress)
    )]
    pub guest_progress: u64,
    /// Runs of its app that one call may start.
    #[arg(
        long,
        env = "AIRLOCK_GUEST_RUNS",
        default_value_t = 32,
        value_name = "N",
        value_parser = within(Limit::Runs)
    )]
    pub guest_runs: u64,
    /// MiB of one result.
    #[arg(
        long,
        env = "AIRLOCK_GUEST_RESULT",
        default_value_t = 16,
        value_name = "MIB",
        value_parser = mebibytes
    )]
    pub guest_result: usize,
    /// Connections at one time; up to three quarters of them may be streams that wait for changes. More wait unaccepted.
    #[arg(
        long,
        env = "AIRLOCK_CONNECTIONS",
        default_value_t = 8_192,
        value_name = "N",
        value_parser = count
    )]
    pub connections: usize,
    /// Seconds between two looks at what Dify says of the enabled apps, give or take a fifth; 0 for none.
    #[arg(
        long,
        env = "AIRLOCK_REFRESH_EVERY",
        default_value_t = 300,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(0..=86_400_000)
    )]
    pub refresh_every: u64,
    /// Seconds that a call goes on after an older client (before 2026-07-28) has hung up.
    #[arg(
        long,
        env = "AIRLOCK_HANGUP_GRACE",
        default_value_t = 10,
        value_name = "SECONDS"
    )]
    pub hangup_grace: u64,
}

/// What one app may be given, all may.
fn within(limit: Limit) -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(limit.range())
}

impl LimitArgs {
    /// The bounds of a call, of an app that has none of its own.
    #[must_use]
    pub fn call(&self) -> CallLimits {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        CallLimits {
            guest: airlock_sandbox::Limits {
                cpu: Duration::from_millis(self.guest_cpu),
                deadline: Duration::from_secs(self.call_deadline),
                memory: self.guest_memory << 20,
                table_elements: number(self.guest_table_elements),
                instances: number(self.guest_instances),
                memories: number(self.guest_memories),
                tables: number(self.guest_tables),
                to_host: self.guest_to_host << 20,
                from_host: self.guest_from_host << 20,
                handles: number(self.guest_handles),
                log_bytes: number(self.guest_log << 10),
                log_lines: number(self.guest_log_lines),
                progress: u32::try_from(self.guest_progress).unwrap_or(u32::MAX),
                runs: number(self.guest_runs),
            },
            result: self.guest_result << 20,
            calls: self.calls_per_app,
        }
    }

    /// What the engine is built with.
    #[must_use]
    pub fn engine(&self) -> EngineConfig {
        EngineConfig {
            stack: usize::try_from(self.guest_stack << 10).unwrap_or(usize::MAX),
            ..EngineConfig::default()
        }
    }

    /// The protocol's bounds and times.
    #[must_use]
    pub fn mcp(&self) -> airlock_mcp::Config {
        airlock_mcp::Config {
            streams: self.connections,
            hangup_grace: Duration::from_secs(self.hangup_grace),
            ..airlock_mcp::Config::default()
        }
    }
}

impl Default for LimitArgs {
    /// The defaults above, for whoever builds a server without a command line.
    fn default() -> Self {
        #[derive(clap::Parser)]
        struct Defaults {
            #[command(flatten)]
            limits: LimitArgs,
        }
        // The environment of a test or a demo has its say, as it has in `serve`.
        crate::cli::environment::environment::<Defaults>().limits
    }
}
