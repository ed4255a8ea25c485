//! One call for each mode, and what must come of it.

use std::collections::BTreeSet;

use airlock_stand_in::SampleApp;
use anyhow::{Context, ensure};
use serde_json::{Value, json};

/// A sample app as a tool.
pub(super) struct Case {
    pub(super) app: SampleApp,
    pub(super) tool: &'static str,
    properties: &'static [&'static str],
    pub(super) arguments: Value,
    /// What the first text of the answer holds.
    answer: &'static str,
}

impl Case {
    /// The apps of all five modes.
    pub(super) fn all() -> [Self; 5] {
        [
            Self {
                app: SampleApp::TravelChat,
                tool: "travel_chat",
                properties: &["query", "topic", "style", "conversation"],
                arguments: json!({"query": "Where to?", "topic": "Lisbon", "style": "detailed"}),
                answer: "About Lisbon: you asked \"Where to?\" (style: detailed, turn 1).",
            },
            Self {
                app: SampleApp::WordCounter,
                tool: "word_counter",
                properties: &["query", "unit", "conversation"],
                arguments: json!({"query": "one two three four", "unit": "words"}),
                answer: "The message has 4 words (turn 1).",
            },
            Self {
                app: SampleApp::SupportDesk,
                tool: "support_desk",
                properties: &["query", "tone", "order_number", "conversation"],
                arguments: json!({"query": "Where is it?", "tone": "formal", "order_number": 7}),
                answer: "You asked: Where is it?\nOrder 7, answered in a formal tone (turn 1).",
            },
            Self {
                app: SampleApp::ProductBlurb,
                tool: "product_blurb",
                properties: &["query", "language", "max_words"],
                arguments: json!({"query": "a lamp", "language": "Deutsch", "max_words": 20}),
                answer: "A blurb for a lamp (language: Deutsch, most words: 20).",
            },
            Self {
                app: SampleApp::WeeklyReport,
                tool: "weekly_report",
                properties: &[
                    "title",
                    "notes",
                    "audience",
                    "highlights",
                    "urgent",
                    "layout",
                ],
                arguments: json!({
                    "title": "Week 7", "notes": "shipped it\nfixed it", "audience": "team", "highlights": 1,
                    "layout": {"bullet": "*"},
                }),
                // Several outputs are one text: JSON.
                answer: r##""report": "# Week 7\n\nFor: team\n\n## Highlights\n* shipped it\n""##,
            },
        ]
    }

    /// The call of one app.
    pub(super) fn of(app: SampleApp) -> Self {
        let mut all = Self::all().into_iter();
        all.find(|case| case.app == app)
            .expect("every app has its case")
    }

    /// The list holds this tool alone, described well enough to be called.
    pub(super) fn check_tools(&self, tools: &[Value]) -> anyhow::Result<()> {
        let [tool] = tools else {
            anyhow::bail!("one tool expected: {tools:?}");
        };
        ensure!(tool["name"] == self.tool, "{tool}");
        ensure!(tool["description"] == self.app.description(), "{tool}");
        let schema = &tool["inputSchema"];
        ensure!(schema["type"] == "object", "{schema}");
        let properties = schema["properties"].as_object().context("no properties")?;
        let expected: BTreeSet<&str> = self.properties.iter().copied().collect();
        let listed: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
        ensure!(listed == expected, "{schema}");
        Ok(())
    }

    /// The app's own words came through.
    pub(super) fn check_result(&self, result: &Value) -> anyhow::Result<()> {
        ensure!(result["isError"].as_bool() != Some(true), "{result}");
        let text = result["content"][0]["text"].as_str().context("no text")?;
        ensure!(text.contains(self.answer), "{text}");
        if self.app == SampleApp::WeeklyReport {
            let outputs = &result["structuredContent"];
            ensure!(outputs["highlights"] == json!(["shipped it"]), "{result}");
        }
        Ok(())
    }

    /// The person who waited saw the call move, more than once and ever onward.
    pub(super) fn check_progress(&self, progress: &[f64]) -> anyhow::Result<()> {
        ensure!(
            progress.len() > 1 && progress.is_sorted_by(|before, after| before < after),
            "{progress:?}"
        );
        Ok(())
    }
}
