//! What one call's WASI holds: clocks, waits, chance, and half-written lines.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wasmtime::component::{ComponentType, Lower, Resource, ResourceTable};

use super::output::Lines;
use crate::state::ImportInDescribe;

/// The grain of both clocks, in nanoseconds: a finer one has no honest use beside Dify's seconds.
pub(super) const RESOLUTION: u64 = 1_000_000;

/// The most random bytes of one call of the function.
const MOST_RANDOM: u64 = 64 << 10;

/// Something to wait for: a time on the monotonic clock. What is ready at once is ready since 0.
pub(super) struct Pollable(u64);

/// WASI's `datetime`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct Moment {
    seconds: u64,
    nanoseconds: u32,
}

impl Moment {
    pub(super) fn from_nanos(nanos: u64) -> Self {
        Self {
            seconds: nanos / 1_000_000_000,
            nanoseconds: (nanos % 1_000_000_000) as u32,
        }
    }
}

/// More random bytes than there are at once.
#[derive(Debug, thiserror::Error)]
#[error("it asked for {0} random bytes at once; the most is {MOST_RANDOM}")]
struct TooRandom(u64);

/// Made with every store; costs nothing until a guest uses it.
pub(crate) struct World {
    /// `describe` is a pure function: for it clocks stand still at 0, and chance is always the same.
    pure: bool,
    /// When the guest first looked at the monotonic clock, which began then.
    began: Option<Instant>,
    drawn: u64,
    pollables: ResourceTable,
    pub(super) lines: Lines,
}

impl World {
    pub(crate) fn new(pure: bool, handles: usize) -> Self {
        let mut pollables = ResourceTable::new();
        pollables.set_max_capacity(handles);
        Self {
            pure,
            began: None,
            drawn: 0,
            pollables,
            lines: Lines::default(),
        }
    }

    /// Nanoseconds since the guest's first look, by the grain of the clock.
    pub(super) fn monotonic(&mut self) -> u64 {
        if self.pure {
            return 0;
        }
        let elapsed = self.began.get_or_insert_with(Instant::now).elapsed();
        grains(elapsed)
    }

    /// The time of day.
    pub(super) fn wall(&self) -> Moment {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Moment::from_nanos(match now {
            Ok(now) if !self.pure => grains(now),
            _ => 0,
        })
    }

    pub(super) fn pollable(&mut self, when: u64) -> wasmtime::Result<Resource<Pollable>> {
        Ok(self.pollables.push(Pollable(when))?)
    }

    pub(super) fn time_of(&self, pollable: &Resource<Pollable>) -> wasmtime::Result<u64> {
        Ok(self.pollables.get(pollable)?.0)
    }

    pub(super) fn ready(&mut self, pollable: &Resource<Pollable>) -> wasmtime::Result<bool> {
        Ok(self.time_of(pollable)? <= self.monotonic())
    }

    pub(super) fn drop_pollable(&mut self, pollable: u32) -> wasmtime::Result<()> {
        self.pollables
            .delete(Resource::<Pollable>::new_own(pollable))?;
        Ok(())
    }

    /// Waits, as `client.wait` does: the call's deadline ends a wait that is too long.
    pub(super) async fn wait_until(&mut self, when: u64) -> wasmtime::Result<()> {
        let left = when.saturating_sub(self.monotonic());
        if left == 0 {
            return Ok(());
        }
        if self.pure {
            return Err(ImportInDescribe("wasi:io/poll").into());
        }
        tokio::time::sleep(Duration::from_nanos(left)).await;
        Ok(())
    }

    pub(super) fn random(&mut self) -> wasmtime::Result<u64> {
        if self.pure {
            self.drawn += 1;
            return Ok(mixed(self.drawn));
        }
        Ok(getrandom::u64()?)
    }

    pub(super) fn random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        if length > MOST_RANDOM {
            return Err(TooRandom(length).into());
        }
        let mut bytes = vec![0; length as usize];
        if self.pure {
            for chunk in bytes.chunks_mut(8) {
                let random = self.random()?.to_le_bytes();
                chunk.copy_from_slice(&random[..chunk.len()]);
            }
        } else {
            getrandom::fill(&mut bytes)?;
        }
        Ok(bytes)
    }
}

fn grains(time: Duration) -> u64 {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    nanos - nanos % RESOLUTION
}

/// The end of SplitMix64: neighbours come out far apart, so that what draws until a number fits comes to an end.
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
