//! The era of `initialize`: 2024-11-05 (as an answer to `initialize`), 2025-03-26, 2025-06-18 and 2025-11-25.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::value::RawValue;

use super::{Handled, progress_wanted};
use crate::{
    Client, Level, SessionKey, Version,
    about::{Capabilities, ServerInfo},
    call::{Pending, Prepared, Shape},
    envelope::{self, Id, Message, Request, Response, is_object, is_too_deep, text},
    fault::{Fault, excerpt},
    job::{Ask, invalid, string},
    mailbox::{Answered, Said},
    params::Params,
    progress,
    replicas::Word,
    reply::{self, ReplyTo},
    result::{Out, To},
    serve::{Door, Refused, SESSION_HEADER, Shared, VERSION_HEADER},
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
        Message::Response(response) => {
            let answered = exchange.answered(&response)?;
            Ok(match door.mcp.shared.mailbox.deliver(answered) {
                Ok(()) => Handled::Now(reply::empty(StatusCode::ACCEPTED)),
                Err(unasked) => Handled::Answer(unasked),
            })
        }
    }
}

/// Several messages, which only 2025-03-26 and older may send.
pub(super) fn batch(door: &Door<'_>, items: &[&RawValue]) -> Result<Handled, Refused> {
    let exchange = Exchange::open(door)?;
    let shared = &door.mcp.shared;
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
                exchange.notification(&method, Params::read(params));
            }
            Ok(Message::Response(response)) => {
                // No answer in a batch is answered, so nobody would hear what became of one.
                if let Ok(answered) = exchange.answered(&response)
                    && let Err(unasked) = shared.mailbox.deliver(answered)
                {
                    shared.replicas.tell(Word::answer(&unasked, None));
                }
            }
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
        let named = named_version(door.headers)?;
        let session = match door.headers.get(&SESSION_HEADER) {
            Some(id) => {
                let (app, epoch) = (door.server.app(), door.server.epoch());
                let session = door.mcp.shared.sessions.open(id, app, epoch);
                Some(session.ok_or(Fault::UnknownSession)?)
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
        match params.and_then(|params| self.answer(request, &params)) {
            Ok(outcome) => outcome,
            Err(fault) => Outcome::Reply(reply::error(ReplyTo::Id(id), &fault)),
        }
    }

    fn answer(&self, request: &Request<'_>, params: &Params<'_>) -> Result<Outcome, Fault> {
        let server = self.door.server;
        let (tools, catalog) = (server.tools(), server.catalog());
        let result: &[u8] = match request.method.as_ref() {
            "ping" => b"{}",
            // All stands on the first page, so no cursor was ever handed out.
            "tools/list" | "resources/list" | "resources/templates/list" | "prompts/list"
                if params.cursor.is_some() =>
            {
                return Err(invalid("this cursor leads nowhere"));
            }
            "tools/list" => tools.list(self.version),
            // Some clients probe these without looking at the capabilities; an error would be shown to their users.
            "resources/list" => catalog.resources(self.version),
            "resources/templates/list" => catalog.templates(self.version),
            "prompts/list" => catalog.prompts(self.version),
            "logging/setLevel" if server.offers().logging => self.set_level(params)?,
            "resources/subscribe" if self.has_subscriptions() => self.subscribe(params)?,
            "resources/unsubscribe" if self.has_subscriptions() => self.unsubscribe(params)?,
            method => {
                let ask = Ask::read(method, params, server.offers())
                    .ok_or_else(|| Fault::UnknownMethod(excerpt(method)))??;
                let prepared = self.prepare(request.id, ask, params)?;
                return Ok(Outcome::Call(Box::new(prepared)));
            }
        };
        Ok(Outcome::Reply(reply::result(request.id.as_str(), result)))
    }

    fn has_subscriptions(&self) -> bool {
        self.door.server.offers().resources && self.door.server.changes().is_some()
    }

    /// Without a session there is nobody to remember it for; the client learns nothing of that, because its user could
    /// do nothing about it.
    fn set_level(&self, params: &Params<'_>) -> Result<&'static [u8], Fault> {
        let level = params.level.and_then(Level::read);
        let level =
            level.ok_or_else(|| invalid("level must be one of RFC 5424, in small letters"))?;
        if let Some(session) = self.key() {
            self.shared().wishes.set_level(session, level);
            self.shared().replicas.tell(Word::Level { session, level });
        }
        Ok(b"{}")
    }

    fn subscribe(&self, params: &Params<'_>) -> Result<&'static [u8], Fault> {
        let uri = string(params.uri, "uri")?;
        let session = self.key().ok_or_else(|| {
            invalid("a subscription needs a session: send the session id that initialize gave")
        })?;
        if !self.shared().wishes.subscribe(session, &uri) {
            return Err(invalid(
                "a session may watch at most 16 resources, whose URIs have at most 512 bytes",
            ));
        }
        let uri = uri.into();
        self.shared()
            .replicas
            .tell(Word::Subscribe { session, uri });
        Ok(b"{}")
    }

    fn unsubscribe(&self, params: &Params<'_>) -> Result<&'static [u8], Fault> {
        let uri = string(params.uri, "uri")?;
        if let Some(session) = self.key() {
            self.shared().wishes.unsubscribe(session, &uri);
            let uri = uri.into();
            self.shared()
                .replicas
                .tell(Word::Unsubscribe { session, uri });
        }
        Ok(b"{}")
    }

    fn prepare(&self, id: Id<'_>, ask: Ask, params: &Params<'_>) -> Result<Prepared, Fault> {
        let shared = self.shared();
        let session = self.key();
        // Notifications can only travel on a stream.
        let streams = self.door.accept.events;
        let level = session
            .filter(|_| streams && self.door.server.offers().logging)
            .and_then(|session| shared.wishes.level(session));
        let wanted = progress_wanted(params)?.filter(|_| streams);
        Ok(Prepared {
            id: id.as_str().into(),
            version: self.version,
            ask,
            answers: None,
            client: self
                .session
                .as_ref()
                .and_then(Session::client)
                .unwrap_or_default(),
            session,
            level,
            streams,
            progress: progress::channel(wanted, self.version, &shared.config),
            place: shared
                .inflight
                .enter(session, id.key())
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
            (method, self.key(), cancelled)
        {
            let id = id.key();
            self.shared().inflight.cancel(session, &id);
            let id = Cow::Borrowed(&*id);
            self.shared().replicas.tell(Word::Cancel { session, id });
        }
    }

    fn answered(&self, response: &Response<'_>) -> Result<Answered, Fault> {
        let said = match response.result {
            None => Said::Refused,
            Some(result) if is_object(result) && !is_too_deep(result) => {
                Said::Result(result.to_owned())
            }
            Some(_) => {
                let what = "a result must be an object, of at most 127 levels";
                return Err(Fault::Invalid(what));
            }
        };
        // Nobody is asked without a session, or under no id.
        Ok(Answered {
            session: self.key().ok_or(Fault::Unasked)?,
            id: response.id.ok_or(Fault::Unasked)?.key(),
            said,
        })
    }

    fn key(&self) -> Option<SessionKey> {
        self.session.as_ref().map(|session| session.key)
    }

    fn shared(&self) -> &'a Shared {
        &self.door.mcp.shared
    }
}

/// The version that the header names.
pub(crate) fn named_version(headers: &HeaderMap) -> Result<Option<Version>, Fault> {
    let Some(value) = headers.get(&VERSION_HEADER) else {
        return Ok(None);
    };
    let version = value.to_str().ok().and_then(Version::legacy);
    version.map(Some).ok_or(Fault::UnsupportedVersion)
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
            Client::read(params.client_info, params.capabilities),
        ))
    });
    let (version, client) = match read {
        Ok(read) => read,
        Err(bad) => {
            return reply::message(door.accept, reply::error(ReplyTo::Id(id.as_str()), &bad));
        }
    };
    // With a session, Dify opens a GET stream and sends a DELETE for every single call.
    let session = (client.name != "Dify")
        .then(|| {
            let (app, epoch) = (door.server.app(), door.server.epoch());
            let sessions = &door.mcp.shared.sessions;
            sessions.issue(version, &client, app, epoch)
        })
        .flatten();
    let listens = session.is_some() && version >= Version::V2025_03_26;
    let initialized = initialized(door, id, version, listens);
    let mut response = reply::message(door.accept, reply::result(id.as_str(), &initialized));
    if let Some(id) = session {
        response.headers_mut().insert(&SESSION_HEADER, id);
    }
    response
}

fn initialized(door: &Door<'_>, id: Id<'_>, version: Version, listens: bool) -> Vec<u8> {
    let about = door.server.about();
    let to = To {
        id: id.as_str(),
        version,
        server: &**door.server,
    };
    let capabilities = Capabilities {
        server: &**door.server,
        version,
        listens,
    };
    let mut out = Out::new(&to);
    out.put("protocolVersion", version.as_str());
    out.put("capabilities", &capabilities);
    out.put("serverInfo", &ServerInfo::new(&about, version));
    if let Some(instructions) = &about.instructions {
        out.put("instructions", instructions);
    }
    out.end()
}
