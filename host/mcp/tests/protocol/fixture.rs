//! A server with tools of the test's making, and a client that posts to it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use airlock_mcp::{
    About, Answer, Body, Call, CallError, CallResult, Catalog, Changes, Complete, Completion,
    Config, End, GetPrompt, Keys, Mcp, Offers, PromptResult, Read, ReadResult, TaskStore,
    ToolServer, Tools,
};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json, value::RawValue};
use tokio_util::sync::CancellationToken;

pub(crate) const TOOL: &str = r#"{"name":"run","title":"Run","inputSchema":{"type":"object"}}"#;

type Act<Q, A> = Box<dyn Fn(Q) -> Answer<A> + Send + Sync>;

pub(crate) struct Fake {
    pub(crate) app: &'static str,
    pub(crate) epoch: AtomicU64,
    pub(crate) gone: CancellationToken,
    pub(crate) tools: Tools,
    pub(crate) offers: Offers,
    pub(crate) catalog: Catalog,
    pub(crate) changes: Option<Changes>,
    pub(crate) tasks: Option<Arc<dyn TaskStore>>,
    pub(crate) act: Act<Call, End<CallResult>>,
    pub(crate) read: Act<Read, End<ReadResult>>,
    pub(crate) prompt: Act<GetPrompt, End<PromptResult>>,
    pub(crate) complete: Act<Complete, Completion>,
}

impl Fake {
    /// One tool, and nothing else.
    pub(crate) fn new(
        act: impl Fn(Call) -> Answer<End<CallResult>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            app: "app-1",
            epoch: AtomicU64::new(1),
            gone: CancellationToken::new(),
            tools: Tools::new(&[raw(TOOL)]).expect("a tool"),
            offers: Offers::default(),
            catalog: Catalog::empty().clone(),
            changes: None,
            tasks: None,
            act: Box::new(act),
            read: Box::new(|_| Box::pin(async { Err(CallError::Unknown) })),
            prompt: Box::new(|_| Box::pin(async { Err(CallError::Unknown) })),
            complete: Box::new(|_| Box::pin(async { Err(CallError::Unknown) })),
        }
    }

    pub(crate) fn client(self) -> Client {
        self.client_with(Config::default())
    }

    pub(crate) fn client_with(self, config: Config) -> Client {
        Client {
            mcp: Arc::new(Mcp::new(config, &keys(7))),
            server: Arc::new(self),
        }
    }
}

impl ToolServer for Fake {
    fn app(&self) -> &str {
        self.app
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    fn about(&self) -> About<'_> {
        About {
            name: "echo".into(),
            title: Some("Echo \"app\"".into()),
            version: "1.0".into(),
            instructions: Some("Ask it.".into()),
        }
    }

    fn offers(&self) -> Offers {
        self.offers
    }

    fn tools(&self) -> &Tools {
        &self.tools
    }

    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn call(&self, call: Call) -> Answer<End<CallResult>> {
        (self.act)(call)
    }

    fn read(&self, read: Read) -> Answer<End<ReadResult>> {
        (self.read)(read)
    }

    fn prompt(&self, prompt: GetPrompt) -> Answer<End<PromptResult>> {
        (self.prompt)(prompt)
    }

    fn complete(&self, complete: Complete) -> Answer<Completion> {
        (self.complete)(complete)
    }

    fn changes(&self) -> Option<&Changes> {
        self.changes.as_ref()
    }

    fn tasks(&self) -> Option<&Arc<dyn TaskStore>> {
        self.tasks.as_ref()
    }

    fn gone(&self) -> &CancellationToken {
        &self.gone
    }
}

pub(crate) fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).expect("a test's JSON")
}

/// A client of one server.
pub(crate) struct Client {
    pub(crate) mcp: Arc<Mcp>,
    pub(crate) server: Arc<Fake>,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

pub(crate) const BOTH: &[(&str, &str)] = &[("accept", "application/json, text/event-stream")];
pub(crate) const JSON: &[(&str, &str)] = &[("accept", "application/json")];

/// A client of a server whose calls do what `act` says.
pub(crate) fn client(
    act: impl Fn(Call) -> Answer<End<CallResult>> + Send + Sync + 'static,
) -> Client {
    client_with(Config::default(), act)
}

pub(crate) fn client_with(
    config: Config,
    act: impl Fn(Call) -> Answer<End<CallResult>> + Send + Sync + 'static,
) -> Client {
    Fake::new(act).client_with(config)
}

pub(crate) fn keys(seed: u8) -> Keys {
    Keys {
        session: [seed; 32].into(),
        state: [seed; 32].into(),
        task: [seed; 32].into(),
    }
}

/// A client of a server that answers with the arguments it got.
pub(crate) fn echo() -> Client {
    client(|call| {
        let text = format!("{} {}", call.tool, call.arguments.get());
        Box::pin(async move { Ok(CallResult::text(&text).into()) })
    })
}

/// A client of a server whose calls take that long.
pub(crate) fn slow(time: Duration) -> Client {
    client(move |_call| {
        Box::pin(async move {
            tokio::time::sleep(time).await;
            Ok(CallResult::text("late").into())
        })
    })
}

impl Client {
    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Full<bytes::Bytes>>) -> Response<Body> {
        self.mcp
            .serve(request, Arc::clone(&self.server) as Arc<dyn ToolServer>)
            .await
    }

