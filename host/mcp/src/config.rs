//! Bounds and times, with defaults that suit long runs behind ordinary proxies.

use std::time::Duration;

/// What the protocol layer may spend on one client.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Bytes of one request's body; more is refused with 413. Default 4 MiB.
    pub body_cap: usize,
    /// The same where tools take files, which come as base64. Default 24 MiB: Dify takes documents of 15.
    pub file_body_cap: usize,
    /// Bodies over `body_cap` that are read at once; others wait, within `body_time`. Default 16.
    pub file_bodies: usize,
    /// How long a request's body may take to arrive; longer is refused with 408. Default 30 s.
    pub body_time: Duration,
    /// A call that ends within this time is answered as plain JSON; a longer one becomes an event stream, if the client
    /// reads those. Default 500 ms.
    pub grace: Duration,
    /// Silence on an event stream after which a comment goes out. Default 10 s: proxies cut connections after 60.
    pub comment_every: Duration,
    /// Sustained spacing of progress notifications of one call; a short burst may come quicker. Default 250 ms.
    pub progress_every: Duration,
    /// Silence after which a call repeats its last progress message with a slightly higher number. Default 5 s: clients'
    /// own timers are reset by progress, never by comments.
    pub heartbeat: Duration,
    /// How long a call goes on after its client hung up. Default 10 s. The specification says that a disconnect is no
    /// cancellation, but a result that nobody can fetch any more is not worth a run.
    pub hangup_grace: Duration,
    /// How long a cancelled call may take to wind down before it is dropped. Default 5 s.
    pub wind_down: Duration,
    /// How long a client may take to come back with answers to what a call asked. Default 15 minutes.
    pub answer_time: Duration,
    /// How long another replica may take to say that it waits for an answer that came here. Default 2 s.
    pub replica_time: Duration,
    /// A call that takes longer becomes a task, where the client follows tasks and the tool allows it. Default 500 ms.
    pub task_after: Duration,
    /// How long a task is kept from its beginning on. Default 24 hours.
    pub task_ttl: Duration,
    /// Bytes of one task's result; a task with a larger one has failed. Default 4 MiB.
    pub task_cap: usize,
    /// Calls that run at once, those that wind down or have lost their client included. Default 1,024.
    pub calls: usize,
    /// Calls that run at once in one session. Default 64.
    pub calls_per_session: usize,
    /// Streams on which clients listen for changes at once. Default 6,144.
    pub streams: usize,
    /// Streams on which one session listens at once. Default 4: one, and those of lost connections.
    pub streams_per_session: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            body_cap: 4 * 1024 * 1024,
            file_body_cap: 24 * 1024 * 1024,
            file_bodies: 16,
            body_time: Duration::from_secs(30),
            grace: Duration::from_millis(500),
            comment_every: Duration::from_secs(10),
            progress_every: Duration::from_millis(250),
            heartbeat: Duration::from_secs(5),
            hangup_grace: Duration::from_secs(10),
            wind_down: Duration::from_secs(5),
            answer_time: Duration::from_secs(15 * 60),
            replica_time: Duration::from_secs(2),
            task_after: Duration::from_millis(500),
            task_ttl: Duration::from_secs(24 * 60 * 60),
            task_cap: 4 * 1024 * 1024,
            calls: 1024,
            calls_per_session: 64,
            streams: 6144,
            streams_per_session: 4,
        }
    }
}
