//! The HTTP door: what a request must look like before its message is read.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, request::Parts};

use crate::{
    Body, Channel, Config, Keys, SessionKey, ToolServer, Version,
    accept::{self, Accept},
    call,
    envelope::{Id, Malformed},
    eras::{self, Handled},
    fault::Fault,
    inflight::InFlight,
    listen::{Ear, Listener, Topics},
    mailbox::Mailbox,
    read::{Caps, read},
    replicas::{self, Replicas, Word},
    reply::{self, ReplyTo},
    session::{Session, Sessions},
    state::States,
    tasks,
    wishes::Wishes,
};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// The protocol, for any number of addresses: sessions and calls of different [`ToolServer`]s never meet.
pub struct Mcp {
    /// The places of large bodies that are being read.
    large: Semaphore,
    pub(crate) shared: Arc<Shared>,
    /// Listens to other replicas.
    _hearing: Option<AbortOnDropHandle<()>>,
}

/// What outlives a request's future.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) sessions: Sessions,
    pub(crate) inflight: Arc<InFlight>,
    /// Those who listen.
    pub(crate) streams: Arc<InFlight>,
    pub(crate) states: States,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) wishes: Wishes,
    pub(crate) replicas: Replicas,
    pub(crate) task_ids: tasks::Ids,
    pub(crate) running: Arc<tasks::Running>,
    /// Fires when the server stops: who only listens waits for nothing that will still come.
    pub(crate) closing: CancellationToken,
}

impl fmt::Debug for Mcp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Mcp")
    }
}

/// A request's headers and whom it is for, once its headers have passed.
pub(crate) struct Door<'a> {
    pub(crate) mcp: &'a Mcp,
    pub(crate) server: &'a Arc<dyn ToolServer>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) accept: Accept,
}

// Made once: looking a header up by its text parses the text each time.
pub(crate) static VERSION_HEADER: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub(crate) static SESSION_HEADER: HeaderName = HeaderName::from_static("mcp-session-id");

/// A fault, and the request that it answers if its id could be read.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) fault: Fault,
    pub(crate) id: Option<Box<str>>,
}

impl Mcp {
    /// For all addresses of one server.
    pub fn new(config: Config, keys: &Keys) -> Self {
        Self::of(Shared::new(config, keys, Replicas::default()))
    }

    fn of(shared: Shared) -> Self {
        Self {
            large: Semaphore::new(shared.config.file_bodies),
            shared: Arc::new(shared),
            _hearing: None,
        }
    }

    /// The same, as one of several replicas that have the same keys. Needs a tokio runtime.
    pub fn with_replicas(config: Config, keys: &Keys, channel: Arc<dyn Channel>) -> Self {
        let messages = channel.subscribe();
        let mut mcp = Self::of(Shared::new(config, keys, Replicas::new(channel)));
        let hearing = tokio::spawn(replicas::hear(Arc::clone(&mcp.shared), messages));
        mcp._hearing = Some(AbortOnDropHandle::new(hearing));
        mcp
    }

    /// Ends the streams of those who only listen, for a server that stops. Calls go on.
    pub fn close(&self) {
        self.shared.closing.cancel();
    }

    /// Answers one request for the address of `server`. Needs a tokio runtime with its timer.
    ///
    /// Errors become responses with a JSON-RPC body. Dropping the future, or the body of the response, is a hang-up: calls
    /// go on for [`hangup_grace`](Config::hangup_grace).
    pub fn serve<B: http_body::Body>(
        &self,
        request: Request<B>,
        server: Arc<dyn ToolServer>,
    ) -> impl Future<Output = Response<Body>> {
        // An argument of an async function has its room in the future twice: as it came, and as it is used.
        let (parts, body) = request.into_parts();
        async move {
            let answered = match parts.method {
                Method::POST => self.post(&parts, body, &server).await,
                Method::DELETE => self.delete(&parts, &server).map_err(Refused::from),
                Method::GET => self.listen(&parts, &server).map_err(Refused::from),
                _ => Err(Fault::Method.into()),
            };
            answered.unwrap_or_else(|Refused { fault, id }| {
                let to = id
                    .as_deref()
                    .map_or_else(|| unknown_id(&parts.headers), ReplyTo::Id);
                reply::refusal(to, &fault)
            })
        }
    }

