//! Progress of one call: reports come in as the tool pleases, notifications go out as the protocol and a client's
//! patience have it.
//!
//! The number on the wire always rises (basic/utilities/progress), whatever is reported. Notifications are thinned: what
//! comes too fast waits, and the newest replaces what waits. When the tool is silent, a heartbeat repeats the last
//! message with a number that rises so little that it never reaches the tool's next step.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{Config, Version, envelope::Id, session::prefix};

/// Where a call says how far it is. Cheap to clone; reporting never waits.
#[derive(Clone, Debug)]
pub struct Progress {
    slot: Option<Arc<watch::Sender<Report>>>,
    text: bool,
}

#[derive(Clone, Debug, Default)]
struct Report {
    done: Option<f64>,
    total: Option<f64>,
    message: Option<String>,
}

/// Bytes of one message.
const MESSAGE_MAX: usize = 1024;

/// Notifications that may follow one another without spacing, so that the first steps of a quick run are all seen.
const BURST: u32 = 4;

/// Numbers beyond it, the infinite ones among them, count as none: above 2^53 adding one would change nothing.
const NUMBER_MAX: f64 = 4_503_599_627_370_496.0;

/// What a heartbeat adds where no total says how far the next step is.
const CRUMB: f64 = 0.001;

impl Progress {
    /// Says how far the call is: `done` of `total` in the tool's own units, and a line for the person who waits (1 KiB;
    /// the rest is cut off). Without `done`, one step more than before. A number that does not rise is raised.
    pub fn report(&self, done: Option<f64>, total: Option<f64>, message: Option<String>) {
        if let Some(slot) = &self.slot {
            slot.send_replace(Report {
                done,
                total,
                message,
            });
        }
    }

    /// For a client that cannot be told.
    pub(crate) fn off() -> Self {
        Self {
            slot: None,
            text: false,
        }
    }

    /// Did the client ask for progress? Reports are dropped if not.
    pub fn wanted(&self) -> bool {
        self.slot.is_some()
    }

    /// Did it also ask to see the answer's text while it grows (`airlock/partialText`)?
    pub fn wants_text(&self) -> bool {
        self.text && self.wanted()
    }
}

/// What a request says of the progress that it wants.
pub(crate) struct Wanted<'a> {
    pub(crate) token: Id<'a>,
    pub(crate) text: bool,
}

/// The receiving side: notifications, ready to be sent.
pub(crate) struct Notifications(Option<Stream>);

struct Stream {
    /// Kept so that the slot outlives a tool that has dropped its handle: the heartbeat goes on.
    _slot: Arc<watch::Sender<Report>>,
    reports: watch::Receiver<Report>,
    token: Box<str>,
    has_messages: bool,
    every: Duration,
    heartbeat: Duration,
    /// When the next notification would be due if all had kept their spacing.
    due: Instant,
    next_heartbeat: Instant,
    /// A report waits for its turn.
    pending: bool,
    number: Option<f64>,
    total: Option<f64>,
    message: Option<String>,
}

/// Both sides for one call; without a token both do nothing.
pub(crate) fn channel(
    wanted: Option<Wanted<'_>>,
    version: Version,
    config: &Config,
) -> (Progress, Notifications) {
    let Some(Wanted { token, text }) = wanted else {
        return (Progress::off(), Notifications(None));
    };
    let has_messages = version >= Version::V2025_03_26;
    let (slot, reports) = watch::channel(Report::default());
    let slot = Arc::new(slot);
    let now = Instant::now();
    let stream = Stream {
        _slot: Arc::clone(&slot),
        reports,
        token: token.as_str().into(),
        has_messages,
        every: config.progress_every,
        heartbeat: config.heartbeat,
        due: now,
        next_heartbeat: now + config.heartbeat,
        pending: false,
        number: None,
        total: None,
        message: None,
    };
    let progress = Progress {
        slot: Some(slot),
        text: text && has_messages,
    };
    (progress, Notifications(Some(stream)))
}

impl Notifications {
    /// Waits for the next notification; for ever where none are wanted. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Bytes {
        match &mut self.0 {
            Some(stream) => stream.next().await,
            None => std::future::pending().await,
        }
    }

    /// The report that still waits when the call ends, for it is the newest.
    pub(crate) fn last(&mut self) -> Option<Bytes> {
        let stream = self.0.as_mut()?;
        let waits = stream.pending || stream.reports.has_changed().unwrap_or(false);
        waits.then(|| stream.take())
    }
}

impl Stream {
    async fn next(&mut self) -> Bytes {
        while !self.pending {
            tokio::select! {
                biased;
                changed = self.reports.changed() => self.pending = changed.is_ok(),
                () = sleep_until(self.next_heartbeat) => return self.beat(),
            }
        }
        sleep_until(
            self.due
                .checked_sub(self.every * (BURST - 1))
                .unwrap_or(self.due),
        )
        .await;
        self.take()
    }

    /// The newest report as a notification.
    fn take(&mut self) -> Bytes {
        self.pending = false;
        let report = self.reports.borrow_and_update().clone();
        let done = report.done.filter(|done| done.abs() < NUMBER_MAX);
        self.total = report.total.filter(|total| total.is_finite());
        self.message = report
            .message
            .map(|message| prefix(&message, MESSAGE_MAX).to_owned());
        let number = match (done, self.number) {
            (Some(done), Some(last)) if done <= last => self.nudged(last),
            (Some(done), _) => done,
            (None, Some(last)) => last.floor() + 1.0,
            (None, None) => 1.0,
        };
        self.notification(number)
    }

