//! What is counted, for whoever watches the server: OpenMetrics at `GET /api/v1/metrics` of the admin API, and
//! `airlock metrics`.
//!
//! Labels are short names of apps and words of a fixed list: no secret, and nothing that a caller chooses.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::limits::Limit;

/// The type of the text, as the OpenMetrics specification names it.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How a request to an app ended, in one word for the log and the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With a result.
    Ok,
    /// With a result that is an error.
    ToolError,
    /// With questions.
    InputRequired,
    /// There is no such tool.
    Unknown,
    /// The arguments do not fit.
    InvalidArguments,
    /// The client cannot do what the tool needs.
    MissingCapability,
    /// The client wanted it no longer.
    Cancelled,
    /// The address is dead.
    Gone,
    /// A task's run is lost.
    Interrupted,
    /// The next server goes on with it.
    Suspended,
    /// A fault of Airlock's.
    Internal,
}

impl Outcome {
    const ALL: [Self; 11] = [
        Self::Ok,
        Self::ToolError,
        Self::InputRequired,
        Self::Unknown,
        Self::InvalidArguments,
        Self::MissingCapability,
        Self::Cancelled,
        Self::Gone,
        Self::Interrupted,
        Self::Suspended,
        Self::Internal,
    ];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ToolError => "tool error",
            Self::InputRequired => "input required",
            Self::Unknown => "unknown",
            Self::InvalidArguments => "invalid arguments",
            Self::MissingCapability => "missing capability",
            Self::Cancelled => "cancelled",
            Self::Gone => "address gone",
            Self::Interrupted => "interrupted",
            Self::Suspended => "suspended",
            Self::Internal => "internal",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    app: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BoundLabels {
    app: String,
    bound: &'static str,
}

impl CallLabels {
    fn new(app: &str, outcome: Outcome) -> Self {
        Self {
            app: app.to_owned(),
            outcome: outcome.word(),
        }
    }
}

impl BoundLabels {
    fn new(app: &str, limit: Limit) -> Self {
        Self {
            app: app.to_owned(),
            bound: limit.name(),
        }
    }
}

/// All of them. Counters begin at zero with the process.
pub struct Metrics {
    registry: Registry,
    calls: Family<CallLabels, Counter>,
    bounds: Family<BoundLabels, Counter>,
    instances: Gauge,
    room: Gauge,
}

impl Metrics {
    /// Nothing is counted yet. `compiling` is filled by whoever compiles.
    #[must_use]
    pub fn new(compiling: Histogram) -> Arc<Self> {
        let mut registry = Registry::with_prefix("airlock");
        let calls = Family::default();
        registry.register(
            "calls",
            "Tool calls that have ended, by app and outcome",
            Family::clone(&calls),
        );
        let bounds = Family::default();
        registry.register(
            "bounds_hit",
            "Bounds that calls went over, by app and bound",
            Family::clone(&bounds),
        );
        let (instances, room) = (Gauge::default(), Gauge::default());
        registry.register(
            "guest_instances",
            "Guest instances in use",
            Gauge::clone(&instances),
        );
        registry.register(
            "guest_instances_limit",
            "Guest instances that there is room for",
            Gauge::clone(&room),
        );
        registry.register_with_unit(
            "guest_compile",
            "Time that compiling a guest took",
            Unit::Seconds,
            compiling,
        );
        Arc::new(Self {
            registry,
            calls,
            bounds,
            instances,
            room,
        })
    }

    /// Everything as OpenMetrics text, with so many instances in use, of so many.
    #[must_use]
    pub fn text(&self, instances: usize, room: usize) -> String {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.instances.set(number(instances));
        self.room.set(number(room));
        let mut out = String::new();
        text::encode(&mut out, &self.registry).expect("a String takes everything");
        out
    }

    /// Lets go of what was counted of an app that is gone.
    pub fn forget(&self, app: &str) {
        for outcome in Outcome::ALL {
            self.calls.remove(&CallLabels::new(app, outcome));
        }
        for limit in Limit::ALL {
            self.bounds.remove(&BoundLabels::new(app, limit));
        }
    }
}

/// From a tenth of a second, for a guest in Rust, to the time that an interpreter takes.
#[must_use]
pub fn compile_times() -> Histogram {
    Histogram::new([0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0])
}

/// One app's share. A call counts without a lock once its outcome has come up before.
pub struct Meter {
    app: String,
    metrics: Arc<Metrics>,
    calls: [OnceLock<Counter>; Outcome::ALL.len()],
}

impl Meter {
    /// Of the app of this short name.
    #[must_use]
    pub fn new(metrics: &Arc<Metrics>, app: &str) -> Self {
        Self {
            app: app.to_owned(),
            metrics: Arc::clone(metrics),
            calls: [const { OnceLock::new() }; Outcome::ALL.len()],
        }
    }

    /// The app's short name.
    #[must_use]
    pub fn app(&self) -> &str {
        &self.app
    }

    /// A call has ended.
    pub fn called(&self, outcome: Outcome) {
        let counter = self.calls[outcome as usize].get_or_init(|| {
            let labels = CallLabels::new(&self.app, outcome);
            self.metrics.calls.get_or_create_owned(&labels)
        });
        counter.inc();
    }

    /// A call went over a bound.
    pub fn over(&self, limit: impl Into<Limit>) {
        let labels = BoundLabels::new(&self.app, limit.into());
        self.metrics.bounds.get_or_create(&labels).inc();
    }
}

/// Notes the time that compiling took.
pub fn compiled(times: &Histogram, took: Duration) {
    times.observe(took.as_secs_f64());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_in_the_text_until_the_app_is_gone() {
        let times = compile_times();
        compiled(&times, Duration::from_millis(80));
        let metrics = Metrics::new(times);
        let meter = Meter::new(&metrics, "trip");
        meter.called(Outcome::ToolError);
        meter.called(Outcome::ToolError);
        meter.over(Limit::Memory);
        let text = metrics.text(3, 128);
        for line in [
            r#"airlock_calls_total{app="trip",outcome="tool error"} 2"#,
            r#"airlock_bounds_hit_total{app="trip",bound="memory"} 1"#,
            "airlock_guest_instances 3",
            "airlock_guest_instances_limit 128",
            "airlock_guest_compile_seconds_count 1",
            r#"airlock_guest_compile_seconds_bucket{le="0.1"} 1"#,
        ] {
            assert!(
                text.lines().any(|it| it == line),
                "{line} is not in\n{text}"
            );
        }
        assert!(text.ends_with("# EOF\n"));
        metrics.forget("trip");
        assert!(!metrics.text(0, 128).contains("trip"));
    }
}