    async fn post<B: http_body::Body>(
        &self,
        parts: &Parts,
        body: B,
        server: &Arc<dyn ToolServer>,
    ) -> Result<Response<Body>, Refused> {
        let headers = &parts.headers;
        let accept = Accept::of(headers)?;
        accept::content_type(headers)?;
        let config = &self.shared.config;
        let most = if server.takes_files() {
            config.file_body_cap.max(config.body_cap)
        } else {
            config.body_cap
        };
        let caps = Caps {
            usual: config.body_cap,
            most,
            large: &self.large,
        };
        let body = read(body, caps, config.body_time).await?;
        // A body may have been slow, and the address may have died while it came.
        if server.gone().is_cancelled() {
            return Ok(reply::not_found());
        }
        let handled = eras::handle(
            &Door {
                mcp: self,
                server,
                headers,
                accept,
            },
            &body,
        )?;
        // A call may run for long, and has taken from the body what it needs.
        drop(body);
        match handled {
            Handled::Now(response) => Ok(response),
            Handled::Task(begin) => {
                let begun = tasks::begin(&self.shared, server, *begin);
                let (status, message) = Box::pin(begun).await;
                Ok(reply::message_of(accept, status, message))
            }
            Handled::Tasks(request) => {
                let (status, message) = Box::pin(tasks::handle(self, server, request)).await;
                Ok(reply::message_of(accept, status, message))
            }
            Handled::Answer(answered) => {
                let (replicas, within) = (&self.shared.replicas, config.replica_time);
                Box::pin(replicas.pass_on(&answered, within)).await?;
                Ok(reply::empty(StatusCode::ACCEPTED))
            }
            Handled::Calls(pending) => {
                Ok(call::answer(&self.shared, server, pending, accept).await)
            }
        }
    }

    /// A stream of changes, for holders of a session. All others are answered 405 at once, for Dify waits on it: clients
    /// take that for a server that has no such stream.
    fn listen(&self, parts: &Parts, server: &Arc<dyn ToolServer>) -> Result<Response<Body>, Fault> {
        let changes = server.changes().ok_or(Fault::Method)?;
        let session = self.session(&parts.headers, server)?;
        if session.version < Version::V2025_03_26 {
            return Err(Fault::Method);
        }
        if !Accept::of(&parts.headers)?.events {
            return Err(Fault::Accept);
        }
        let offers = server.offers();
        let listener = Listener {
            shared: Arc::clone(&self.shared),
            server: Arc::clone(server),
            topics: Topics {
                tools: true,
                prompts: offers.prompts,
                resources: offers.resources,
            },
            place: self
                .shared
                .streams
                .enter(Some(session.key), "".into())
                .ok_or(Fault::TooManyStreams)?,
            ear: Ear::Session {
                session: session.key,
            },
        };
        Ok(listener.open(changes.listen(), None))
    }

    /// Ends a session, and what it runs.
    fn delete(&self, parts: &Parts, server: &Arc<dyn ToolServer>) -> Result<Response<Body>, Fault> {
        let session = self.session(&parts.headers, server)?.key;
        self.shared.end(session);
        self.shared.replicas.tell(Word::End { session });
        // Not 202, of which the Python SDK warns.
        Ok(reply::empty(StatusCode::NO_CONTENT))
    }

    /// Whose GET or DELETE it is. The stateless era has neither method, whatever else the request says.
    fn session(&self, headers: &HeaderMap, server: &Arc<dyn ToolServer>) -> Result<Session, Fault> {
        let id = headers.get(&SESSION_HEADER).ok_or(Fault::Method)?;
        if eras::has_modern_header(headers) {
            return Err(Fault::Method);
        }
        eras::named_version(headers)?;
        let session = self.shared.sessions.open(id, server.app(), server.epoch());
        session.ok_or(Fault::UnknownSession)
    }
}

impl Shared {
    fn new(config: Config, keys: &Keys, replicas: Replicas) -> Self {
        Self {
            sessions: Sessions::new(&keys.session),
            inflight: Arc::new(InFlight::new(config.calls, config.calls_per_session)),
            streams: Arc::new(InFlight::new(config.streams, config.streams_per_session)),
            states: States::new(&keys.state, config.answer_time),
            mailbox: Arc::default(),
            wishes: Wishes::default(),
            replicas,
            task_ids: tasks::Ids::new(&keys.task),
            running: Arc::default(),
            closing: CancellationToken::new(),
            config,
        }
    }

    /// Ends a session, and what it runs in this process.
    pub(crate) fn end(&self, session: SessionKey) {
        self.sessions.end(session);
        self.inflight.cancel_all(session);
        self.streams.cancel_all(session);
    }
}

/// How an error is addressed when no id could be read: the schema wants an id until 2025-06-18, and none from then on.
fn unknown_id(headers: &HeaderMap) -> ReplyTo<'static> {
    match headers
        .get(&VERSION_HEADER)
        .map(|value| Version::parse(value.to_str().unwrap_or_default()))
    {
        None => ReplyTo::Null,
        Some(Some(version)) if version <= Version::V2025_06_18 => ReplyTo::Null,
        Some(_) => ReplyTo::Nobody,
    }
}

impl Refused {
    pub(crate) fn new(id: Option<Id<'_>>, fault: Fault) -> Self {
        Self {
            fault,
            id: id.map(|id| id.as_str().into()),
        }
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self { fault, id: None }
    }
}

impl From<Malformed<'_>> for Refused {
    fn from(malformed: Malformed<'_>) -> Self {
        Self::new(malformed.id, malformed.fault)
    }
}
