//! The bytes that go back: JSON-RPC messages, and responses around them.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use crate::{Body, about::ServerInfo, accept::Accept, fault::Fault};

/// Which request an error answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ReplyTo<'a> {
    /// Its id, as raw JSON.
    Id(&'a str),
    /// The id could not be read, and the client's version wants a `null` in its place (before 2025-11-25).
    Null,
    /// The id could not be read, and is left out.
    Nobody,
}

/// A response message: the id and the result go in as they are.
pub(crate) fn result(id: &str, result: &[u8]) -> Bytes {
    let mut message = begin(id, result.len() + 1);
    message.extend_from_slice(result);
    message.push(b'}');
    message.into()
}

/// A list's response: the server's name goes in where the list ends, so that one list serves under any name.
pub(crate) fn list(id: &str, list: &[u8], info: &ServerInfo<'_>) -> Bytes {
    const META: &[u8] = br#","_meta":{"io.modelcontextprotocol/serverInfo":"#;
    let open = list.strip_suffix(b"}").unwrap_or(list);
    let mut message = begin(id, open.len() + META.len() + 256);
    message.extend_from_slice(open);
    message.extend_from_slice(META);
    serde_json::to_writer(&mut message, info).expect("strings are JSON");
    message.extend_from_slice(b"}}}");
    message.into()
}

/// A response message up to its result, and room for that.
fn begin(id: &str, room: usize) -> Vec<u8> {
    const HEAD: &[u8] = br#"{"jsonrpc":"2.0","id":"#;
    const MIDDLE: &[u8] = br#","result":"#;
    let mut message = Vec::with_capacity(HEAD.len() + id.len() + MIDDLE.len() + room);
    message.extend_from_slice(HEAD);
    message.extend_from_slice(id.as_bytes());
    message.extend_from_slice(MIDDLE);
    message
}

/// An error message.
pub(crate) fn error(to: ReplyTo<'_>, fault: &Fault) -> Bytes {
    let id = match to {
        ReplyTo::Id(id) => format!(r#""id":{id},"#),
        ReplyTo::Null => r#""id":null,"#.to_owned(),
        ReplyTo::Nobody => String::new(),
    };
    format!(r#"{{"jsonrpc":"2.0",{id}"error":{}}}"#, error_object(fault)).into()
}

/// What stands under `error`.
pub(crate) fn error_object(fault: &Fault) -> String {
    let text = serde_json::Value::from(fault.to_string());
    let data = fault
        .data()
        .map_or_else(String::new, |data| format!(r#","data":{data}"#));
    format!(r#"{{"code":{},"message":{text}{data}}}"#, fault.code())
}

/// One message, whole, in the form that the client reads.
pub(crate) fn message(accept: Accept, message: Bytes) -> Response<Body> {
    if accept.json {
        json(StatusCode::OK, message)
    } else {
        events(Body::full(crate::body::event(&message)))
    }
}

/// The same, with a status; as JSON, if that says that it is no answer.
pub(crate) fn message_of(accept: Accept, status: StatusCode, bytes: Bytes) -> Response<Body> {
    if status == StatusCode::OK {
        message(accept, bytes)
    } else {
        json(status, bytes)
    }
}

/// A refusal. Always JSON, whatever the client accepts: the status says that it is no answer.
pub(crate) fn refusal(to: ReplyTo<'_>, fault: &Fault) -> Response<Body> {
    let mut response = json(fault.status(), error(to, fault));
    if *fault == Fault::Method {
        response
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static("POST, DELETE"));
    }
    response
}

/// Accepted, and nothing to say.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Messages one by one.
pub(crate) fn events(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx, which stands before most Difys, would keep events back until its buffer is full.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// JSON of any status.
pub(crate) fn json(status: StatusCode, message: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::full(message));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    // An address is a credential: nothing said under it may rest in a cache.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The answer for an address that is unknown, disabled or replaced: the same bytes for all, so that nobody can tell
/// them apart. Not a 401, which would send clients looking for an authorization server.
pub fn not_found() -> Response<Body> {
    refusal(ReplyTo::Nobody, &Fault::UnknownAddress)
}
