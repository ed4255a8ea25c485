//! What the fuzz targets do with their input: they post it, and look at the answer as a client would.
//!
//! The tests of the crate run the same functions over the corpus and over mutations of it that are the same each time.

use std::sync::{Arc, LazyLock};

use airlock_mcp::{
    About, Answer, Body, Call, CallResult, Catalog, Changes, Config, End, Kept, Keys, Mcp, Offers,
    Stored, TaskKey, TaskRow, TaskStore, ToolServer, Tools,
};
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, value::RawValue};
use tokio_util::sync::CancellationToken;

/// A body under fixed headers of the older era, and then of the newer.
pub fn envelope(data: &[u8]) {
    let old = Request::post("/").header("content-type", "application/json");
    post(old, data);
    let new = Request::post("/")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "run");
    post(new, data);
}

/// Lines of `name: value`, an empty line, and a body. What no HTTP parser would let through is left out.
pub fn headers(data: &[u8]) {
    let mut request = Request::post("/");
    let mut rest = data;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line;
        (line, rest) = (&rest[..end], &rest[end + 1..]);
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            break;
        };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            request = request.header(name, value);
        }
    }
    post(request, rest);
}

/// A session id, a request state and a task id. None of them is ours, so nothing may come of them.
pub fn tokens(data: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(data) {
        let request = Request::post("/")
            .header("content-type", "application/json")
            .header("mcp-session-id", value);
        let ping = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        assert_eq!(post(request, ping), Some(404), "a session of nobody");
    }
    let Ok(token) = str::from_utf8(data) else {
        return;
    };
    // As a header can say any text (SEP-2243).
    let coded = data_encoding::BASE64.encode(data);
    for (method, name, member) in [
        ("tools/call", "cnVu", "requestState"),
        ("tasks/get", coded.as_str(), "taskId"),
    ] {
        let mut body = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {
            "name": "run",
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities":
                    {"extensions": {"io.modelcontextprotocol/tasks": {}}},
            },
        }});
        body["params"][member] = token.into();
        let request = Request::post("/")
            .header("content-type", "application/json")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method)
            .header("mcp-name", format!("=?base64?{name}?="));
        let answer = send(request, body.to_string().as_bytes()).expect("these headers are fine");
        assert_eq!(answer.1["error"]["code"], -32602, "{method}: {}", answer.1);
    }
}

fn post(request: http::request::Builder, body: &[u8]) -> Option<u16> {
    send(request, body).map(|(status, _)| status)
}

/// Posts, and checks what holds for every answer; none for a request that could not be made.
fn send(request: http::request::Builder, body: &[u8]) -> Option<(u16, Value)> {
    static MCP: LazyLock<(Mcp, Arc<dyn ToolServer>)> = LazyLock::new(|| {
        let key = || [7; 32].into();
        let keys = Keys {
            session: key(),
            state: key(),
            task: key(),
        };
        (Mcp::new(Config::default(), &keys), Arc::new(Server::new()))
    });
    let request = request
        .body(Full::<bytes::Bytes>::from(body.to_vec()))
        .ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let answer = runtime.expect("a runtime").block_on(async {
        let response = MCP.0.serve(request, Arc::clone(&MCP.1)).await;
        read(response).await
    });
    Some(answer)
}

async fn read(response: Response<Body>) -> (u16, Value) {
    let (parts, mut body) = response.into_parts();
    let status = parts.status.as_u16();
    assert!(status < 500, "{status}");
    let kind = parts
        .headers
        .get("content-type")
        .map(|kind| kind.as_bytes().to_vec());
    match kind.as_deref() {
        None => (status, Value::Null),
        Some(b"application/json") => {
            let body = body.collect().await.expect("bodies do not fail").to_bytes();
            let _: &RawValue = serde_json::from_slice(&body).expect("the answer is JSON");
            // An id comes back as it was written, a lone surrogate in it too, which is JSON but no text.
            let Ok(message) = serde_json::from_slice::<Value>(&body) else {
                return (status, Value::Null);
            };
            let all = match &message {
                Value::Array(messages) => messages.iter().collect(),
                message => vec![message],
            };
            for message in all {
                assert_eq!(message["jsonrpc"], "2.0");
                assert!(message.get("result").is_some() != message.get("error").is_some());
            }
            (status, message)
        }
        // A stream may go on for ever; its first frame comes at once.
        Some(_) => {
            assert!(body.frame().await.is_some(), "a stream begins at once");
            (status, Value::Null)
        }
    }
}

/// It offers everything, so that every reader is reached.
struct Server {
    tools: Tools,
    changes: Changes,
    tasks: Arc<dyn TaskStore>,
    gone: CancellationToken,
}

impl Server {
    fn new() -> Self {
        let tool = r#"{"name":"run","inputSchema":{"properties":{"n":{"type":"integer","x-mcp-header":"N"}}}}"#;
        let tool = RawValue::from_string(tool.to_owned()).expect("JSON");
        Self {
            tools: Tools::new(&[tool]).expect("a tool"),
            changes: Changes::new(),
            tasks: Arc::new(Nothing),
            gone: CancellationToken::new(),
        }
    }
}

impl ToolServer for Server {
    fn app(&self) -> &str {
        "app"
    }

    fn epoch(&self) -> u64 {
        1
    }

    fn about(&self) -> About<'_> {
        About {
            name: "fuzz".into(),
            title: None,
            version: "1".into(),
            instructions: None,
        }
    }

    fn offers(&self) -> Offers {
        Offers {
            resources: true,
            prompts: true,
            completions: true,
            logging: true,
        }
    }

    fn tools(&self) -> &Tools {
        &self.tools
    }

    fn catalog(&self) -> &Catalog {
        Catalog::empty()
    }

    fn call(&self, call: Call) -> Answer<End<CallResult>> {
        let arguments: Result<serde_json::Map<String, Value>, _> =
            serde_json::from_str(call.arguments.get());
        // Only a reader of values stumbles over a number that no float holds, and over half of a surrogate pair.
        if let Err(error) = arguments {
            let words = error.to_string();
            let known = ["number out of range", "surrogate", "end of hex escape"];
            assert!(known.iter().any(|it| words.contains(it)), "{error}");
        }
        Box::pin(async { Ok(CallResult::text("ok").into()) })
    }

    fn changes(&self) -> Option<&Changes> {
        Some(&self.changes)
    }

    fn tasks(&self) -> Option<&Arc<dyn TaskStore>> {
        Some(&self.tasks)
    }

    fn gone(&self) -> &CancellationToken {
        &self.gone
    }
}

/// A store that keeps nothing.
struct Nothing;

impl TaskStore for Nothing {
    fn create(&self, _key: TaskKey, _row: TaskRow) -> Kept<'_, Stored> {
        Box::pin(async { Ok(Stored::Refused) })
    }

    fn load(&self, _key: TaskKey) -> Kept<'_, Option<(u64, TaskRow)>> {
        Box::pin(async { Ok(None) })
    }

    fn replace(&self, _key: TaskKey, _revision: u64, _row: TaskRow) -> Kept<'_, Stored> {
        Box::pin(async { Ok(Stored::Refused) })
    }
}
