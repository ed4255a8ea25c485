//! Questions to clients of the `initialize` era, asked as requests of our own on the call's stream.
//!
//! Modern clients get the questions as a result and come again with the answers; here the same loop is played for those
//! who cannot, so that a server has one way to ask.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::{sync::mpsc, time::timeout};

use crate::{
    Answers, Capabilities, Config, Questions, SessionKey, Version,
    call::Out,
    mailbox::{Expected, Mailbox, Said},
    members::Members,
    questions::{self, Question},
};

/// The way to one client while its call runs.
pub(crate) struct Asking {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) session: SessionKey,
    pub(crate) version: Version,
    pub(crate) declared: Capabilities,
    pub(crate) out: mpsc::WeakSender<Out>,
    pub(crate) config: Config,
}

/// Why there are no answers; the words are for the caller.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error("This has to ask something before it can go on, and this connection does not allow it")]
    Deaf,
    #[error("This needs a client that declares {}, and this connection does not", .0.to_json())]
    Undeclared(Capabilities),
    #[error("The client answered a question with an error, so this could not go on")]
    Refused,
    #[error("A question was not answered in time, so this could not go on: start again")]
    Late,
    #[error("The server asked something that cannot be asked")]
    Malformed,
}

/// Rounds of questions in one call: a server that asks more is in a loop.
pub(crate) const ROUNDS_MAX: usize = 16;

impl Asking {
    /// Asks all, and waits for all.
    pub(crate) async fn ask(&self, questions: Questions) -> Result<Answers, Unanswered> {
        let read = questions::read(&questions).map_err(|why| {
            tracing::warn!(why, "questions that cannot be asked");
            Unanswered::Malformed
        })?;
        for question in &read {
            self.may(question)?;
        }
        let mut asked = Vec::with_capacity(read.len());
        for question in &read {
            let expected = self.mailbox.expect(self.session).ok_or(Unanswered::Deaf)?;
            let message = message(&expected, question);
            let out = self.out.upgrade().ok_or(Unanswered::Deaf)?;
            out.send(Out::Note(message))
                .await
                .map_err(|_closed| Unanswered::Deaf)?;
            asked.push((question, expected));
        }
        let responses = timeout(self.config.answer_time, answers(asked))
            .await
            .map_err(|_elapsed| Unanswered::Late)??;
        Ok(Answers {
            responses,
            state: questions.state.clone(),
        })
    }

    fn may(&self, question: &Question<'_>) -> Result<(), Unanswered> {
        let needs = question.needs().ok_or_else(|| {
            tracing::warn!(method = %question.method, "a question that no client can be asked");
            Unanswered::Malformed
        })?;
        let known = match needs {
            Capabilities::ELICITATION => self.version >= Version::V2025_06_18,
            Capabilities::ELICITATION_URL => self.version >= Version::V2025_11_25,
            _ => true,
        };
        if known && self.declared.has(needs) {
            Ok(())
        } else {
            Err(Unanswered::Undeclared(needs))
        }
    }
}

fn message(expected: &Expected, question: &Question<'_>) -> Bytes {
    #[derive(Serialize)]
    struct Message<'a> {
        jsonrpc: &'static str,
        id: &'a RawValue,
        method: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        params: Option<&'a RawValue>,
    }
    let message = Message {
        jsonrpc: "2.0",
        id: serde_json::from_str(expected.id()).expect("an id of ours is JSON"),
        method: &question.method,
        params: question.params,
    };
    serde_json::to_vec(&message)
        .expect("strings and raw JSON are JSON")
        .into()
}

async fn answers(asked: Vec<(&Question<'_>, Expected)>) -> Result<Box<RawValue>, Unanswered> {
    let mut heard = Vec::with_capacity(asked.len());
    for (question, mut expected) in asked {
        match expected.answer().await {
            Said::Result(result) => heard.push((question.key.clone(), result)),
            Said::Refused => return Err(Unanswered::Refused),
        }
    }
    let members = heard.iter().map(|(key, result)| (key.clone(), &**result));
    Ok(to_raw_value(&Members(members.collect())).expect("raw JSON and strings are JSON"))
}