    fn beat(&mut self) -> Bytes {
        let number = self.number.map_or(CRUMB, |last| self.nudged(last));
        self.notification(number)
    }

    /// A little more than `last`, and still less than the total.
    fn nudged(&self, last: f64) -> f64 {
        let step = match self.total {
            Some(total) if total > last => ((total - last) / 256.0).min(CRUMB),
            Some(_) | None => CRUMB,
        };
        // Numbers so large that a crumb is lost on them still have a next one.
        if last + step > last {
            last + step
        } else {
            last.next_up()
        }
    }

    fn notification(&mut self, number: f64) -> Bytes {
        let now = Instant::now();
        self.number = Some(number);
        self.due = self.due.max(now) + self.every;
        self.next_heartbeat = now + self.heartbeat;

        #[derive(Serialize)]
        struct Notification<'a> {
            jsonrpc: &'static str,
            method: &'static str,
            params: Params<'a>,
        }
        #[derive(Serialize)]
        struct Params<'a> {
            #[serde(rename = "progressToken")]
            token: &'a RawValue,
            progress: f64,
            #[serde(skip_serializing_if = "Option::is_none")]
            total: Option<f64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            message: Option<&'a str>,
        }
        let notification = Notification {
            jsonrpc: "2.0",
            method: "notifications/progress",
            params: Params {
                token: serde_json::from_str(&self.token).expect("a token was read as JSON"),
                progress: number,
                // More than everything would read as a fault.
                total: self.total.filter(|total| *total >= number),
                message: self.message.as_deref().filter(|_| self.has_messages),
            },
        };
        serde_json::to_vec(&notification)
            .expect("strings and finite numbers are JSON")
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(version: Version) -> (Progress, Notifications) {
        let raw: &RawValue = serde_json::from_str("\"t\"").expect("JSON");
        let token = Id::parse(raw).expect("an id");
        channel(
            Some(Wanted { token, text: true }),
            version,
            &Config::default(),
        )
    }

    fn params(notification: &Bytes) -> serde_json::Value {
        let value: serde_json::Value = serde_json::from_slice(notification).expect("JSON");
        value["params"].clone()
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_rises_whatever_is_reported() {
        let (progress, mut notifications) = stream(Version::V2025_06_18);
        let mut last = f64::NEG_INFINITY;
        for done in [
            Some(0.0),
            Some(3.0),
            Some(3.0),
            Some(1.0),
            None,
            Some(f64::NAN),
            Some(f64::INFINITY),
            Some(1e300),
            Some(5.0),
            None,
        ] {
            progress.report(done, Some(10.0), None);
            let number = params(&notifications.next().await)["progress"]
                .as_f64()
                .expect("a number");
            assert!(number > last, "{number} after {last} for {done:?}");
            last = number;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_heartbeat_repeats_the_message_and_reaches_no_next_step() {
        let (progress, mut notifications) = stream(Version::V2025_06_18);
        let start = Instant::now();
        progress.report(Some(1.0), Some(2.0), Some("node 1".to_owned()));
        notifications.next().await;
        for beat in 1..=252 {
            let heard = params(&notifications.next().await);
            assert_eq!(start.elapsed(), Duration::from_secs(5) * beat);
            assert_eq!(heard["message"], "node 1");
            assert!(heard["progress"].as_f64().expect("a number") < 2.0);
        }
        progress.report(Some(2.0), Some(2.0), None);
        assert_eq!(params(&notifications.next().await)["progress"], 2.0);
        // All is done, and still the call runs: no total is better than one that is passed.
        assert_eq!(
            params(&notifications.next().await)["total"],
            serde_json::Value::Null
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_heartbeat_goes_on_after_the_handle_is_dropped() {
        let (progress, mut notifications) = stream(Version::V2025_06_18);
        drop(progress);
        let start = Instant::now();
        notifications.next().await;
        assert_eq!(start.elapsed(), Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_burst_the_newest_report_goes_out_every_quarter_second() {
        let (progress, mut notifications) = stream(Version::V2025_06_18);
        let start = Instant::now();
        let mut sent = Vec::new();
        for step in 1..=200 {
            progress.report(Some(f64::from(step)), None, None);
            let pause = tokio::time::sleep(Duration::from_millis(10));
            tokio::select! {
                biased;
                heard = notifications.next() => sent.push((start.elapsed(), params(&heard)["progress"].as_f64())),
                () = pause => {}
            }
        }
        for five in sent.windows(5) {
            assert!(
                five[4].0 - five[0].0 >= Duration::from_millis(250),
                "{sent:?}"
            );
        }
        let slow = &sent[usize::try_from(BURST).expect("small")..];
        assert!(
            slow.windows(2)
                .all(|two| two[1].0 - two[0].0 >= Duration::from_millis(250)),
            "{sent:?}"
        );
        assert!(slow.len() >= 4, "{sent:?}");
        assert!(
            notifications.last().is_some(),
            "the newest report was held back and must not be lost"
        );
        assert!(notifications.last().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_version_hears_no_messages() {
        let (progress, mut notifications) = stream(Version::V2024_11_05);
        progress.report(Some(1.0), None, Some("hello".to_owned()));
        assert_eq!(params(&notifications.next().await).get("message"), None);
        assert!(!progress.wants_text(), "nobody could see it");
    }
}
