//! A guest that misbehaves, one tool for each way; `behave` does what a good guest does.

use std::time::Duration;

use airlock_guest::{
    App, CallRequest, CallResult, Error, Guest, Manifest, Outcome, Schema, Tool, client, dify,
    export,
};

/// Misbehaves on request.
#[derive(Debug)]
pub struct Hostile;

export!(Hostile);

const WAYS: [&str; 8] = [
    "behave",
    "panic",
    "spin",
    "eat_memory",
    "recurse",
    "flood_log",
    "wait_long",
    "follow",
];

impl Guest for Hostile {
    fn describe(_: &App) -> Result<Manifest, Error> {
        let tool = |way: &&str| {
            Tool::new(*way, format!("Does this: {way}.")).input(Schema::object().open())
        };
        Ok(WAYS.iter().map(tool).fold(Manifest::new(), Manifest::tool))
    }

    fn call(_: &App, request: CallRequest) -> Result<Outcome, Error> {
        match request.tool.as_str() {
            "behave" => Ok(CallResult::text("good").into()),
            "panic" => panic!("as asked"),
            "spin" => loop {
                std::hint::spin_loop();
            },
            "eat_memory" => eat_memory(),
            "recurse" => Ok(CallResult::text(recurse(1).to_string()).into()),
            "flood_log" => {
                for _ in 0..10_000 {
                    client::log(
                        client::Level::Info,
                        "a line of some fifty characters, again and again",
                    );
                }
                Ok(CallResult::text("logged").into())
            }
            "wait_long" => {
                client::wait(Duration::from_secs(3_600));
                Ok(CallResult::text("waited").into())
            }
            // Starts the app, reads one event and keeps the run open for ever.
            "follow" => {
                let mut run = dify::start(&dify::Request::new().query("hello"))?;
                let _ = run.next();
                client::wait(Duration::from_secs(3_600));
                Ok(CallResult::text("followed").into())
            }
            other => Err(Error::UnknownTool(other.to_owned())),
        }
    }
}

fn eat_memory() -> ! {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(vec![1; 1 << 20]);
        std::hint::black_box(&hoard);
    }
}

#[expect(unconditional_recursion, reason = "that is the misbehaviour")]
fn recurse(depth: u64) -> u64 {
    let below = std::hint::black_box(recurse(std::hint::black_box(depth + 1)));
    below + std::hint::black_box(depth)
}
