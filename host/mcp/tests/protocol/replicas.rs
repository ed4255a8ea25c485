//! Two servers on one address: a client's next request may reach either.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use airlock_mcp::{
    CallResult, Change, Changes, Channel, ChannelError, Config, End, Level, Mcp, Offers, Questions,
};
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::{sync::broadcast, time::Instant};

use crate::{
    ends::cancel,
    fixture::{BOTH, Client, Fake, Heard, call, hear, keys, raw},
    listening::{get, next, post},
    rounds::{NAME, asked},
    tasks::{request, rows, server},
};

/// A channel in memory, which may refuse what is published.
#[derive(Clone)]
struct Hub {
    messages: broadcast::Sender<Arc<[u8]>>,
    refuses: Arc<AtomicBool>,
    published: Arc<AtomicUsize>,
}

impl Hub {
    fn new(room: usize) -> Self {
        Self {
            messages: broadcast::Sender::new(room),
            refuses: Arc::default(),
            published: Arc::default(),
        }
    }

    fn replica(&self, server: Fake) -> Client {
        let channel = Arc::new(self.clone());
        Client {
            mcp: Arc::new(Mcp::with_replicas(Config::default(), &keys(7), channel)),
            server: Arc::new(server),
        }
    }

    fn replicas(&self, server: impl Fn() -> Fake) -> [Client; 2] {
        [self.replica(server()), self.replica(server())]
    }
}

impl Channel for Hub {
    fn is_shared(&self) -> bool {
        self.messages.receiver_count() > 1
    }

    fn publish(&self, message: Arc<[u8]>) -> Result<(), ChannelError> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(ChannelError("it is full".to_owned()));
        }
        self.published.fetch_add(1, Ordering::SeqCst);
        self.messages.send(message).expect("somebody listens");
        Ok(())
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<[u8]>> {
        self.messages.subscribe()
    }
}

