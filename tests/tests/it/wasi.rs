//! A guest that asks WASI for what no guest has.

use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use airlock_sandbox::{
    Backend, Bound, BoxFuture, Component, Engine, EngineConfig, Failure, Limits, Run, wit,
};
use airlock_tests::guests::component;
use serde_json::{Value, json};

struct Guest {
    component: Component,
    log: Arc<Log>,
    limits: Limits,
}

impl Guest {
    /// On one thread, so that a guest that held it would be noticed.
    fn load() -> Self {
        let engine = Engine::start(&EngineConfig {
            instances: 8,
            threads: 1,
            pooling: false,
            ..EngineConfig::default()
        })
        .expect("an engine");
        let bytes = component("airlock-guest-wasi");
        Self {
            component: Component::load(&engine, &bytes).expect("WASI's names are taken"),
            log: Arc::default(),
            limits: Limits::default(),
        }
    }

    async fn describe(&self, name: &str) -> Result<String, Failure> {
        let described = self
            .component
            .describe(app(name), &Limits::describe())
            .await?;
        let manifest = described.expect("no error of the guest's own");
        Ok(manifest.tools[0].description.clone())
    }

    async fn call(&self, tool: &str, number: u64) -> Result<Value, Failure> {
        let request = wit::CallRequest {
            tool: tool.into(),
            arguments: json!({"number": number}).to_string(),
            answers: None,
            extra: "{}".into(),
        };
        let backend = Arc::clone(&self.log);
        let ended = self
            .component
            .call(app("any"), request, backend, &self.limits)
            .await?;
        let Ok(wit::Outcome::Complete(result)) = ended else {
            panic!("{ended:?}")
        };
        let Some(wit::Content::Text(text)) = result.content.first() else {
            panic!("{result:?}")
        };
        Ok(serde_json::from_str(text).expect("the guest writes JSON"))
    }

    async fn trapped(&self, tool: &str, number: u64) -> String {
        match self.call(tool, number).await {
            Err(Failure::Trap(words)) => words,
            other => panic!("{other:?}"),
        }
    }
}

fn app(name: &str) -> Arc<wit::App> {
    Arc::new(wit::App {
        name: name.into(),
        description: String::new(),
        mode: "workflow".into(),
        tags: Vec::new(),
        parameters: r#"{"user_input_form": []}"#.into(),
        settings: Vec::new(),
        extra: "{}".into(),
    })
}

#[tokio::test]
async fn environment_arguments_directories_and_terminals_are_empty() {
    let found = Guest::load().call("look", 0).await.expect("an answer");
    let empty = json!({
        "environment": [], "arguments": [], "directory": null, "preopens": 0, "terminal": false,
    });
    assert_eq!(found, empty);
}

#[tokio::test]
async fn standard_input_has_ended() {
    let closed = Guest::load().call("read", 0).await.expect("an answer");
    assert_eq!(closed, json!(true));
}