    /// Posts JSON, and leaves the answer's body unread.
    pub(crate) async fn open(&self, headers: &[(&str, &str)], body: &str) -> Response<Body> {
        let mut request =
            Request::post("/server/secret/mcp").header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.to_owned().into()).expect("a request"))
            .await
    }

    /// Posts JSON, and reads the answer whole.
    pub(crate) async fn post(&self, headers: &[(&str, &str)], body: &str) -> Heard {
        hear(self.open(headers, body).await).await
    }

    /// Posts a request of the stateless era as its clients do, and leaves the answer's body unread.
    pub(crate) async fn open_modern(&self, method: &str, params: Value) -> Response<Body> {
        let (headers, body) = modern(method, params);
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        self.open(&headers, &body).await
    }

    /// The same, read whole.
    pub(crate) async fn modern(&self, method: &str, params: Value) -> Heard {
        hear(self.open_modern(method, params).await).await
    }

    /// The id of a new session.
    pub(crate) async fn session(&self, version: &str) -> String {
        self.session_with(version, "{}").await
    }

    /// The id of a new session of a client that declares these capabilities.
    pub(crate) async fn session_with(&self, version: &str, capabilities: &str) -> String {
        let capabilities = format!(r#""capabilities":{capabilities}"#);
        let initialize = initialize(version, "test").replace(r#""capabilities":{}"#, &capabilities);
        let heard = self.post(BOTH, &initialize).await;
        heard.headers["mcp-session-id"]
            .to_str()
            .expect("visible ASCII")
            .to_owned()
    }
}

pub(crate) fn initialize(version: &str, name: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"{version}","capabilities":{{}},"clientInfo":{{"name":"{name}","version":"2.1"}}}}}}"#
    )
}

/// A request of the stateless era, with all that its clients say; members of `params._meta` replace ours.
pub(crate) fn modern(method: &str, mut params: Value) -> (Vec<(&'static str, String)>, String) {
    let mut meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "2.1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    for (name, value) in params["_meta"].as_object().into_iter().flatten() {
        meta[name] = value.clone();
    }
    params["_meta"] = meta;
    let mut headers = vec![
        (BOTH[0].0, BOTH[0].1.to_owned()),
        ("mcp-protocol-version", "2026-07-28".to_owned()),
        ("mcp-method", method.to_owned()),
    ];
    let name = ["name", "uri", "taskId"]
        .iter()
        .find_map(|name| params[name].as_str());
    headers.extend(name.map(|name| ("mcp-name", name.to_owned())));
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    (headers, body.to_string())
}

/// A `tools/call` of the fake's tool, with more members of `params` if need be.
pub(crate) fn call(id: &str, more: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"run"{more}}}}}"#
    )
}

pub(crate) const WITH_PROGRESS: &str = r#","_meta":{"progressToken":"t"}"#;

pub(crate) async fn hear(response: Response<Body>) -> Heard {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.expect("bodies do not fail").to_bytes();
    Heard {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8(bytes.to_vec()).expect("UTF-8"),
    }
}

impl Heard {
    pub(crate) fn is_stream(&self) -> bool {
        self.headers["content-type"] == "text/event-stream"
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The messages of a stream.
    pub(crate) fn events(&self) -> Vec<Value> {
        let data = self
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).expect("each event is a message"))
            .collect()
    }

    /// The error's code, and whether it names a request.
    pub(crate) fn error(&self) -> (u16, i64, Value) {
        let message = self.json();
        let code = message["error"]["code"]
            .as_i64()
            .unwrap_or_else(|| panic!("no error: {}", self.text));
        (
            self.status.as_u16(),
            code,
            message.get("id").cloned().unwrap_or("absent".into()),
        )
    }
}