/// A server whose tool asks for a name, and then says what it heard.
fn curious() -> Fake {
    Fake::new(|call| {
        Box::pin(async move {
            Ok(match call.answers {
                None => End::InputRequired(Questions {
                    requests: raw(&format!(r#"{{"who":{NAME}}}"#)),
                    state: Vec::new(),
                }),
                Some(answers) => CallResult::text(answers.responses.get()).into(),
            })
        })
    })
}

/// A server whose calls end when they are told to.
fn endless() -> Fake {
    let mut server = Fake::new(|call| {
        Box::pin(async move {
            call.context.cancelled.cancelled().await;
            Err(airlock_mcp::CallError::Cancelled)
        })
    });
    server.changes = Some(Changes::new());
    server
}

async fn able(client: &Client) -> String {
    client
        .session_with("2025-11-25", r#"{"elicitation":{}}"#)
        .await
}

async fn answer(client: &Client, session: &str, id: &Value, result: Value) -> Heard {
    let answer = json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string();
    client.post(&[("mcp-session-id", session)], &answer).await
}

async fn delete(client: &Client, session: &str) -> StatusCode {
    let request = Request::delete("/").header("mcp-session-id", session);
    let request = request.body(Full::default()).expect("a request");
    client.send(request).await.status()
}

/// Time stands still until every task waits for something: then whatever was published has been heard.
async fn heard_by_all() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_question_of_one_replica_is_answered_through_another() {
    let [one, other] = Hub::new(64).replicas(curious);
    let session = able(&one).await;
    let headers = [BOTH[0], ("mcp-session-id", session.as_str())];
    let name = "Ada ".repeat(250_000);
    for result in [
        json!({"action": "cancel"}),
        json!({"content": {"name": name}}),
    ] {
        let mut stream = one.open(&headers, &call("1", "")).await;
        let id = asked(&mut stream, "elicitation/create").await["id"].clone();
        let start = Instant::now();
        let taken = answer(&other, &session, &id, result.clone()).await;
        assert_eq!((taken.status.as_u16(), taken.text.as_str()), (202, ""));
        assert_eq!(start.elapsed(), Duration::ZERO);
        let ended = &hear(stream).await.events()[0];
        let text = ended["result"]["content"][0]["text"].as_str();
        let text: Value = serde_json::from_str(text.expect("text")).expect("the answers");
        assert_eq!(text, json!({"who": result}));
        let again = answer(&other, &session, &id, json!({})).await;
        assert_eq!(again.error().0, 400, "it was answered");
    }

    let mut stream = one.open(&headers, &call("1", "")).await;
    let id = asked(&mut stream, "elicitation/create").await["id"].clone();
    let refused = json!({"jsonrpc": "2.0", "id": id, "error": {"code": -1, "message": "no"}});
    let heard = other.post(&headers, &refused.to_string()).await;
    assert_eq!(heard.status, 202);
    assert_eq!(hear(stream).await.events()[0]["result"]["isError"], true);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_waits_for_is_refused_soon() {
    let hub = Hub::new(64);
    let one = hub.replica(curious());
    let session = able(&one).await;
    let mut others = Vec::new();
    for wait in [0, 2] {
        let start = Instant::now();
        let refused = answer(&one, &session, &json!("lost"), json!({})).await;
        assert_eq!(refused.error(), (400, -32600, Value::Null));
        assert!(
            refused.text.contains("send the request"),
            "{}",
            refused.text
        );
        assert_eq!(start.elapsed(), Duration::from_secs(wait));
        others.push(hub.replica(curious()));
    }
}

#[tokio::test(start_paused = true)]
async fn no_other_session_or_app_can_answer_through_another_replica() {
    let hub = Hub::new(64);
    let [one, other] = hub.replicas(curious);
    let stranger = hub.replica(Fake {
        app: "app-2",
        ..curious()
    });
    let session = able(&one).await;
    let headers = [BOTH[0], ("mcp-session-id", session.as_str())];
    let mut stream = one.open(&headers, &call("1", "")).await;
    let id = asked(&mut stream, "elicitation/create").await["id"].clone();
    let (another, elsewhere) = (able(&other).await, able(&stranger).await);
    for (client, session, status) in [
        (&other, &another, 400),
        (&stranger, &elsewhere, 400),
        (&stranger, &session, 404),
    ] {
        let refused = answer(client, session, &id, json!({"action": "accept"})).await;
        assert_eq!(refused.status, status);
    }
    let taken = answer(&other, &session, &id, json!({"action": "decline"})).await;
    assert_eq!(taken.status, 202);
    assert!(hear(stream).await.text.contains("decline"));
}

#[tokio::test(start_paused = true)]
async fn a_call_of_one_replica_is_cancelled_through_another() {
    let [one, other] = Hub::new(64).replicas(endless);
    let (mine, another) = (
        one.session("2025-11-25").await,
        one.session("2025-11-25").await,
    );
    let headers = [BOTH[0], ("mcp-session-id", mine.as_str())];
    let stream = one.open(&headers, &call("1", "")).await;
    let mut kept = one.open(&headers, &call("2", "")).await;
    for (session, id) in [(&another, "1"), (&another, "2"), (&mine, "1")] {
        let heard = other
            .post(&[("mcp-session-id", session)], &cancel(id))
            .await;
        assert_eq!(heard.status, 202);
    }
    let start = Instant::now();
    assert!(hear(stream).await.events().is_empty());
    assert_eq!(start.elapsed(), Duration::ZERO);
    let more = tokio::time::timeout(Duration::from_secs(60), next(&mut kept)).await;
    assert!(more.is_err(), "the other call goes on: {more:?}");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_ended_at_one_replica_is_ended_at_all() {
    let [one, other] = Hub::new(64).replicas(endless);
    let session = one.session("2025-11-25").await;
    let headers = [BOTH[0], ("mcp-session-id", session.as_str())];
    let running = one.open(&headers, &call("1", "")).await;
    let mut listening = get(&one, Some(&session)).await;
    assert_eq!(delete(&other, &session).await, 204);
    assert!(hear(running).await.events().is_empty());
    assert_eq!(next(&mut listening).await, None);
    for client in [&one, &other] {
        let gone = client.post(&headers, &call("2", "")).await;
        assert_eq!(gone.error(), (404, -32001, json!(2)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_session_asked_one_replica_to_be_told_is_told_by_all() {
    let hub = Hub::new(64);
    let changes = Changes::new();
    let [one, other] = hub.replicas(|| {
        let mut server = Fake::new(|call| {
            call.context.log.send(Level::Warning, None, &raw("7"));
            Box::pin(async { Ok(CallResult::text("").into()) })
        });
        server.changes = Some(changes.clone());
        server.offers = Offers {
            resources: true,
            logging: true,
            ..Offers::default()
        };
        server
    });
    let session = one.session("2025-11-25").await;
    let headers = [BOTH[0], ("mcp-session-id", session.as_str())];
    let mut listening = get(&other, Some(&session)).await;
    post(&one, &session, "logging/setLevel", json!({"level": "info"})).await;
    post(&one, &session, "resources/subscribe", json!({"uri": "a:b"})).await;
    post(&one, &session, "resources/subscribe", json!({"uri": "a:c"})).await;
    post(
        &one,
        &session,
        "resources/unsubscribe",
        json!({"uri": "a:c"}),
    )
    .await;
    heard_by_all().await;
    let told = other.post(&headers, &call("1", "")).await.events();
    assert_eq!(told[0]["params"], json!({"level": "warning", "data": 7}));
    changes.tell(Change::Resource("a:c".into()));
    changes.tell(Change::Resource("a:b".into()));
    let heard = next(&mut listening).await.expect("a message");
    assert_eq!(heard["params"], json!({"uri": "a:b"}));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_runs_at_one_replica_is_cancelled_through_another() {
    let hub = Hub::new(64);
    let kept = rows(100);
    let (here, mut told) = server(Arc::clone(&kept));
    let (there, _) = server(Arc::clone(&kept));
    let [one, other] = [hub.replica(here), hub.replica(there)];
    let arguments = json!({"name": "may", "arguments": {"ms": 60_000}});
    let begun = request(&one, "tools/call", arguments).await.json();
    let id = json!({"taskId": begun["result"]["taskId"]});
    let start = Instant::now();
    request(&other, "tasks/cancel", id).await;
    assert_eq!(told.recv().await, Some("told"));
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_takes_nothing_disturbs_nothing_else() {
    let hub = Hub::new(64);
    let [one, other] = hub.replicas(curious);
    let session = able(&one).await;
    let headers = [BOTH[0], ("mcp-session-id", session.as_str())];
    let mut stream = one.open(&headers, &call("1", "")).await;
    let id = asked(&mut stream, "elicitation/create").await["id"].clone();

    hub.refuses.store(true, Ordering::SeqCst);
    let start = Instant::now();
    let unheard = answer(&other, &session, &id, json!({"action": "decline"})).await;
    assert_eq!(unheard.error(), (503, 503, Value::Null));
    assert!(unheard.text.contains("send the answer again"));
    let cancelled = other.post(&headers, &cancel("1")).await;
    assert_eq!(cancelled.status, 202);
    let gone = able(&other).await;
    assert_eq!(delete(&other, &gone).await, 204);
    let mut own = other.open(&headers, &call("2", "")).await;
    let asks = asked(&mut own, "elicitation/create").await["id"].clone();
    assert_eq!(answer(&other, &session, &asks, json!({})).await.status, 202);
    assert_eq!(hear(own).await.events()[0]["id"], 2);
    assert_eq!(start.elapsed(), Duration::ZERO);

    hub.refuses.store(false, Ordering::SeqCst);
    let taken = answer(&other, &session, &id, json!({"action": "decline"})).await;
    assert_eq!(taken.status, 202);
    assert!(hear(stream).await.text.contains("decline"));
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_was_too_slow_or_heard_nonsense_goes_on_listening() {
    let hub = Hub::new(2);
    let [one, other] = hub.replicas(endless);
    let session = one.session("2025-11-25").await;
    let headers = [BOTH[0], ("mcp-session-id", session.as_str())];
    let stream = one.open(&headers, &call("1", "")).await;
    for nonsense in [
        &b"{}"[..],
        b"\xff",
        br#"{"from":[],"word":{"Later":{}}}"#,
        b"",
        b"7",
    ] {
        hub.publish(nonsense.into()).expect("it takes everything");
    }
    heard_by_all().await;
    other.post(&headers, &cancel("1")).await;
    assert!(hear(stream).await.events().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_has_closed_hangs_nothing() {
    struct Closed;
    impl Channel for Closed {
        fn is_shared(&self) -> bool {
            true
        }

        fn publish(&self, _message: Arc<[u8]>) -> Result<(), ChannelError> {
            Ok(())
        }

        fn subscribe(&self) -> broadcast::Receiver<Arc<[u8]>> {
            broadcast::Sender::new(1).subscribe()
        }
    }
    let mcp = Mcp::with_replicas(Config::default(), &keys(7), Arc::new(Closed));
    let client = Client {
        mcp: Arc::new(mcp),
        server: Arc::new(curious()),
    };
    let session = able(&client).await;
    let refused = answer(&client, &session, &json!("lost"), json!({})).await;
    assert_eq!(refused.status, 400);
    assert_eq!(delete(&client, &session).await, 204);
}

#[tokio::test(start_paused = true)]
async fn one_server_alone_publishes_nothing_and_lists_never_do() {
    let hub = Hub::new(64);
    let one = hub.replica(endless());
    let session = one.session("2025-11-25").await;
    let headers = [BOTH[0], ("mcp-session-id", session.as_str())];
    one.post(&headers, &cancel("1")).await;
    answer(&one, &session, &json!("lost"), json!({})).await;
    let other = hub.replica(endless());
    for client in [&one, &other] {
        post(client, &session, "tools/list", json!({})).await;
        client.modern("tools/list", json!({})).await;
    }
    assert_eq!(hub.published.load(Ordering::SeqCst), 0);
    other.post(&headers, &cancel("1")).await;
    assert_eq!(hub.published.load(Ordering::SeqCst), 1);
}