#[tokio::test]
async fn what_is_printed_is_logged_line_by_line() {
    let guest = Guest::load();
    guest.call("print", 0).await.expect("an answer");
    let lines = [
        (wit::Level::Info, r#""one""#),
        (wit::Level::Warning, r#""three""#),
        (wit::Level::Info, r#""two""#),
        (wit::Level::Info, r#""and \"more\"""#),
    ];
    assert_eq!(
        guest.log.lines(),
        lines.map(|(level, line)| (level, line.into()))
    );
}

#[tokio::test]
async fn what_is_printed_counts_against_the_bound_of_the_log() {
    let mut guest = Guest::load();
    // Its lines are short: the bytes are to be what ends them.
    guest.limits.log_lines = 100_000;
    guest.call("flood", 0).await.expect("printing succeeds");
    let lines = guest.log.lines();
    let printed: usize = lines.iter().map(|(_, line)| line.len()).sum();
    assert!(
        printed > 60 << 10 && printed < 70 << 10,
        "{printed} bytes in {} lines",
        lines.len()
    );
    let (_, last) = lines.last().expect("lines");
    assert!(last.contains("over its bound"), "{last}");
}

#[tokio::test]
async fn exit_ends_the_call_and_says_so() {
    let words = Guest::load().trapped("exit", 0).await;
    assert!(words.contains("it called exit"), "{words}");
}

#[tokio::test]
async fn sockets_are_there_in_name_alone() {
    let words = Guest::load().trapped("connect", 0).await;
    let expected =
        "it called wasi:sockets/instance-network instance-network, which no guest can use";
    assert!(words.contains(expected), "{words}");
}

#[tokio::test]
async fn clocks_go_by_milliseconds_and_tell_nothing_of_the_host() {
    let clocks = Guest::load().call("clocks", 0).await.expect("an answer");
    let (monotonic, wall) = (clocks[0].as_u64(), clocks[1].as_u64());
    // The first look is its beginning, whenever this machine began.
    assert_eq!(monotonic, Some(0), "{clocks}");
    let now = std::time::UNIX_EPOCH
        .elapsed()
        .expect("after 1970")
        .as_secs();
    assert!(wall.is_some_and(|wall| now - wall < 60), "{clocks}");
}

#[tokio::test]
async fn a_wait_for_a_clock_holds_no_thread_and_is_no_computing() {
    let mut guest = Guest::load();
    guest.limits.cpu = Duration::from_millis(100);
    let half_a_second = 500_000_000;
    let began = Instant::now();
    let (first, second, other) = tokio::join!(
        guest.call("wait", half_a_second),
        guest.call("wait", half_a_second),
        async {
            let answer = guest.call("look", 0).await;
            (answer, began.elapsed())
        }
    );
    // The second of the two pollables is ready.
    assert_eq!(first.expect("an answer"), json!([1]));
    assert_eq!(second.expect("an answer"), json!([1]));
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(499), "{took:?}");
    other.0.expect("an answer");
    assert!(other.1 < took, "the one thread was held: {:?}", other.1);
}

#[tokio::test]
async fn the_deadline_ends_a_wait_that_is_too_long() {
    let mut guest = Guest::load();
    guest.limits.deadline = Duration::from_millis(200);
    let ended = guest.call("wait", u64::MAX).await;
    assert!(matches!(ended, Err(Failure::Deadline(_))), "{ended:?}");
}

#[tokio::test]
async fn chance_is_the_system_s_and_comes_in_bounded_pieces() {
    let guest = Guest::load();
    let draw = || guest.call("draw", 16);
    assert_ne!(draw().await.expect("bytes"), draw().await.expect("bytes"));
    let words = guest.trapped("draw", u64::MAX).await;
    assert!(words.contains("the most is 65536"), "{words}");
}

#[tokio::test]
async fn pollables_count_as_handles() {
    let guest = Guest::load();
    let few = guest.call("hoard", 1_000).await.expect("an answer");
    assert_eq!(few, json!(true));
    let ended = guest.call("hoard", 1_100).await;
    assert!(
        matches!(ended, Err(Failure::Bound(Bound::Handles(1_024)))),
        "{ended:?}"
    );
}

#[tokio::test]
async fn describe_is_pure_with_clocks_that_stand_still_and_the_same_chance() {
    let guest = Guest::load();
    let described = guest.describe("any").await.expect("a manifest");
    let seen: Value = serde_json::from_str(&described).expect("the guest writes JSON");
    assert_eq!(seen[0], json!(0), "{seen}");
    assert_eq!((&seen[1], &seen[2]), (&json!(0), &json!(0)), "{seen}");
    assert_eq!(guest.describe("any").await.expect("a manifest"), described);
}

#[tokio::test]
async fn a_wait_in_describe_ends_it() {
    let ended = Guest::load().describe("waits").await;
    assert!(
        matches!(ended, Err(Failure::ImportInDescribe(_))),
        "{ended:?}"
    );
}

#[tokio::test]
async fn what_a_guest_printed_before_it_trapped_in_describe_is_in_the_failure() {
    let ended = Guest::load().describe("panics").await;
    let words = ended.expect_err("it panics").to_string();
    assert!(
        words.ends_with("its last words: nobody\nknows why"),
        "{words}"
    );
}

/// Runs no app, and keeps what is logged.
#[derive(Default)]
struct Log(Mutex<Vec<(wit::Level, String)>>);

impl Log {
    fn lines(&self) -> Vec<(wit::Level, String)> {
        self.0.lock().expect("nobody panicked").clone()
    }
}

fn no_app<T: Send + 'static>() -> BoxFuture<'static, Result<T, wit::Error>> {
    Box::pin(ready(Err(wit::Error::Failed("there is no app".into()))))
}

impl Backend for Log {
    fn run(&self, _request: wit::Request) -> BoxFuture<'_, Result<wit::Answer, wit::Error>> {
        no_app()
    }

    fn start(&self, _request: wit::Request) -> BoxFuture<'_, Result<Box<dyn Run>, wit::Error>> {
        no_app()
    }

    fn resume(&self, _reply: wit::Reply) -> BoxFuture<'_, Result<Box<dyn Run>, wit::Error>> {
        no_app()
    }

    fn who(&self) -> wit::Caller {
        wit::Caller {
            name: String::new(),
            version: String::new(),
            principal: String::new(),
            extra: "{}".into(),
        }
    }

    fn progress(&self, _done: f64, _total: Option<f64>, _message: Option<String>) {}

    fn log(&self, level: wit::Level, data: &str) {
        let mut lines = self.0.lock().expect("nobody panicked");
        lines.push((level, data.to_owned()));
    }

    fn tell(&self, _level: wit::Level, _data: String) {}

    fn cut(&self, bound: Bound) {
        self.log(wit::Level::Warning, &format!("over its bound: {bound}"));
    }

    fn changed(&self, _what: wit::Change) {}

    fn cancelled(&self) -> bool {
        false
    }

    fn remaining(&self) -> Duration {
        Duration::MAX
    }
}
