//! A soak, short: nothing comes of calls that nobody asked for, and memory stays within bounds. `make bench` has the long
//! one.

use airlock_registry::Home;
use airlock_stand_in::{Options, SampleApp, StandIn};
use airlock_tests::Program;
use airlock_tests::soak::{self, Plan, Subject};

const APPS: usize = 50;

const PLAN: Plan = Plan {
    warm_up: 2_500,
    calls: 2_500,
    workers: 8,
    operation_every: 50,
    hostile_every: 100,
};

/// In per cent. So few calls do not tell a small leak from instances and components that are used for the first time: this
/// finds a large one, and the long soak judges.
const GROWTH: f64 = 40.0;

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_disturbed_calls_end_as_they_should() {
    let dify = StandIn::start(Options {
        connections: 256,
        ..Options::instant()
    })
    .await
    .expect("a Dify");
    let home = tempfile::tempdir().expect("a directory");
    let airlock = Program::new(home.path())
        .env("DIFY_URL", &dify.url())
        .env("AIRLOCK_DIFY_IN_FLIGHT", "64")
        .env("AIRLOCK_DIFY_PER_APP", "64")
        .env("AIRLOCK_GUEST_CPU", "50")
        .env("AIRLOCK_GUEST_MEMORY", "16")
        .env("AIRLOCK_HANGUP_GRACE", "1");
    let (server, _) = airlock.serve(&[]).await.expect("a server");
    let samples = SampleApp::ALL.iter().cycle().take(APPS);
    let subject = Subject {
        socket: Home::open(home.path()).expect("a home").socket(),
        process: server.process().expect("it runs"),
        keys: samples.map(|app| (*app, dify.another_key(*app))).collect(),
    };
    let soaked = soak::run(&subject, PLAN).await.expect("a soak");
    println!("{soaked:?}, grown by {:.1} %", soaked.growth());
    assert!(soaked.faults.is_empty(), "{:#?}", soaked.faults);
    for kind in ["answered", "contained", "left"] {
        assert!(soaked.answers.contains_key(kind), "{:?}", soaked.answers);
    }
    assert_eq!(soaked.operations.len(), 4, "{:?}", soaked.operations);
    assert!(
        soaked.growth() <= GROWTH,
        "memory grew by {:.1} %: {:?}",
        soaked.growth(),
        soaked.memory
    );
}
