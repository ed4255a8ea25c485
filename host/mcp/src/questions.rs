//! What a server asks of its client, read and checked before it goes out, and the answers that come in.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::{
    Answers, Capabilities, Questions,
    envelope::{is_object, is_too_deep, text},
    fault::Fault,
    job::invalid,
    members::Members,
    params::Params,
    state::STATE_MAX,
};

/// One request for the client.
pub(crate) struct Question<'a> {
    pub(crate) key: Cow<'a, str>,
    pub(crate) method: Cow<'a, str>,
    pub(crate) params: Option<&'a RawValue>,
}

/// Requests that may be asked at one time, and answers that may come at one time.
const REQUESTS_MAX: usize = 16;
const RESPONSES_MAX: usize = 64;

/// What is wrong with questions is for the log: their author is the server, not the client.
pub(crate) fn read(questions: &Questions) -> Result<Vec<Question<'_>>, &'static str> {
    if questions.state.len() > STATE_MAX {
        return Err("the state is larger than 32 KiB");
    }
    let requests = Members::read(&questions.requests).ok_or("the requests are no object")?;
    if requests.0.len() > REQUESTS_MAX {
        return Err("there are more than 16 requests");
    }
    let mut read = Vec::with_capacity(requests.0.len());
    for (key, request) in requests.0 {
        let request = Members::read(request).ok_or("a request is no object")?;
        read.push(Question {
            key,
            method: request.text("method").ok_or("a request has no method")?,
            params: request.get("params"),
        });
    }
    Ok(read)
}

impl Question<'_> {
    /// What the client must have declared to be asked this; none for what no client can be asked.
    pub(crate) fn needs(&self) -> Option<Capabilities> {
        let params = self.params.and_then(Members::read);
        let member = |name| params.as_ref().and_then(|params| params.get(name));
        match self.method.as_ref() {
            "elicitation/create" => match member("mode").and_then(text).as_deref() {
                None | Some("form") => Some(Capabilities::ELICITATION),
                Some("url") => Some(Capabilities::ELICITATION_URL),
                Some(_) => None,
            },
            "sampling/createMessage" if member("tools").is_some() => {
                Some(Capabilities::SAMPLING.and(Capabilities::SAMPLING_TOOLS))
            }
            "sampling/createMessage" => Some(Capabilities::SAMPLING),
            "roots/list" => Some(Capabilities::ROOTS),
            _ => None,
        }
    }
}

/// What a client answers: an object of objects.
pub(crate) fn responses(raw: &RawValue) -> Result<Box<RawValue>, Fault> {
    let responses = Members::read(raw)
        .ok_or_else(|| invalid("inputResponses must be an object that names no member twice"))?;
    if responses.0.len() > RESPONSES_MAX || is_too_deep(raw) {
        return Err(invalid(
            "inputResponses must have at most 64 members, of at most 127 levels",
        ));
    }
    if let Some((key, _)) = responses
        .0
        .iter()
        .find(|(_, response)| !is_object(response))
    {
        let key = crate::fault::excerpt(key);
        return Err(invalid(&format!("inputResponses.{key} must be an object")));
    }
    Ok(raw.to_owned())
}

/// The answers that a request brings; none for one that begins anew. `open` reads a sealed state.
pub(crate) fn answers(
    params: &Params<'_>,
    open: impl FnOnce(&str) -> Option<Vec<u8>>,
) -> Result<Option<Answers>, Fault> {
    if params.input_responses.is_none() && params.request_state.is_none() {
        return Ok(None);
    }
    let responses = match params.input_responses {
        Some(raw) => responses(raw)?,
        None => RawValue::from_string("{}".to_owned()).expect("an empty object is JSON"),
    };
    let state = match params.request_state {
        Some(token) => text(token).and_then(|token| open(&token)).ok_or_else(|| {
            invalid(
                "requestState is none of this request's, was changed, or is too old: send the request again without it",
            )
        })?,
        None => Vec::new(),
    };
    Ok(Some(Answers { responses, state }))
}
