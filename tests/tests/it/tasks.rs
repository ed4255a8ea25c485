//! Calls that outlive their request, and their server.

use airlock::config::{FileArgs, GuestArgs, LimitArgs};
use airlock::ops::Operation;
use airlock::server::{Server, ServerConfig};
use airlock_stand_in::SampleApp;
use airlock_tests::World;
use airlock_tests::guests::component;
use airlock_tests::world::address;
use serde_json::json;

use crate::offers::{result, result_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_ran_when_the_server_died_has_failed_and_says_so() {
    const TOOL: &str = "slow_compute";
    let world = World::start().await.expect("a world");
    let fixtures = Some(component("airlock-guest-conformance"));
    let slug = world
        .add(SampleApp::TravelChat, fixtures)
        .await
        .expect("added")
        .slug;
    let enable = Operation::Enable { app: slug.clone() };
    let url = address(world.ask(enable).await.expect("enabled")).expect("an address");
    let tasks = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    let call = json!({"name": TOOL, "arguments": {"seconds": 300}});
    let task = result_of(&url, "tools/call", Some(TOOL), call, &tasks).await;
    assert_eq!(task["resultType"], "task", "{task}");
    let id = task["taskId"].as_str().expect("an id");

    // The files as a crash at this moment would leave them, under a server that knows nothing else.
    let image = tempfile::tempdir().expect("a temporary directory");
    for file in std::fs::read_dir(world.home()).expect("our own directory") {
        let file = file.expect("our own directory");
        if file.file_type().is_ok_and(|kind| kind.is_file()) {
            std::fs::copy(file.path(), image.path().join(file.file_name())).expect("our own file");
        }
    }
    let server = Server::start(ServerConfig {
        home: image.path().to_owned(),
        listen: "127.0.0.1:0".parse().expect("an address"),
        public_url: None,
        host_url: None,
        inside_url: None,
        allowed_origins: Vec::new(),
        allowed_hosts: Vec::new(),
        dify: None,
        master_key_file: None,
        program: "airlock".into(),
        mcp: LimitArgs::default().mcp(),
        limits: LimitArgs::default(),
        files: FileArgs::default(),
        guests: GuestArgs::default(),
        compiler: None,
    })
    .await
    .expect("a server on the copy");
    let show = Operation::Show {
        app: slug,
        reveal: true,
    };
    let shown = server.operations.execute(show).await.expect("it is there");
    let url = address(shown).expect("an address");
    let params = json!({"taskId": id});
    let found = result_of(&url, "tasks/get", Some(id), params.clone(), &tasks).await;
    assert_eq!(found["status"], "failed", "{found}");
    let words = found["error"]["message"].as_str().unwrap_or_default();
    assert!(words.contains("restarted"), "{words}");

    let params = json!({"name": "greet", "arguments": {"name": "Ada"}});
    let greeted = result(&url, "tools/call", Some("greet"), params).await;
    assert_eq!(greeted["content"][0]["text"], "Hello, Ada!");
}
