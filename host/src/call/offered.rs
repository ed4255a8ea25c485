//! What becomes of a guest's answer to a read, a prompt or a completion: checked, bounded, and in MCP's shape.

use airlock_mcp::{CallError, Completion, End, PromptResult, ReadResult};
use airlock_sandbox::Ended;
use airlock_sandbox::wit::{self, completions, prompts, resources};
use data_encoding::BASE64;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::outcome::{Fault, Room, content_block, failed, questions, raw, refused};
use crate::metrics::Meter;

/// Said for an answer that is not passed on; the reason is in the log.
const REFUSED: &str = "This server's guest answered with something that cannot be passed on. The operator of this \
                       server can find the reason in its log.";

pub(super) fn read(
    meter: &Meter,
    limit: usize,
    ended: Ended<resources::ReadOutcome>,
) -> Result<End<ReadResult>, CallError> {
    match answer(meter, ended)? {
        resources::ReadOutcome::Complete(result) => passed_on(meter, contents(result, limit)),
        resources::ReadOutcome::NotFound => Err(CallError::Unknown),
        resources::ReadOutcome::InputRequired(asked) => {
            let asked = questions(asked).map(End::InputRequired);
            passed_on(meter, asked.map_err(Fault::Wrong))
        }
        resources::ReadOutcome::Other(_) => passed_on(meter, Err(later())),
    }
}

pub(super) fn prompt(
    meter: &Meter,
    limit: usize,
    ended: Ended<prompts::GetOutcome>,
) -> Result<End<PromptResult>, CallError> {
    match answer(meter, ended)? {
        prompts::GetOutcome::Complete(result) => passed_on(meter, messages(result, limit)),
        prompts::GetOutcome::InputRequired(asked) => {
            let asked = questions(asked).map(End::InputRequired);
            passed_on(meter, asked.map_err(Fault::Wrong))
        }
        prompts::GetOutcome::Other(_) => passed_on(meter, Err(later())),
    }
}

pub(super) fn completion(
    meter: &Meter,
    limit: usize,
    ended: Ended<completions::Completion>,
) -> Result<Completion, CallError> {
    let completion = answer(meter, ended)?;
    let mut room = Room::new(limit);
    let fits = completion
        .values
        .iter()
        .try_for_each(|value| room.take(value));
    passed_on(meter, fits)?;
    Ok(Completion {
        values: completion.values,
        total: completion.total,
        has_more: completion.more,
    })
}

/// The guest's answer; its own error, or that there is none, in the caller's words.
fn answer<T>(meter: &Meter, ended: Ended<T>) -> Result<T, CallError> {
    match ended {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(match error {
            wit::Error::InvalidArguments(words) => CallError::InvalidArguments(words),
            wit::Error::UnknownTool(_) => CallError::Unknown,
            wit::Error::Dify(error) => CallError::Internal(error.message),
            wit::Error::Failed(words) => CallError::Internal(words),
            wit::Error::Other(json) => {
                tracing::warn!(
                    app = meter.app(),
                    guest = json,
                    "a guest failed in words of a later contract"
                );
                CallError::Internal("This request failed.".into())
            }
        }),
        Err(failure) => {
            failed(meter, "", &failure);
            Err(CallError::Internal(failure.caller()))
        }
    }
}

fn passed_on<T>(meter: &Meter, checked: Result<T, Fault>) -> Result<T, CallError> {
    checked.map_err(|fault| {
        refused(meter, "", &fault);
        CallError::Internal(match fault {
            Fault::TooLarge(_) => fault.caller(),
            Fault::Wrong(_) => REFUSED.into(),
        })
    })
}

fn later() -> Fault {
    Fault::Wrong("it ended in a way that only a later contract knows".into())
}

fn contents(result: resources::ReadResult, limit: usize) -> Result<End<ReadResult>, Fault> {
    // The specification: a resource that does not exist must not come as an empty list.
    if result.contents.is_empty() {
        return Err(Fault::Wrong("a read without contents".into()));
    }
    let mut room = Room::new(limit);
    result.meta.iter().try_for_each(|meta| room.take(meta))?;
    let mut contents = Vec::with_capacity(result.contents.len());
    for part in result.contents {
        room.has(match &part.body {
            resources::Body::Text(text) => text.len(),
            resources::Body::Bytes(bytes) => bytes.len(),
        })?;
        let mut json = Map::new();
        json.insert("uri".into(), part.uri.into());
        if let Some(mime_type) = part.mime_type {
            json.insert("mimeType".into(), mime_type.into());
        }
        match part.body {
            resources::Body::Text(text) => json.insert("text".into(), text.into()),
            resources::Body::Bytes(bytes) => {
                json.insert("blob".into(), BASE64.encode(&bytes).into())
            }
        };
        contents.push(object(json, &part.extra, &mut room)?);
    }
    let meta = result.meta.map(|json| raw(json, "_meta")).transpose()?;
    Ok(ReadResult { contents, meta }.into())
}

