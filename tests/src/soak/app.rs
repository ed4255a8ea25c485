//! An app under load: what is asked of it, what must come of that, and when its address was dead.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use airlock::admin::client;
use airlock::ops::{Operation, Reply};
use airlock_registry::Secret;
use airlock_stand_in::SampleApp;
use anyhow::{anyhow, bail};
use serde_json::{Value, json};

use crate::guests::component;
use crate::world::address;

/// What the hostile guest does, and how its caller hears of it.
const WAYS: [(&str, Expected); 6] = [
    ("panic", Expected::ToolError("crashed during the call")),
    ("behave", Expected::Text("good")),
    ("spin", Expected::ToolError("computed for more than 50ms")),
    (
        "eat_memory",
        Expected::ToolError("more than 16 MiB of memory"),
    ),
    ("recurse", Expected::ToolError("512 KiB of stack")),
    ("flood_log", Expected::Text("logged")),
];

/// What a call must come to while its address lives.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expected {
    /// A result with this in its text.
    Text(&'static str),
    /// A result that is an error, with this in its text.
    ToolError(&'static str),
}

impl Expected {
    /// In a word or two; `None` where the answer is another.
    pub(super) fn met_by(self, answer: &Value) -> Option<&'static str> {
        let result = &answer["result"];
        let text = result["content"][0]["text"].as_str()?;
        let is_error = result["isError"].as_bool().unwrap_or_default();
        match self {
            Self::Text(words) => (!is_error && text.contains(words)).then_some("answered"),
            Self::ToolError(words) => (is_error && text.contains(words)).then_some("contained"),
        }
    }
}

/// A published app.
pub(super) struct App {
    pub(super) slug: String,
    sample: SampleApp,
    hostile: bool,
    life: Mutex<Life>,
}

/// The app's address, and when it was none.
struct Life {
    address: String,
    /// From before an operation that ends it to after the one that brings it back.
    deaths: Vec<(Instant, Option<Instant>)>,
}

impl App {
    /// Registers and enables it.
    pub(super) async fn publish(
        socket: &Path,
        sample: SampleApp,
        key: &str,
        hostile: bool,
    ) -> anyhow::Result<Self> {
        let key = Secret::new(key.to_owned());
        let guest = hostile.then(|| component("airlock-guest-hostile"));
        let Reply::Added { app, .. } = ask(socket, Operation::Add { key, guest }).await? else {
            bail!("adding an app answers with the app");
        };
        let slug = app.slug;
        let enabled = ask(socket, Operation::Enable { app: slug.clone() }).await?;
        Ok(Self {
            sample,
            hostile,
            life: Mutex::new(Life {
                address: address(enabled)?,
                deaths: Vec::new(),
            }),
            slug,
        })
    }

    pub(super) fn is_hostile(&self) -> bool {
        self.hostile
    }

    /// A call: its tool, its arguments and what it should come to.
    pub(super) fn asked(&self, turn: usize) -> (&'static str, Value, Expected) {
        if self.hostile {
            let (way, expected) = WAYS[turn % WAYS.len()];
            return (way, json!({}), expected);
        }
        let (tool, arguments, text) = match self.sample {
            SampleApp::TravelChat => (
                "travel_chat",
                json!({"query": "Where to?", "topic": "Lisbon"}),
                "About Lisbon",
            ),
            SampleApp::WordCounter => (
                "word_counter",
                json!({"query": "one two three", "unit": "words"}),
                "has 3 words",
            ),
            SampleApp::SupportDesk => (
                "support_desk",
                json!({"query": "Where is it?", "tone": "formal", "order_number": 7}),
                "Order 7",
            ),
            SampleApp::WeeklyReport => (
                "weekly_report",
                json!({"title": "Week 7", "audience": "team"}),
                "# Week 7",
            ),
            _ => (
                "product_blurb",
                json!({"query": "a lamp", "language": "Deutsch"}),
                "A blurb for a lamp",
            ),
        };
        (tool, arguments, Expected::Text(text))
    }

    pub(super) fn address(&self) -> String {
        self.life().address.clone()
    }

    /// Was the address dead at any time between these?
    pub(super) fn was_dead(&self, from: Instant, to: Instant) -> bool {
        let life = self.life();
        let mut deaths = life.deaths.iter();
        deaths.any(|(began, ended)| *began <= to && ended.is_none_or(|ended| ended >= from))
    }

    /// To be said before an operation that ends the address.
    pub(super) fn dies(&self) {
        self.life().deaths.push((Instant::now(), None));
    }

    /// To be said once it has another, or the same again.
    pub(super) fn lives(&self, address: String) {
        let mut life = self.life();
        life.address = address;
        if let Some((_, ended)) = life.deaths.last_mut() {
            *ended = Some(Instant::now());
        }
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An operation on the running server.
pub(super) async fn ask(socket: &Path, operation: Operation) -> anyhow::Result<Reply> {
    let asked = client::ask(socket, operation).await?;
    asked.map_err(|operation| anyhow!("no server is there for {operation:?}"))
}
