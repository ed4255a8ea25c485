//! The bounds of a call: their names, their units, and what of them an operator has set for one app.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use airlock_sandbox::{Bound, EngineConfig, Limits};
use serde::{Deserialize, Serialize};

/// A bound of a call, by the name that the CLI, the admin API, the log and the metrics have for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// Time that the guest computes.
    Cpu,
    /// Time from beginning to end.
    Deadline,
    /// Linear memory in all.
    Memory,
    /// Elements of all tables.
    TableElements,
    /// Core instances.
    Instances,
    /// Linear memories.
    Memories,
    /// Tables.
    Tables,
    /// Stack. One for the whole engine.
    Stack,
    /// From the guest to the host in one host call.
    ToHost,
    /// From the host to the guest in answer to one host call.
    FromHost,
    /// Handles at one time.
    Handles,
    /// Text for the log, and as much for the client.
    LogBytes,
    /// Lines of it.
    LogLines,
    /// Reports of progress in a second.
    Progress,
    /// Runs of the app.
    Runs,
    /// The result.
    Result,
    /// Calls of the app at one time.
    Calls,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Time,
    /// Bytes.
    Bytes,
    /// Things.
    Number,
}

/// What an operator has set for one app, in milliseconds, bytes, or numbers.
pub type Own = BTreeMap<Limit, u64>;

const DAY: u64 = 24 * 60 * 60 * 1_000;
const MIB: u64 = 1 << 20;