fn messages(result: prompts::GetResult, limit: usize) -> Result<End<PromptResult>, Fault> {
    let mut room = Room::new(limit);
    result.meta.iter().try_for_each(|meta| room.take(meta))?;
    let mut messages = Vec::with_capacity(result.messages.len());
    for message in result.messages {
        if !matches!(message.role.as_str(), "user" | "assistant") {
            return Err(Fault::Wrong(format!(
                "a message of the role {:?}",
                message.role
            )));
        }
        room.take_block(&message.content)?;
        let content = content_block(message.content)?;
        let content: Value = serde_json::from_str(content.get()).map_err(|e| e.to_string())?;
        let mut json = Map::new();
        json.insert("role".into(), message.role.into());
        json.insert("content".into(), content);
        messages.push(object(json, &message.extra, &mut room)?);
    }
    let meta = result.meta.map(|json| raw(json, "_meta")).transpose()?;
    Ok(PromptResult {
        description: result.description,
        messages,
        meta,
    }
    .into())
}

/// With the members of `extra` that the contract has no field for.
fn object(
    mut json: Map<String, Value>,
    extra: &str,
    room: &mut Room,
) -> Result<Box<RawValue>, Fault> {
    let extra: Map<String, Value> =
        serde_json::from_str(extra).map_err(|error| format!("extra is no JSON object: {error}"))?;
    for (key, value) in extra {
        json.entry(key).or_insert(value);
    }
    let text = Value::Object(json).to_string();
    room.take(&text)?;
    Ok(raw(text, "an object")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Metrics, compile_times};

    const ROOM: usize = 1 << 20;

    fn meter() -> Meter {
        Meter::new(&Metrics::new(compile_times()), "app")
    }

    #[test]
    fn bytes_go_out_as_base64_beside_what_the_guest_adds() {
        let part = resources::Contents {
            uri: "a:b".into(),
            mime_type: None,
            body: resources::Body::Bytes(vec![0, 1, 2]),
            extra: r#"{"_meta":{"k":1},"uri":"other:"}"#.into(),
        };
        let result = resources::ReadResult {
            contents: vec![part],
            meta: None,
            extra: "{}".into(),
        };
        let outcome = resources::ReadOutcome::Complete(result);
        let Ok(End::Complete(read)) = read(&meter(), ROOM, Ok(Ok(outcome))) else {
            panic!("it can be read")
        };
        assert_eq!(
            read.contents[0].get(),
            r#"{"uri":"a:b","blob":"AAEC","_meta":{"k":1}}"#
        );
    }

    #[test]
    fn what_is_read_and_what_is_said_of_it_fit_the_bound_together() {
        let read = |body: resources::Body, meta: usize| {
            let part = resources::Contents {
                uri: "a:b".into(),
                mime_type: None,
                body,
                extra: "{}".into(),
            };
            let result = resources::ReadResult {
                contents: vec![part],
                meta: Some(format!(r#"{{"k":"{}"}}"#, "m".repeat(meta))),
                extra: "{}".into(),
            };
            let outcome = resources::ReadOutcome::Complete(result);
            read(&meter(), ROOM, Ok(Ok(outcome)))
        };
        let text = |bytes: usize| resources::Body::Text("t".repeat(bytes));
        assert!(read(text(ROOM / 2), ROOM / 4).is_ok());
        let too_large = [
            read(text(ROOM / 2), ROOM / 2),
            read(text(1), ROOM),
            read(text(ROOM + 1), 0),
            read(resources::Body::Bytes(vec![0; ROOM + 1]), 0),
        ];
        for refused in too_large {
            let Err(CallError::Internal(words)) = refused else {
                panic!("it was passed on")
            };
            assert!(words.contains("1MiB"), "{words}");
        }
    }

    #[test]
    fn a_read_of_nothing_is_no_answer() {
        let empty = resources::ReadResult {
            contents: vec![],
            meta: None,
            extra: "{}".into(),
        };
        let outcome = resources::ReadOutcome::Complete(empty);
        assert!(matches!(
            read(&meter(), ROOM, Ok(Ok(outcome))),
            Err(CallError::Internal(_))
        ));
        let gone = read(&meter(), ROOM, Ok(Ok(resources::ReadOutcome::NotFound)));
        assert!(matches!(gone, Err(CallError::Unknown)));
    }
}
