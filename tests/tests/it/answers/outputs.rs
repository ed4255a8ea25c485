//! A workflow's outputs and an output schema: given by the operator, learnt, kept and not kept.

use airlock::ops::{AppView, Change, Learnt, Operation, Reply, Words};
use airlock_stand_in::{Behaviour, Canned, SampleApp};
use airlock_tests::{Post, World};
use serde_json::{Map, Value, json};

use super::{legacy, modern, result, text};
use crate::offers::ask;

const APP: SampleApp = SampleApp::WeeklyReport;
const SLUG: &str = "weekly-report";
const TOOL: &str = "weekly_report";

fn arguments() -> Value {
    json!({"title": "Week 1", "notes": "Shipped it", "audience": "team"})
}

/// The same call in both eras.
async fn called(url: &str) -> [Value; 2] {
    [
        result(legacy(url, TOOL, arguments(), json!({}))).await,
        result(modern(url, TOOL, arguments(), json!({}))).await,
    ]
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

async fn give(
    world: &World,
    schema: Change<Map<String, Value>>,
) -> Result<Reply, airlock::ops::OpError> {
    let words = Words {
        output_schema: schema,
        ..Words::default()
    };
    world
        .ask(Operation::Describe {
            app: SLUG.into(),
            words,
        })
        .await
}

/// The tool's output schema as a client of this version lists it.
async fn listed(url: &str, version: &str) -> Value {
    let list = if version == "2026-07-28" {
        ask(url, "tools/list", None, json!({})).await
    } else {
        let list = Post::to(url).header("mcp-protocol-version", version);
        let list = list.rpc("tools/list", json!({})).send().await;
        list.expect("an answer")
    };
    let list = list.response().await.expect("a list");
    assert_eq!(list["result"]["tools"][0]["name"], TOOL, "{list}");
    list["result"]["tools"][0]["outputSchema"].clone()
}

async fn show(world: &World) -> AppView {
    let show = Operation::Show {
        app: SLUG.into(),
        reveal: false,
    };
    match world.ask(show).await.expect("it is there") {
        Reply::App { app } => app,
        other => panic!("{other:?}"),
    }
}

async fn learn(world: &World, publish: bool) -> Learnt {
    let learn = Operation::Learn {
        app: SLUG.into(),
        publish,
    };
    match world.ask(learn).await.expect("something is learnt") {
        Reply::Learnt { learnt, .. } => learnt,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_output_schema_is_listed_and_kept() {
    let world = World::start().await.expect("a world");
    let url = world.publish(APP).await.expect("published");
    assert!(listed(&url, "2026-07-28").await.is_null());
    let schema = json!({
        "type": "object", "properties": {"report": {"type": "string"}}, "required": ["report"],
    });
    give(&world, Change::Set(object(schema.clone())))
        .await
        .expect("a good schema");
    for version in ["2026-07-28", "2025-11-25", "2025-06-18"] {
        assert_eq!(listed(&url, version).await, schema, "{version}");
    }
    assert!(listed(&url, "2025-03-26").await.is_null());
    for result in called(&url).await {
        assert_ne!(result["isError"], true, "{result}");
        assert!(
            result["structuredContent"]["report"].is_string(),
            "{result}"
        );
    }
    give(&world, Change::Clear).await.expect("taken back");
    assert!(listed(&url, "2025-11-25").await.is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_does_not_fit_the_operators_schema_is_an_error_with_what_the_app_said() {
    let world = World::start().await.expect("a world");
    let url = world.publish(APP).await.expect("published");
    let schema = json!({"type": "object", "properties": {"report": {"type": "number"}}});
    give(&world, Change::Set(object(schema.clone())))
        .await
        .expect("a good schema");
    for result in called(&url).await {
        assert_eq!(result["isError"], true, "{result}");
        assert!(result.get("structuredContent").is_none(), "{result}");
        let said = text(&result);
        assert!(said.starts_with("The app has run, but"), "{said}");
        assert!(
            said.contains("# Week 1") && said.contains("- Shipped it"),
            "{said}"
        );
    }
    assert_eq!(
        listed(&url, "2025-11-25").await,
        schema,
        "it is the operator's to change"
    );
    // A run that failed has nothing to keep.
    world.dify.set(APP, Behaviour::Fail);
    for result in called(&url).await {
        let said = text(&result);
        assert!(
            said.contains("The app failed while it ran") && !said.contains("has run, but"),
            "{said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_cannot_be_one_is_refused_and_changes_nothing() {
    let world = World::start().await.expect("a world");
    let url = world.publish(APP).await.expect("published");
    for (schema, words) in [
        (json!({"type": "array"}), "must be \"object\""),
        (
            json!({"type": "object", "properties": {"a": {"type": "text"}}}),
            "not usable",
        ),
        (
            json!({"type": "object", "$ref": "http://127.0.0.1:1/x"}),
            "not usable",
        ),
    ] {
        let refused = give(&world, Change::Set(object(schema))).await;
        let refused = refused.expect_err("no schema to promise").to_string();
        assert!(
            refused.contains(words) && refused.contains(TOOL),
            "{refused}"
        );
    }
    assert!(listed(&url, "2026-07-28").await.is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_learnt_from_runs_promised_when_asked_for_and_withdrawn_when_it_does_not_hold()
{
    let world = World::start().await.expect("a world");
    let url = world.publish(APP).await.expect("published");
    let early = Operation::Learn {
        app: SLUG.into(),
        publish: true,
    };
    let early = world
        .ask(early)
        .await
        .expect_err("nothing has run")
        .to_string();
    assert!(
        early.contains("keeps 0 runs") && early.contains("3 are needed"),
        "{early}"
    );
    called(&url).await;
    world.dify.set(APP, Behaviour::Fail);
    called(&url).await;
    world.dify.set(APP, Behaviour::PartialSuccess);
    called(&url).await;
    world.dify.set(APP, Behaviour::Normal);

    let learnt = learn(&world, false).await;
    assert_eq!(
        (learnt.tool.as_str(), learnt.runs, learnt.published),
        (TOOL, 4, false)
    );
    let properties = &learnt.schema["properties"];
    assert_eq!(properties["report"], json!({"type": "string"}));
    assert_eq!(
        properties["highlights"],
        json!({"type": "array", "items": {"type": "string"}})
    );
    assert!(
        listed(&url, "2026-07-28").await.is_null(),
        "it was only shown"
    );

    let wanted = json!({"notifications": {"toolsListChanged": true}});
    let mut stream = ask(&url, "subscriptions/listen", None, wanted).await;
    let mut heard = async || {
        let message = stream.next().await.expect("a sound stream");
        message.expect("the stream goes on")["method"].clone()
    };
    assert_eq!(heard().await, "notifications/subscriptions/acknowledged");
    let learnt = learn(&world, true).await;
    assert!(learnt.published);
    assert_eq!(heard().await, "notifications/tools/list_changed");
    assert_eq!(
        listed(&url, "2025-11-25").await,
        Value::Object(learnt.schema)
    );
    assert!(show(&world).await.tools[0].output_learnt);
    for result in called(&url).await {
        assert_ne!(result["isError"], true, "{result}");
    }

    let data = json!({"status": "succeeded", "outputs": {"report": 5}});
    let ended = json!({"event": "workflow_finished", "task_id": "t-1", "data": data});
    let other = Canned::events([format!("data: {ended}\n\n")]);
    world.dify.set(APP, Behaviour::Canned(other));
    let first = result(legacy(&url, TOOL, arguments(), json!({}))).await;
    assert_eq!(first["isError"], true, "{first}");
    assert!(text(&first).contains("\"report\": 5"), "{first}");
    assert_eq!(heard().await, "notifications/tools/list_changed");
    for version in ["2026-07-28", "2025-11-25"] {
        assert!(listed(&url, version).await.is_null(), "{version}");
    }
    for result in called(&url).await {
        assert_ne!(
            result["isError"], true,
            "nothing is promised any more: {result}"
        );
        assert_eq!(result["structuredContent"], json!({"report": 5}));
    }
    let app = show(&world).await;
    assert!(!app.tools[0].output_learnt);
    assert!(
        app.notes.iter().any(|note| note.contains("withdrawn")),
        "{:?}",
        app.notes
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_workflow_of_the_built_in_guest_is_learnt_from() {
    let world = World::start().await.expect("a world");
    world.add(SampleApp::TravelChat, None).await.expect("added");
    let learn = Operation::Learn {
        app: "travel-chat".into(),
        publish: false,
    };
    let refused = world.ask(learn).await.expect_err("a chat has no outputs");
    assert!(refused.to_string().contains("workflow"), "{refused}");
    let guest = airlock_tests::guests::component("airlock-guest-hostile");
    world.add(APP, Some(guest)).await.expect("added");
    let learn = Operation::Learn {
        app: SLUG.into(),
        publish: false,
    };
    let refused = world
        .ask(learn)
        .await
        .expect_err("its results are the guest's");
    assert!(refused.to_string().contains("guest"), "{refused}");
}
