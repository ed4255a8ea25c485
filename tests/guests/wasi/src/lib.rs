//! A guest that asks WASI for what no guest has, one tool for each thing. There is nothing of it natively.
#![cfg(target_family = "wasm")]

use airlock_guest::{
    App, CallRequest, CallResult, Error, Guest, Manifest, Outcome, Schema, Tool, Value, export,
    json,
};

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "wasi", generate_all });
}

use bindings::wasi::cli::{environment, exit, stderr, stdin, stdout, terminal_stdout};
use bindings::wasi::clocks::{monotonic_clock, wall_clock};
use bindings::wasi::filesystem::preopens;
use bindings::wasi::io::poll;
use bindings::wasi::random::random;
use bindings::wasi::sockets::instance_network;

/// Looks around on request.
#[derive(Debug)]
pub struct Wasi;

export!(Wasi);

const WAYS: [&str; 10] = [
    "look", "read", "print", "flood", "exit", "clocks", "wait", "draw", "hoard", "connect",
];

impl Guest for Wasi {
    /// What clocks and chance say stands in the description, where everybody can compare it.
    fn describe(app: &App) -> Result<Manifest, Error> {
        match app.name.as_str() {
            "waits" => monotonic_clock::subscribe_duration(1).block(),
            "panics" => {
                print(&stderr::get_stderr(), "nobody\nknows why");
                panic!("as asked");
            }
            _ => {}
        }
        let wall = wall_clock::now();
        let seen = json!([
            monotonic_clock::now(),
            wall.seconds,
            wall.nanoseconds,
            random::get_random_u64(),
            random::get_random_bytes(3),
        ]);
        let tool = |way: &&str| Tool::new(*way, seen.to_string()).input(Schema::object().open());
        Ok(WAYS.iter().map(tool).fold(Manifest::new(), Manifest::tool))
    }

    fn call(_: &App, request: CallRequest) -> Result<Outcome, Error> {
        let number = request.arguments.get("number").and_then(Value::as_u64);
        let number = number.unwrap_or_default();
        let said = match request.tool.as_str() {
            "look" => json!({
                "environment": environment::get_environment(),
                "arguments": environment::get_arguments(),
                "directory": environment::initial_cwd(),
                "preopens": preopens::get_directories().len(),
                "terminal": terminal_stdout::get_terminal_stdout().is_some(),
            }),
            "read" => json!(stdin::get_stdin().blocking_read(1).is_err()),
            "print" => {
                print(&stdout::get_stdout(), "one\ntw");
                print(&stderr::get_stderr(), "three\n");
                print(&stdout::get_stdout(), "o\n\nand \"more\"");
                json!("printed")
            }
            "flood" => {
                let line = "a line of some fifty characters, again and again\n".repeat(80);
                for _ in 0..100 {
                    print(&stdout::get_stdout(), &line);
                }
                json!("printed")
            }
            "exit" => {
                exit::exit(Ok(()));
                json!("still here")
            }
            "clocks" => json!([monotonic_clock::now(), wall_clock::now().seconds]),
            "wait" => {
                let long = monotonic_clock::subscribe_duration(u64::MAX);
                let short = monotonic_clock::subscribe_duration(number);
                json!(poll::poll(&[&long, &short]))
            }
            "draw" => json!(random::get_random_bytes(number)),
            "hoard" => {
                let hoard: Vec<_> = (0..number)
                    .map(|_| monotonic_clock::subscribe_duration(0))
                    .collect();
                json!(hoard.iter().all(poll::Pollable::ready))
            }
            "connect" => json!(instance_network::instance_network().handle()),
            other => return Err(Error::UnknownTool(other.to_owned())),
        };
        Ok(CallResult::text(said.to_string()).into())
    }
}

fn print(stream: &stdout::OutputStream, text: &str) {
    stream
        .blocking_write_and_flush(text.as_bytes())
        .expect("a stream takes everything");
}
