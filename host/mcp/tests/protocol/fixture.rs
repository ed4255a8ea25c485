//! A server with tools of the test's making, and a client that posts to it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use airlock_mcp::{
    About, Answer, Body, Call, CallResult, Config, End, Keys, Mcp, ToolServer, Tools,
};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, value::RawValue};
use tokio_util::sync::CancellationToken;

pub(crate) const TOOL: &str = r#"{"name":"run","title":"Run","inputSchema":{"type":"object"}}"#;

pub(crate) struct Fake {
    pub(crate) app: &'static str,
    pub(crate) epoch: AtomicU64,
    pub(crate) gone: CancellationToken,
    tools: Tools,
    act: Box<dyn Fn(Call) -> Answer<End<CallResult>> + Send + Sync>,
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

    fn tools(&self) -> &Tools {
        &self.tools
    }

    fn call(&self, call: Call) -> Answer<End<CallResult>> {
        (self.act)(call)
    }

    fn gone(&self) -> &CancellationToken {
        &self.gone
    }
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
    let tool = RawValue::from_string(TOOL.to_owned()).expect("JSON");
    let server = Fake {
        app: "app-1",
        epoch: AtomicU64::new(1),
        gone: CancellationToken::new(),
        tools: Tools::new(&[tool]).expect("a tool"),
        act: Box::new(act),
    };
    Client {
        mcp: Arc::new(Mcp::new(config, &keys(7))),
        server: Arc::new(server),
    }
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

    /// The id of a new session.
    pub(crate) async fn session(&self, version: &str) -> String {
        let heard = self.post(BOTH, &initialize(version, "test")).await;
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
