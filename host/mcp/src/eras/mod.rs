//! Which protocol a message belongs to; one module for each.
//!
//! An era reads the message and answers what it can answer at once. What takes time it hands back as calls, which own all
//! they need: the era's borrowed view of the body ends here.

mod legacy;
mod modern;

pub(crate) use legacy::named_version;

use http::{HeaderMap, Response};

use crate::{
    Body, Version,
    call::Pending,
    envelope::{self, Id, Message, Posted},
    fault::Fault,
    job::invalid,
    mailbox::Answered,
    params::Params,
    progress::Wanted,
    serve::{Door, Refused, VERSION_HEADER},
    tasks::{Begin, TaskRequest},
};

/// What became of a POST.
pub(crate) enum Handled {
    Now(Response<Body>),
    Calls(Pending),
    /// An answer that nobody waits for in this process.
    Answer(Answered),
    /// A call that may become a task.
    Task(Box<Begin>),
    /// A look at a task.
    Tasks(TaskRequest),
}

/// Reads a body and gives it to its era.
pub(crate) fn handle(door: &Door<'_>, body: &[u8]) -> Result<Handled, Refused> {
    match envelope::read(body)? {
        Posted::Single(message) => {
            let message = message?;
            let params = Params::read(message.params());
            if is_modern(door.headers, &message, &params) {
                modern::single(door, message, params)
            } else {
                legacy::single(door, message, params)
            }
        }
        Posted::Batch(items) => legacy::batch(door, &items),
    }
}

/// Does the message belong to the stateless era? Its requests name their version in `_meta`, its clients in a header.
fn is_modern(
    headers: &HeaderMap,
    message: &Message<'_>,
    params: &Result<Params<'_>, Fault>,
) -> bool {
    let params = params.as_ref().ok();
    let meta = params.and_then(|params| params.meta.as_ref());
    let named = meta.is_some_and(|meta| meta.protocol_version.is_some());
    match message.method() {
        // How a client of both eras falls back, perhaps with the headers of its probe. The modern era has no such method,
        // and a request that says it is of that era is told so.
        Some("initialize") => named && params.is_some_and(|it| it.protocol_version.is_none()),
        Some("server/discover") => true,
        Some(_) | None => named || has_modern_header(headers),
    }
}

/// Is the header's version a date of that era? Later ones are none that we speak, but they are refused in its words.
pub(crate) fn has_modern_header(headers: &HeaderMap) -> bool {
    let named = headers.get(&VERSION_HEADER).and_then(|it| it.to_str().ok());
    named.is_some_and(|named| {
        let date = |byte: u8| byte.is_ascii_digit() || byte == b'-';
        named.len() == 10 && named.bytes().all(date) && named >= Version::V2026_07_28.as_str()
    })
}

fn progress_wanted<'a>(params: &Params<'a>) -> Result<Option<Wanted<'a>>, Fault> {
    let meta = params.meta.as_ref();
    let Some(token) = meta.and_then(|meta| meta.progress_token) else {
        return Ok(None);
    };
    let token = Id::parse(token).ok_or_else(|| {
        invalid("progressToken must be a string or an integer, of at most 256 bytes")
    })?;
    let text = meta.and_then(|meta| meta.partial_text);
    let text = text.is_some_and(|text| text.get() == "true");
    Ok(Some(Wanted { token, text }))
}
