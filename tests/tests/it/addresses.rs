//! Addresses that lead nowhere, and paths that are none.

use airlock::ops::Operation;
use airlock_stand_in::SampleApp;
use airlock_tests::{Post, World};
use http::{Method, StatusCode};
use serde_json::json;

/// An answer without its date, which alone may differ.
async fn answer(post: Post) -> (StatusCode, Vec<(String, Vec<u8>)>, Vec<u8>) {
    let posted = post.send().await.expect("an answer");
    let headers = posted
        .headers
        .iter()
        .filter(|(name, _)| name.as_str() != "date")
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_owned()))
        .collect();
    let status = posted.status;
    (status, headers, posted.bytes().await.expect("a body"))
}

/// The address with one character of its code changed.
fn unknown(url: &str) -> String {
    let code = code(url);
    let last = if code.ends_with('a') { 'b' } else { 'a' };
    url.replace(code, &format!("{}{last}", &code[..code.len() - 1]))
}

fn code(url: &str) -> &str {
    url.split('/').nth_back(1).expect("…/server/CODE/mcp")
}

/// A way to ask, with its name.
type Ask = (&'static str, fn(Post) -> Post);

fn list(url: &str) -> Post {
    Post::to(url).rpc("tools/list", json!({}))
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_replaced_disabled_and_removed_addresses_are_told_apart_by_nobody() {
    let world = World::start().await.expect("a world");
    let publish = async |app| world.publish(app).await.expect("published");
    let replaced = publish(SampleApp::TravelChat).await;
    let disabled = publish(SampleApp::WordCounter).await;
    let removed = publish(SampleApp::SupportDesk).await;
    let good = publish(SampleApp::WeeklyReport).await;
    for operation in [
        Operation::Regenerate {
            app: "travel-chat".into(),
        },
        Operation::Disable {
            app: "word-counter".into(),
        },
        Operation::Remove {
            app: "support-desk".into(),
        },
    ] {
        world.ask(operation).await.expect("done");
    }
    let origin = good
        .split_once("/server")
        .expect("…/server/CODE/mcp")
        .0
        .to_owned();
    let dead = [
        unknown(&good),
        replaced,
        disabled,
        removed,
        format!("{origin}/server/x/mcp"),
        format!("{origin}/server/{}/mcp", "x".repeat(4_000)),
        format!("{origin}/"),
    ];
    let asks: [Ask; 6] = [
        ("POST of a list", |post| post.rpc("tools/list", json!({}))),
        ("POST of a call in a session", |post| {
            post.session("AAAA").call("travel_chat", json!({}))
        }),
        ("POST of no JSON", |post| {
            post.header("content-type", "text/plain").body("{")
        }),
        ("GET", |post| post.method(Method::GET)),
        ("DELETE", |post| post.session("AAAA").method(Method::DELETE)),
        ("OPTIONS", |post| post.method(Method::OPTIONS)),
    ];
    for (what, ask) in asks {
        let first = answer(ask(Post::to(&dead[0]))).await;
        assert_eq!(first.0, StatusCode::NOT_FOUND, "{what}");
        for url in &dead[1..] {
            assert_eq!(answer(ask(Post::to(url))).await, first, "{what}: {url}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_host_or_origin_tells_nothing_of_the_address() {
    let world = World::start().await.expect("a world");
    let good = world
        .publish(SampleApp::TravelChat)
        .await
        .expect("published");
    for (header, value, setting) in [
        ("host", "evil.example", "AIRLOCK_ALLOWED_HOSTS"),
        ("origin", "https://evil.example", "AIRLOCK_ALLOWED_ORIGINS"),
    ] {
        let refused = answer(list(&good).header(header, value)).await;
        assert_eq!(refused.0, StatusCode::FORBIDDEN);
        assert!(String::from_utf8_lossy(&refused.2).contains(setting));
        assert_eq!(
            answer(list(&unknown(&good)).header(header, value)).await,
            refused
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_wrong_addresses_is_held_back_and_a_right_one_is_served_meanwhile() {
    let world = World::start().await.expect("a world");
    let good = world
        .publish(SampleApp::TravelChat)
        .await
        .expect("published");
    let wrong = unknown(&good);
    let mut connection = list(&wrong).connect().await.expect("the server listens");
    let mut answered = 0;
    let held_back = loop {
        let posted = list(&wrong)
            .send_on(&mut connection)
            .await
            .expect("an answer");
        match posted.status {
            StatusCode::NOT_FOUND => {
                answered += 1;
                posted.bytes().await.expect("a body");
            }
            StatusCode::TOO_MANY_REQUESTS => break posted,
            other => panic!("{other}"),
        }
        assert!(answered < 2_000, "nothing holds the flood back");
    };
    println!("held back after {answered} answers");
    assert!(answered >= 100, "a burst of mistakes is nobody's attack");
    assert!(held_back.headers.contains_key("retry-after"));

    for _ in 0..20 {
        // The flood goes on between.
        list(&wrong).send().await.expect("an answer");
        let posted = list(&good).send().await.expect("an answer");
        assert_eq!(posted.status, StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_path_as_it_was_printed_leads_to_an_app() {
    let world = World::start().await.expect("a world");
    let good = world
        .publish(SampleApp::TravelChat)
        .await
        .expect("published");
    let (origin, _) = good.split_once("/server").expect("…/server/CODE/mcp");
    let code = code(&good);
    let status = async |path: String| {
        let post = list(&format!("{origin}{path}"));
        post.send().await.expect("an answer").status
    };
    // Dify joins base and path in its own way, and some clients add a query.
    for served in [
        format!("/server/{code}/mcp"),
        format!("/server/{code}/mcp/"),
        format!("/server/{code}/mcp?session=1"),
    ] {
        assert_eq!(status(served).await, StatusCode::OK);
    }
    let escaped = format!("%{:02X}{}", code.as_bytes()[0], &code[1..]);
    for none in [
        format!("/server/{escaped}/mcp"),
        format!("/server/{}/mcp", code.to_uppercase()),
        format!("/server/{code}x/mcp"),
        format!("/server/{code}"),
        format!("/server/{code}/sse"),
        format!("/server/{code}/mcp/x"),
        format!("/Server/{code}/mcp"),
        format!("//server/{code}/mcp"),
        format!("/x/../server/{code}/mcp"),
        format!("/{code}"),
        format!("/server//mcp?{code}"),
        "/server/%00/mcp".to_owned(),
        "/api/v1/apps".to_owned(),
    ] {
        assert_eq!(status(none.clone()).await, StatusCode::NOT_FOUND, "{none}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_said_to_whoever_asks_in_the_right_way() {
    let world = World::start().await.expect("a world");
    let origin = format!("http://{}", world.server.address);
    for path in ["/livez", "/readyz"] {
        let get = Post::to(&format!("{origin}{path}")).method(Method::GET);
        // An orchestrator asks by the pod's address.
        let (status, _, body) = answer(get.clone().header("host", "10.0.0.7")).await;
        assert_eq!((status, body.as_slice()), (StatusCode::OK, &b"ok\n"[..]));
        assert_eq!(
            answer(get.clone().method(Method::HEAD)).await.0,
            StatusCode::OK
        );
        assert_eq!(
            answer(get.method(Method::POST)).await.0,
            StatusCode::NOT_FOUND
        );
    }
    // Dify being away takes nothing from readiness: lists still answer.
    world.dify.down().await;
    let ready = Post::to(&format!("{origin}/readyz")).method(Method::GET);
    assert_eq!(answer(ready).await.0, StatusCode::OK);
}
