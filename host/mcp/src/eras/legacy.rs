//! The era of `initialize`: 2024-11-05 (as an answer to `initialize`), 2025-03-26, 2025-06-18 and 2025-11-25.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Handled;
use crate::{
    Capabilities, Client, Version,
    call::{Pending, Prepared, Shape},
    envelope::{self, Id, Message, Params, Request, is_object, is_too_deep, text},
    fault::{Fault, excerpt},
    progress,
    reply::{self, ReplyTo},
    serve::{Door, Refused, SESSION_HEADER, VERSION_HEADER},
    session::Session,
};

/// A request whose version and session are known.
struct Exchange<'a> {
    door: &'a Door<'a>,
    version: Version,
    session: Option<Session>,
}

/// What became of one request.
enum Outcome {
    Reply(Bytes),
    Call(Box<Prepared>),
}

/// One message.
pub(super) fn single(
    door: &Door<'_>,
    message: Message<'_>,
    params: Result<Params<'_>, Fault>,
) -> Result<Handled, Refused> {
    if let Message::Request(request) = &message
        && request.method == "initialize"
    {
        return Ok(Handled::Now(initialize(door, request.id, params)));
    }
    let exchange = Exchange::open(door).map_err(|fault| Refused::new(message.id(), fault))?;
    match message {
        Message::Request(request) => Ok(match exchange.request(&request, params) {
            Outcome::Reply(bytes) => Handled::Now(reply::message(door.accept, bytes)),
            Outcome::Call(call) => Handled::Calls(Pending {
                calls: vec![*call],
                ready: Vec::new(),
                shape: Shape::Single,
            }),
        }),
        Message::Notification { method, .. } => {
            exchange.notification(&method, params);
            Ok(Handled::Now(reply::empty(StatusCode::ACCEPTED)))
        }
        Message::Response => {
            Err(Fault::Invalid("no request of this server waits for an answer").into())
        }
    }
}

/// Several messages, which only 2025-03-26 and older may send.
pub(super) fn batch(door: &Door<'_>, items: &[&RawValue]) -> Result<Handled, Refused> {
    let exchange = Exchange::open(door)?;
    if exchange.version > Version::V2025_03_26 {
        return Err(Fault::Invalid(
            "this protocol version has no batches; send one message at a time",
        )
        .into());
    }
    let (mut calls, mut ready) = (Vec::new(), Vec::new());
    for item in items {
        match envelope::item(item) {
            Ok(Message::Request(request)) if request.method == "initialize" => {
                let alone = Fault::Invalid("initialize stands alone, never in a batch");
                ready.push(reply::error(ReplyTo::Id(request.id.as_str()), &alone));
            }
            Ok(Message::Request(request)) => {
                match exchange.request(&request, Params::read(request.params)) {
                    Outcome::Reply(bytes) => ready.push(bytes),
                    Outcome::Call(call) => calls.push(*call),
                }
            }
            Ok(Message::Notification { method, params }) => {
                exchange.notification(&method, Params::read(params))
            }
            Ok(Message::Response) => {}
            Err(malformed) => {
                let to = malformed
                    .id
                    .map_or(ReplyTo::Null, |id| ReplyTo::Id(id.as_str()));
                ready.push(reply::error(to, &malformed.fault));
            }
        }
    }
    Ok(if calls.is_empty() && ready.is_empty() {
        Handled::Now(reply::empty(StatusCode::ACCEPTED))
    } else {
        Handled::Calls(Pending {
            calls,
            ready,
            shape: Shape::Batch,
        })
    })
}

impl<'a> Exchange<'a> {
    fn open(door: &'a Door<'a>) -> Result<Self, Fault> {
        let named = match door.headers.get(VERSION_HEADER) {
            Some(value) => Some(
                value
                    .to_str()
                    .ok()
                    .and_then(Version::legacy)
                    .ok_or(Fault::UnsupportedVersion)?,
            ),
            None => None,
        };
        let session = match door.headers.get(SESSION_HEADER) {
            Some(id) => {
                let (app, epoch) = (door.server.app(), door.server.epoch());
                Some(
                    door.mcp
                        .sessions
                        .open(id, app, epoch)
                        .ok_or(Fault::UnknownSession)?,
                )
            }
            None => None,
        };
        let version = named
            .or(session.as_ref().map(|session| session.version))
            .unwrap_or(Version::ASSUMED);
        Ok(Self {
            door,
            version,
            session,
        })
    }

