//! What is kept of one task, and how it is told.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::{Capabilities, Client, TaskRow, members::Members};

/// One task: what it takes to go on with it, and where it stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) tool: String,
    pub(crate) arguments: Box<RawValue>,
    client: (String, String, u8),
    /// Milliseconds since 1970.
    created: u64,
    updated: u64,
    ttl_ms: u64,
    pub(crate) status: Status,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Status {
    /// With what was answered, where this goes on after questions.
    Working(Option<Waiting>),
    InputRequired(Waiting),
    Completed(Box<RawValue>),
    Failed(Box<RawValue>),
    Cancelled,
}

/// What was asked, and what has been answered of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Waiting {
    pub(crate) requests: Box<RawValue>,
    pub(crate) responses: Vec<(String, Box<RawValue>)>,
    pub(crate) state: Vec<u8>,
}

/// A result's member.
pub(crate) type Field = (&'static str, Box<RawValue>);

/// How often a client should ask.
const POLL_MS: u32 = 1_000;

impl Record {
    pub(crate) fn new(
        tool: String,
        arguments: Box<RawValue>,
        client: &Client,
        ttl: Duration,
        status: Status,
    ) -> Self {
        let now = millis(SystemTime::now());
        let capabilities = client.capabilities.to_byte();
        Self {
            tool,
            arguments,
            client: (client.name.clone(), client.version.clone(), capabilities),
            created: now,
            updated: now,
            ttl_ms: u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX),
            status,
        }
    }

    pub(crate) fn client(&self) -> Client {
        let (name, version, capabilities) = self.client.clone();
        Client {
            name,
            version,
            capabilities: Capabilities::from_byte(capabilities),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        match self.status {
            Status::Working(_) | Status::InputRequired(_) => false,
            Status::Completed(_) | Status::Failed(_) | Status::Cancelled => true,
        }
    }

    /// What is over needs no arguments any more; so a row that only says how it failed is small.
    pub(crate) fn turn(&mut self, status: Status) {
        self.updated = millis(SystemTime::now()).max(self.updated);
        self.status = status;
        if self.is_over() {
            self.arguments =
                RawValue::from_string("{}".to_owned()).expect("an empty object is JSON");
        }
    }

    pub(crate) fn to_row(&self) -> TaskRow {
        TaskRow {
            state: serde_json::to_vec(self).expect("raw JSON, strings and numbers are JSON"),
            running: matches!(self.status, Status::Working(_)),
            expires: SystemTime::UNIX_EPOCH
                + Duration::from_millis(self.created.saturating_add(self.ttl_ms)),
        }
    }

    /// None for a row of another layout.
    pub(crate) fn of_row(row: &TaskRow) -> Option<Self> {
        serde_json::from_slice(&row.state).ok()
    }

    /// What a new task tells.
    pub(crate) fn summary(&self, id: &str) -> Vec<Field> {
        let status = match self.status {
            Status::Working(_) => "working",
            Status::InputRequired(_) => "input_required",
            Status::Completed(_) => "completed",
            Status::Failed(_) => "failed",
            Status::Cancelled => "cancelled",
        };
        vec![
            ("taskId", json(id)),
            ("status", json(status)),
            ("createdAt", json(&rfc3339(self.created))),
            ("lastUpdatedAt", json(&rfc3339(self.updated))),
            ("ttlMs", json(&self.ttl_ms)),
            ("pollIntervalMs", json(&POLL_MS)),
        ]
    }

    /// All that a task tells.
    pub(crate) fn details(&self, id: &str) -> Vec<Field> {
        let mut fields = self.summary(id);
        match &self.status {
            Status::Working(_) | Status::Cancelled => {}
            Status::InputRequired(waiting) => fields.push(("inputRequests", waiting.open())),
            Status::Completed(result) => fields.push(("result", result.clone())),
            Status::Failed(error) => fields.push(("error", error.clone())),
        }
        fields
    }
}

impl Waiting {
    /// The requests that nobody has answered.
    fn open(&self) -> Box<RawValue> {
        let requests = Members::read(&self.requests).unwrap_or(Members(Vec::new()));
        json(&requests.only(|key, _| !self.is_answered(key)))
    }

    fn is_answered(&self, key: &str) -> bool {
        self.responses.iter().any(|(answered, _)| answered == key)
    }

    /// Takes the answers to what was asked, once each, and says whether all is answered.
    pub(crate) fn take(&mut self, responses: &RawValue) -> bool {
        let requests = self.requests.clone();
        let asked = Members::read(&requests).unwrap_or(Members(Vec::new()));
        let given = Members::read(responses).unwrap_or(Members(Vec::new()));
        for (key, response) in given.0 {
            if asked.get(&key).is_some() && !self.is_answered(&key) {
                self.responses.push((key.into_owned(), response.to_owned()));
            }
        }
        asked.0.iter().all(|(key, _)| self.is_answered(key))
    }

    pub(crate) fn responses(&self) -> Box<RawValue> {
        let members = self.responses.iter();
        let members = members.map(|(key, response)| (Cow::Borrowed(key.as_str()), &**response));
        json(&Members(members.collect()))
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> Box<RawValue> {
    to_raw_value(value).expect("raw JSON, strings and numbers are JSON")
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// Days are turned into dates as Howard Hinnant's `civil_from_days` does: years begin in March, so that the leap day is
/// their last.
fn rfc3339(millis: u64) -> String {
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates() {
        for (millis, date) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_123, "2000-02-29T00:00:00.123Z"),
            (1_798_761_599_999, "2026-12-31T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(millis), date);
        }
    }

    #[test]
    fn answers_are_taken_one_by_one_and_only_to_what_was_asked() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).expect("a test's JSON");
        let mut waiting = Waiting {
            requests: raw(r#"{"a":{"n":1e400},"b":{}}"#),
            responses: Vec::new(),
            state: Vec::new(),
        };
        assert!(!waiting.take(&raw(r#"{"x":{},"b":{"v":1}}"#)));
        assert_eq!(waiting.open().get(), r#"{"a":{"n":1e400}}"#);
        assert!(waiting.take(&raw(r#"{"b":{"v":2},"a":{}}"#)));
        assert_eq!(waiting.responses().get(), r#"{"b":{"v":1},"a":{}}"#);
    }

    #[test]
    fn a_record_comes_back_from_its_row() {
        let raw = RawValue::from_string(r#"{"z":1e400,"a":1.0}"#.to_owned()).expect("JSON");
        let status = Status::Completed(raw.clone());
        let client = Client {
            name: "c".to_owned(),
            ..Client::default()
        };
        let record = Record::new(
            "t".to_owned(),
            raw,
            &client,
            Duration::from_secs(60),
            status,
        );
        let back = Record::of_row(&record.to_row()).expect("a row of ours");
        assert_eq!(back.to_row(), record.to_row());
        assert_eq!(back.client(), client);
    }
}
