//! Which protocol a message belongs to; one module for each.
//!
//! An era reads the message and answers what it can answer at once. What takes time it hands back as calls, which own all
//! they need: the era's borrowed view of the body ends here.

mod legacy;

use http::Response;

use crate::{
    Body,
    call::Pending,
    envelope::{self, Message, Params, Posted},
    fault::Fault,
    serve::{Door, Refused},
};

/// What became of a POST.
pub(crate) enum Handled {
    Now(Response<Body>),
    Calls(Pending),
}

/// Reads a body and gives it to its era.
pub(crate) fn handle(door: &Door<'_>, body: &[u8]) -> Result<Handled, Refused> {
    match envelope::read(body)? {
        Posted::Single(message) => {
            let message = message?;
            let params = Params::read(message.params());
            if is_modern(&message, &params) {
                return Err(Refused::new(message.id(), Fault::UnsupportedVersion));
            }
            legacy::single(door, message, params)
        }
        Posted::Batch(items) => legacy::batch(door, &items),
    }
}

/// Does the message belong to the stateless era (2026-07-28 and later)? `initialize` never does, whatever else the request
/// says: it is how a client of both eras falls back. (A version header of that era is refused where headers are read, in the
/// same words.)
fn is_modern(message: &Message<'_>, params: &Result<Params<'_>, Fault>) -> bool {
    if message.method() == Some("initialize") {
        return false;
    }
    let meta = params.as_ref().ok().and_then(|params| params.meta.as_ref());
    message.method() == Some("server/discover")
        || meta.is_some_and(|meta| meta.protocol_version.is_some())
}
