//! The stateless era: 2026-07-28. Each request says all that is needed to answer it, and nothing is remembered.

mod headers;
mod listen;
mod task;

use bytes::Bytes;
use http::StatusCode;

use super::{Handled, progress_wanted};
use crate::{
    Client, Level, Version,
    about::{Capabilities, ServerInfo},
    call::{Pending, Prepared, Shape},
    envelope::{Id, Message, Request, is_object, text},
    fault::{Fault, excerpt},
    job::{Ask, invalid},
    list::TTL_MS,
    params::{Meta, Params},
    progress, questions,
    reply::{self, ReplyTo},
    result::{Out, To},
    serve::{Door, Refused},
};

/// The one version of this era.
const VERSION: Version = Version::V2026_07_28;

/// What a method leads to.
enum Route<'a> {
    Discover,
    List(&'a Bytes),
    Listen,
    Ask,
    Task,
}

/// One message.
pub(super) fn single(
    door: &Door<'_>,
    message: Message<'_>,
    params: Result<Params<'_>, Fault>,
) -> Result<Handled, Refused> {
    let request = match message {
        Message::Request(request) => request,
        // The version has none that a client sends over HTTP; a cancellation is the end of the connection.
        Message::Notification { .. } => {
            return Ok(Handled::Now(reply::empty(StatusCode::ACCEPTED)));
        }
        Message::Response(_) => {
            let what =
                "this protocol version has no responses of clients; answers come as inputResponses";
            return Err(Fault::Invalid(what).into());
        }
    };
    let id = request.id;
    handle(door, &request, params).or_else(|fault| {
        // A refusal of the message is one of the POST too; what only its content came to is an answer.
        if fault.status() == StatusCode::OK {
            let message = reply::error(ReplyTo::Id(id.as_str()), &fault);
            Ok(Handled::Now(reply::message(door.accept, message)))
        } else {
            Err(Refused::new(Some(id), fault))
        }
    })
}

fn handle(
    door: &Door<'_>,
    request: &Request<'_>,
    params: Result<Params<'_>, Fault>,
) -> Result<Handled, Fault> {
    let version = headers::version(door.headers)?;
    let params =
        params.map_err(|_fault| Fault::Meta("a member is named twice, or _meta is no object"))?;
    let meta = params.meta.as_ref();
    let meta = meta.ok_or(Fault::Meta("_meta is missing"))?;
    check(version, meta)?;

    let method = request.method.as_ref();
    let route = route(door, method).ok_or_else(|| Fault::NoMethod(excerpt(method)))?;
    headers::check(door.headers, door.server.tools(), method, &params)?;

    let id = request.id;
    let to = To {
        id: id.as_str(),
        version: VERSION,
        server: &**door.server,
    };
    Ok(match route {
        Route::Discover => {
            let result = reply::result(id.as_str(), &discovered(&to));
            Handled::Now(reply::message(door.accept, result))
        }
        Route::List(_) if params.cursor.is_some() => {
            return Err(invalid("this cursor leads nowhere"));
        }
        Route::List(list) => {
            let about = door.server.about();
            let listed = reply::list(id.as_str(), list, &ServerInfo::new(&about, VERSION));
            Handled::Now(reply::message(door.accept, listed))
        }
        Route::Listen => Handled::Now(listen::open(door, id, &params)?),
        Route::Ask => {
            let ask = Ask::read(method, &params, door.server.offers())
                .ok_or_else(|| Fault::NoMethod(excerpt(method)))??;
            let prepared = prepare(door, id, ask, &params, meta)?;
            match task::support(door, &prepared)? {
                Some(support) => Handled::Task(Box::new(task::begin(prepared, support)?)),
                None => Handled::Calls(Pending {
                    calls: vec![prepared],
                    ready: Vec::new(),
                    shape: Shape::Single,
                }),
            }
        }
        Route::Task => Handled::Tasks(task::request(door, id, method, &params, meta)?),
    })
}