    fn request(&self, request: &Request<'_>, params: Result<Params<'_>, Fault>) -> Outcome {
        let id = request.id.as_str();
        let fault = |fault| Outcome::Reply(reply::error(ReplyTo::Id(id), &fault));
        let result = |bytes: &[u8]| Outcome::Reply(reply::result(id, bytes));
        let params = match params {
            Ok(params) => params,
            Err(bad) => return fault(bad),
        };
        match request.method.as_ref() {
            "ping" => result(b"{}"),
            // All tools stand on the first page, so no cursor was ever handed out.
            "tools/list" if params.cursor.is_some() => fault(invalid("this cursor leads nowhere")),
            "tools/list" => result(self.door.server.tools().list(self.version)),
            "tools/call" => match self.call(request.id, &params) {
                Ok(call) => Outcome::Call(Box::new(call)),
                Err(bad) => fault(bad),
            },
            // Some clients probe these without looking at the capabilities; an error would be shown to their users.
            "resources/list" => result(br#"{"resources":[]}"#),
            "resources/templates/list" => result(br#"{"resourceTemplates":[]}"#),
            "prompts/list" => result(br#"{"prompts":[]}"#),
            other => fault(Fault::UnknownMethod(excerpt(other))),
        }
    }

    fn call(&self, id: Id<'_>, params: &Params<'_>) -> Result<Prepared, Fault> {
        let tool = params
            .name
            .and_then(text)
            .ok_or_else(|| invalid("name must be a string"))?;
        let arguments = match params.arguments {
            Some(arguments) if !is_object(arguments) => {
                return Err(invalid("arguments must be an object"));
            }
            Some(arguments) if is_too_deep(arguments) => {
                return Err(invalid("arguments are nested deeper than 127 levels"));
            }
            Some(arguments) => arguments.to_owned(),
            None => RawValue::from_string("{}".to_owned()).expect("an empty object is JSON"),
        };
        let token = match params.meta.as_ref().and_then(|meta| meta.progress_token) {
            Some(token) => Some(Id::parse(token).ok_or_else(|| {
                invalid("progressToken must be a string or an integer, of at most 256 bytes")
            })?),
            None => None,
        };
        // Progress can only travel on a stream.
        let token = token.filter(|_| self.door.accept.events);
        let mcp = self.door.mcp;
        let session = self.session.as_ref();
        let nonce = session.map(|session| session.nonce);
        Ok(Prepared {
            id: id.as_str().into(),
            version: self.version,
            tool: tool.into_owned(),
            arguments,
            client: session
                .map(|session| session.client.clone())
                .unwrap_or_default(),
            session: nonce,
            progress: progress::channel(token, self.version, &mcp.config),
            place: mcp
                .inflight
                .enter(nonce, id.key())
                .ok_or(Fault::TooManyCalls)?,
        })
    }

    /// Notifications have no answer, so what is wrong with one is ignored.
    fn notification(&self, method: &str, params: Result<Params<'_>, Fault>) {
        let cancelled = params
            .ok()
            .and_then(|params| params.request_id)
            .and_then(Id::parse);
        if let ("notifications/cancelled", Some(session), Some(id)) =
            (method, &self.session, cancelled)
        {
            self.door.mcp.inflight.cancel(session.nonce, &id.key());
        }
    }
}

fn initialize(
    door: &Door<'_>,
    id: Id<'_>,
    params: Result<Params<'_>, Fault>,
) -> http::Response<crate::Body> {
    let read = params.and_then(|params| {
        let asked = params.protocol_version.and_then(text);
        let asked = asked.ok_or_else(|| invalid("protocolVersion must be a string"))?;
        Ok((
            Version::legacy(&asked).unwrap_or(Version::LATEST),
            client(params.client_info, params.capabilities),
        ))
    });
    let (version, client) = match read {
        Ok(read) => read,
        Err(bad) => {
            return reply::message(door.accept, reply::error(ReplyTo::Id(id.as_str()), &bad));
        }
    };
    let result = reply::result(id.as_str(), &initialized(door, version));
    let mut response = reply::message(door.accept, result);
    // With a session, Dify opens a GET stream and sends a DELETE for every single call.
    if client.name != "Dify" {
        let (app, epoch) = (door.server.app(), door.server.epoch());
        if let Some(id) = door.mcp.sessions.issue(version, &client, app, epoch) {
            response.headers_mut().insert(SESSION_HEADER, id);
        }
    }
    response
}

fn initialized(door: &Door<'_>, version: Version) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Initialized<'a> {
        protocol_version: &'static str,
        capabilities: Capabilities,
        server_info: ServerInfo<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        instructions: Option<&'a str>,
    }
    #[derive(Serialize)]
    struct Capabilities {
        tools: Tools,
    }
    #[derive(Serialize)]
    struct Tools {}
    #[derive(Serialize)]
    struct ServerInfo<'a> {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
        version: &'a str,
    }
    let about = door.server.about();
    let initialized = Initialized {
        protocol_version: version.as_str(),
        capabilities: Capabilities { tools: Tools {} },
        server_info: ServerInfo {
            name: &about.name,
            title: about
                .title
                .as_deref()
                .filter(|_| version >= Version::V2025_06_18),
            version: &about.version,
        },
        instructions: about.instructions.as_deref(),
    };
    serde_json::to_vec(&initialized).expect("strings are JSON")
}

/// What the client calls itself, as far as it can be read: a client without a proper name is still served.
fn client(info: Option<&RawValue>, capabilities: Option<&RawValue>) -> Client {
    #[derive(Default, Deserialize)]
    struct Info<'a> {
        #[serde(borrow, default)]
        name: Cow<'a, str>,
        #[serde(borrow, default)]
        version: Cow<'a, str>,
    }
    let info: Info<'_> = info
        .and_then(|info| serde_json::from_str(info.get()).ok())
        .unwrap_or_default();
    Client {
        name: info.name.into_owned(),
        version: info.version.into_owned(),
        capabilities: capabilities.map(Capabilities::read).unwrap_or_default(),
    }
}

fn invalid(words: &str) -> Fault {
    Fault::InvalidParams(words.to_owned())
}