impl Limit {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 17] = [
        Self::Cpu,
        Self::Deadline,
        Self::Memory,
        Self::TableElements,
        Self::Instances,
        Self::Memories,
        Self::Tables,
        Self::Stack,
        Self::ToHost,
        Self::FromHost,
        Self::Handles,
        Self::LogBytes,
        Self::LogLines,
        Self::Progress,
        Self::Runs,
        Self::Result,
        Self::Calls,
    ];

    /// Its name everywhere.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::TableElements => "table-elements",
            Self::Instances => "instances",
            Self::Memories => "memories",
            Self::Tables => "tables",
            Self::Stack => "stack",
            Self::ToHost => "to-host",
            Self::FromHost => "from-host",
            Self::Handles => "handles",
            Self::LogBytes => "log-bytes",
            Self::LogLines => "log-lines",
            Self::Progress => "progress",
            Self::Runs => "runs",
            Self::Result => "result",
            Self::Calls => "calls",
        }
    }

    /// What it bounds, for the CLI's help.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::Cpu => "Time that one call's guest may compute; waiting is not counted",
            Self::Deadline => "Time after which a call is ended",
            Self::Memory => "Linear memory of one call's guest, all together",
            Self::TableElements => "Elements of its tables, all together",
            Self::Instances => "Its core instances",
            Self::Memories => "Its linear memories",
            Self::Tables => "Its tables",
            Self::Stack => "Its stack",
            Self::ToHost => "Data that it may hand to the host at once",
            Self::FromHost => "Data that it is handed at once",
            Self::Handles => "Handles that it may hold at one time",
            Self::LogBytes => {
                "Text that it may log in one call, and as much that it may tell its client"
            }
            Self::LogLines => "Lines of that text",
            Self::Progress => "Reports of progress in one second",
            Self::Runs => "Runs of the app that one call may start",
            Self::Result => "Size of one result",
            Self::Calls => "Calls of the app that may run at one time; as many more wait",
        }
    }

    /// What it counts.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            Self::Cpu | Self::Deadline => Unit::Time,
            Self::Memory
            | Self::Stack
            | Self::ToHost
            | Self::FromHost
            | Self::LogBytes
            | Self::Result => Unit::Bytes,
            Self::TableElements
            | Self::Instances
            | Self::Memories
            | Self::Tables
            | Self::Handles
            | Self::LogLines
            | Self::Progress
            | Self::Runs
            | Self::Calls => Unit::Number,
        }
    }

    /// What one app may be given. The most of a guest's memory and tables is what the engine has room for in each of its
    /// instances; that of the runs is what is kept of a task.
    #[must_use]
    pub fn range(self) -> std::ops::RangeInclusive<u64> {
        let room = EngineConfig::room();
        let number = |most: usize| u64::try_from(most).unwrap_or(u64::MAX);
        match self {
            Self::Cpu | Self::Deadline => 1..=1_000 * DAY,
            Self::Memory => 64 << 10..=number(room.memory),
            Self::TableElements => 1..=number(room.table_elements),
            Self::Instances => 1..=number(room.instances),
            Self::Memories => 1..=number(room.memories),
            Self::Tables => 1..=number(room.tables),
            Self::Stack => 64 << 10..=16 * MIB,
            Self::ToHost | Self::FromHost | Self::Result => 1_024..=256 * MIB,
            Self::Handles | Self::Calls => 1..=100_000,
            Self::LogBytes => 0..=64 * MIB,
            Self::LogLines => 0..=1_000_000,
            Self::Progress => 0..=10_000,
            Self::Runs => 1..=number(airlock_registry::bounds::MAX_TASK_RUNS),
        }
    }

    /// May one app have its own?
    #[must_use]
    pub fn is_per_app(self) -> bool {
        self != Self::Stack
    }

    /// Is its most what the engine was built for?
    #[must_use]
    pub fn is_room(self) -> bool {
        matches!(
            self,
            Self::Memory | Self::TableElements | Self::Instances | Self::Memories | Self::Tables
        )
    }

    /// Reads a value as people write it: `128MiB`, `64KiB`, `5s`, `300ms`, `3`.
    ///
    /// # Errors
    /// How it is written.
    pub fn parse(self, text: &str) -> Result<u64, String> {
        let text = text.trim();
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let factor = match (self.unit(), &text[digits.len()..]) {
            (Unit::Time, "ms") | (Unit::Bytes, "B") | (Unit::Number, "") => 1,
            (Unit::Time, "s") => 1_000,
            (Unit::Bytes, "KiB") => 1 << 10,
            (Unit::Bytes, "MiB") => MIB,
            (Unit::Time, _) => return Err("write a time: 300ms or 5s".into()),
            (Unit::Bytes, _) => return Err("write a size: 64KiB or 128MiB".into()),
            (Unit::Number, _) => return Err("write a number".into()),
        };
        let number: Option<u64> = digits.trim_end().parse().ok();
        number
            .and_then(|number| number.checked_mul(factor))
            .ok_or_else(|| "write a number, and its unit".into())
    }

    /// A value as [`Limit::parse`] reads it.
    #[must_use]
    pub fn show(self, value: u64) -> String {
        let in_units = |units: [(u64, &str); 2], rest: &str| {
            let fits = |(size, _): &(u64, &str)| value > 0 && value.is_multiple_of(*size);
            match units.into_iter().find(fits) {
                Some((size, name)) => format!("{}{name}", value / size),
                None => format!("{value}{rest}"),
            }
        };
        match self.unit() {
            Unit::Time => in_units([(1_000, "s"), (1, "ms")], "ms"),
            Unit::Bytes => in_units([(MIB, "MiB"), (1 << 10, "KiB")], "B"),
            Unit::Number => value.to_string(),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl From<Bound> for Limit {
    fn from(bound: Bound) -> Self {
        match bound {
            Bound::Cpu(_) => Self::Cpu,
            Bound::Deadline(_) => Self::Deadline,
            Bound::Memory(_) => Self::Memory,
            Bound::TableElements(_) => Self::TableElements,
            Bound::Instances(_) => Self::Instances,
            Bound::Memories(_) => Self::Memories,
            Bound::Tables(_) => Self::Tables,
            Bound::Stack(_) => Self::Stack,
            Bound::ToHost(_) => Self::ToHost,
            Bound::FromHost(_) => Self::FromHost,
            Bound::Handles(_) => Self::Handles,
            Bound::LogBytes(_) => Self::LogBytes,
            Bound::LogLines(_) => Self::LogLines,
            Bound::Progress(_) => Self::Progress,
            Bound::Runs(_) => Self::Runs,
        }
    }
}

/// The bounds of one app's calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallLimits {
    /// Those that the sandbox keeps.
    pub guest: Limits,
    /// Bytes of one result: room for the largest answer of Dify's that is passed on (4 MiB), as text and as structured
    /// content. 16 MiB. Clients cut far smaller ones; this keeps a guest from filling the host's memory.
    pub result: usize,
    /// Calls of the app that may run at one time; as many more may wait. 32.
    pub calls: usize,
}

impl CallLimits {
    /// These, with what an operator has set for one app. A value beyond what there is room for, which an older Airlock may
    /// have had, counts as the most.
    #[must_use]
    pub fn with(&self, own: &Own) -> Self {
        let mut limits = self.clone();
        for (&limit, &value) in own {
            let range = limit.range();
            limits.set(limit, value.clamp(*range.start(), *range.end()));
        }
        limits
    }

    fn set(&mut self, limit: Limit, value: u64) {
        let number = usize::try_from(value).unwrap_or(usize::MAX);
        let guest = &mut self.guest;
        match limit {
            Limit::Cpu => guest.cpu = Duration::from_millis(value),
            Limit::Deadline => guest.deadline = Duration::from_millis(value),
            Limit::Memory => guest.memory = number,
            Limit::TableElements => guest.table_elements = number,
            Limit::Instances => guest.instances = number,
            Limit::Memories => guest.memories = number,
            Limit::Tables => guest.tables = number,
            // The engine's.
            Limit::Stack => {}
            Limit::ToHost => guest.to_host = number,
            Limit::FromHost => guest.from_host = number,
            Limit::Handles => guest.handles = number,
            Limit::LogBytes => guest.log_bytes = number,
            Limit::LogLines => guest.log_lines = number,
            Limit::Progress => guest.progress = u32::try_from(value).unwrap_or(u32::MAX),
            Limit::Runs => guest.runs = number,
            Limit::Result => self.result = number,
            Limit::Calls => self.calls = number,
        }
    }
}

/// The bounds of `describe` for an app with bounds of its own: its guest may need as much to come to life as in a call.
#[must_use]
pub fn describe(own: &Own) -> Limits {
    let mut limits = CallLimits {
        guest: Limits::describe(),
        result: 0,
        calls: 0,
    };
    let needed = own.iter().filter(|(limit, _)| limit.is_room());
    limits = limits.with(&needed.map(|(&limit, &value)| (limit, value)).collect());
    limits.guest
}

/// What the registry keeps of an app's own bounds, read back. Names that this Airlock does not know are passed over.
#[must_use]
pub fn own(overlay: &airlock_registry::Overlay) -> Own {
    let kept = overlay.limits.iter();
    kept.filter_map(|(name, &value)| {
        let limit = Limit::ALL.into_iter().find(|limit| limit.name() == name)?;
        Some((limit, value))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_has_one_name_and_reads_what_it_shows() {
        for limit in Limit::ALL {
            let json = serde_json::to_string(&limit).expect("a word");
            assert_eq!(json, format!("{:?}", limit.name()));
            for value in [*limit.range().start(), *limit.range().end(), 1_500] {
                assert_eq!(limit.parse(&limit.show(value)), Ok(value), "{limit}");
            }
        }
        assert_eq!(Limit::Memory.parse("128MiB"), Ok(128 << 20));
        assert_eq!(Limit::Cpu.parse("5s"), Ok(5_000));
        for wrong in ["", "5", "MiB", "-1MiB", "5s", "99999999999999999MiB"] {
            assert!(Limit::Memory.parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_apps_own_bounds_reach_the_guest_and_no_further_than_there_is_room() {
        let all = crate::config::LimitArgs::default().call();
        for limit in Limit::ALL.into_iter().filter(|limit| limit.is_per_app()) {
            let least = all.with(&[(limit, *limit.range().start())].into());
            assert_ne!(least, all, "{limit}");
            let over = all.with(&[(limit, u64::MAX)].into());
            assert_eq!(over, all.with(&[(limit, *limit.range().end())].into()));
        }
    }

    #[test]
    fn describe_has_what_the_guest_needs_to_come_to_life_and_no_more_time() {
        let own = [(Limit::Memory, 128 * MIB), (Limit::Cpu, 60_000)].into();
        let limits = describe(&own);
        assert_eq!(limits.memory, 128 << 20);
        assert_eq!(limits.cpu, Limits::describe().cpu);
    }
}