/// Does the request say all that it must, and is it ours? (A header that disagrees comes before a version that nobody
/// speaks: only then is it known which version was meant.)
fn check(header: &str, meta: &Meta<'_>) -> Result<(), Fault> {
    let named = match meta.protocol_version {
        Some(raw) => text(raw).ok_or(Fault::Meta(
            "_meta: io.modelcontextprotocol/protocolVersion must be a string",
        ))?,
        None => {
            return Err(Fault::Meta(
                "_meta: io.modelcontextprotocol/protocolVersion is missing",
            ));
        }
    };
    if named != header {
        return Err(Fault::Header(
            "MCP-Protocol-Version and _meta name different versions".to_owned(),
        ));
    }
    if !meta.client_capabilities.is_some_and(is_object) {
        return Err(Fault::Meta(
            "_meta: io.modelcontextprotocol/clientCapabilities must be an object",
        ));
    }
    if named == VERSION.as_str() {
        Ok(())
    } else {
        let requested = excerpt(&named);
        Err(Fault::UnsupportedModern { requested })
    }
}

/// None for a method that is not there, or that the server does not offer.
fn route<'a>(door: &Door<'a>, method: &str) -> Option<Route<'a>> {
    let server = door.server;
    let offers = server.offers();
    let catalog = server.catalog();
    Some(match method {
        "server/discover" => Route::Discover,
        "tools/list" => Route::List(server.tools().list(VERSION)),
        "resources/list" if offers.resources => Route::List(catalog.resources(VERSION)),
        "resources/templates/list" if offers.resources => Route::List(catalog.templates(VERSION)),
        "prompts/list" if offers.prompts => Route::List(catalog.prompts(VERSION)),
        "subscriptions/listen" if server.changes().is_some() => Route::Listen,
        "tools/call" => Route::Ask,
        "resources/read" if offers.resources => Route::Ask,
        "prompts/get" if offers.prompts => Route::Ask,
        "completion/complete" if offers.completions => Route::Ask,
        "tasks/get" | "tasks/update" | "tasks/cancel" if server.tasks().is_some() => Route::Task,
        _ => return None,
    })
}

fn discovered(to: &To<'_>) -> Vec<u8> {
    let about = to.server.about();
    let mut out = Out::new(to);
    out.put("supportedVersions", &Version::OFFERED.map(Version::as_str));
    let capabilities = Capabilities {
        server: to.server,
        version: VERSION,
        listens: true,
    };
    out.put("capabilities", &capabilities);
    if let Some(instructions) = &about.instructions {
        out.put("instructions", instructions);
    }
    out.put("ttlMs", &TTL_MS);
    out.put("cacheScope", "private");
    out.meta(None);
    out.end()
}

fn prepare(
    door: &Door<'_>,
    id: Id<'_>,
    ask: Ask,
    params: &Params<'_>,
    meta: &Meta<'_>,
) -> Result<Prepared, Fault> {
    let mcp = door.mcp;
    let answers = match ask {
        Ask::Complete { .. } => None,
        Ask::Call { .. } | Ask::Read { .. } | Ask::Prompt { .. } => {
            questions::answers(params, |token| {
                mcp.shared.states.open(&**door.server, &ask, token)
            })?
        }
    };
    let level = match meta.log_level {
        Some(raw) => Some(Level::read(raw).ok_or(Fault::Meta(
            "_meta: io.modelcontextprotocol/logLevel must be one of RFC 5424, in small letters",
        ))?),
        None => None,
    };
    // Notifications can only travel on a stream.
    let streams = door.accept.events;
    let wanted = progress_wanted(params)?.filter(|_| streams);
    Ok(Prepared {
        id: id.as_str().into(),
        version: VERSION,
        ask,
        answers,
        client: Client::read(meta.client_info, meta.client_capabilities),
        session: None,
        level: level.filter(|_| streams && door.server.offers().logging),
        streams,
        progress: progress::channel(wanted, VERSION, &mcp.shared.config),
        place: mcp
            .shared
            .inflight
            .enter(None, id.key())
            .ok_or(Fault::TooManyCalls)?,
    })
}
