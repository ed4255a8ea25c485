//! Files, in and out, across everything: caller, server, guest and Dify.

mod out;

use std::time::Duration;

use airlock::config::FileArgs;
use airlock::files::FetchedBy;
use airlock::ops::Operation;
use airlock_stand_in::{Options, SampleApp};
use airlock_tests::world::address;
use airlock_tests::{Post, World, WorldConfig};
use data_encoding::BASE64;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

const TOOL: &str = "file_clerk";

fn with(adjust: fn(&mut airlock::server::ServerConfig), dify: Options) -> WorldConfig {
    let apps = vec![SampleApp::FileClerk, SampleApp::PhotoChat];
    WorldConfig {
        dify: Options { apps, ..dify },
        adjust,
        ..WorldConfig::default()
    }
}

async fn world() -> World {
    started(|_| {}).await
}

async fn started(adjust: fn(&mut airlock::server::ServerConfig)) -> World {
    World::with(with(adjust, Options::instant()))
        .await
        .expect("a world")
}

async fn result(url: &str, tool: &str, arguments: Value) -> Value {
    let posted = Post::to(url).call(tool, arguments).send().await;
    let response = posted.expect("sent").response().await.expect("answered");
    assert!(response["result"].is_object(), "{response}");
    response["result"].clone()
}

fn text(result: &Value) -> String {
    let blocks = result["content"].as_array().expect("content");
    let texts = blocks.iter().filter_map(|block| block["text"].as_str());
    texts.collect::<Vec<_>>().join("\n")
}

async fn read(url: &str, uri: &str) -> Value {
    let posted = Post::to(url)
        .header("mcp-protocol-version", "2025-11-25")
        .rpc("resources/read", json!({"uri": uri}))
        .send();
    posted
        .await
        .expect("sent")
        .response()
        .await
        .expect("answered")
}

pub(crate) fn data(bytes: &[u8], name: &str) -> Value {
    json!({"data": BASE64.encode(bytes), "name": name})
}

/// A small web server on loopback: `/note.txt` is a text, `/away` leads to itself by another name of the same machine.
pub(crate) async fn web() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = service_fn(
                move |request: http::Request<hyper::body::Incoming>| async move {
                    let response = http::Response::builder();
                    match request.uri().path() {
                        "/note.txt" => response
                            .header("content-type", "text/plain")
                            .body(Full::from("a note")),
                        "/away.txt" => response
                            .status(302)
                            .header("location", format!("http://127.0.0.1:{port}/note.txt"))
                            .body(Full::default()),
                        _ => response.status(404).body(Full::<bytes::Bytes>::default()),
                    }
                },
            );
            let serving = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer);
            tokio::spawn(async move {
                // The client may leave at any time.
                let _ = serving.await;
            });
        }
    });
    port
}

fn by_airlock(server: &mut airlock::server::ServerConfig) {
    server.files.fetch = FetchedBy::Airlock;
}

pub(crate) fn to_localhost(server: &mut airlock::server::ServerConfig) {
    by_airlock(server);
    server.files.fetch_allow = vec!["localhost".parse().expect("a place")];
}

#[tokio::test]
async fn clients_see_something_to_fill_in_and_every_property_has_a_type() {
    let world = world().await;
    let url = world
        .publish(SampleApp::FileClerk)
        .await
        .expect("published");
    let posted = Post::to(&url)
        .rpc("tools/list", json!({}))
        .send()
        .await
        .expect("sent");
    let list = posted.response().await.expect("answered");
    let properties = &list["result"]["tools"][0]["inputSchema"]["properties"];
    assert_eq!(
        properties["doc"]["properties"]["url"]["type"], "string",
        "{list}"
    );
    assert_eq!(
        properties["docs"]["items"]["properties"]["data"]["type"],
        "string"
    );
    assert_eq!(properties["docs"]["maxItems"], 3);
    assert!(!list.to_string().contains("x-airlock-file"));
    let hello = Post::to(&url).initialize().send().await.expect("sent");
    let hello = hello.response().await.expect("answered");
    assert!(
        hello["result"]["capabilities"]["resources"].is_object(),
        "{hello}"
    );
}

#[tokio::test]
async fn a_file_in_base64_is_uploaded_and_its_handle_saves_sending_it_again() {
    let world = world().await;
    let url = world
        .publish(SampleApp::FileClerk)
        .await
        .expect("published");
    // Over the usual bound of a body.
    let large = vec![b'x'; 6 << 20];
    let first = result(&url, TOOL, json!({"doc": data(&large, "report.pdf")})).await;
    assert!(
        text(&first).contains("report.pdf: 6291456 bytes, document"),
        "{}",
        text(&first)
    );
    let seen = world.dify.seen();
    assert_eq!(seen.calls("/v1/files/upload"), 1);
    let run = seen.requests.back().expect("a run");
    assert_eq!(run.body["inputs"]["doc"]["transfer_method"], "local_file");

    let handle = &first["_meta"]["airlock/files"][0]["handle"];
    assert!(handle.is_string(), "{}", first["_meta"]);
    let second = result(&url, TOOL, json!({"doc": {"handle": handle}})).await;
    assert!(
        text(&second).contains("report.pdf: 6291456 bytes"),
        "{}",
        text(&second)
    );
    assert_eq!(
        world.dify.seen().calls("/v1/files/upload"),
        1,
        "it is there already"
    );
}

#[tokio::test]
async fn a_list_of_files_comes_in_its_order_and_by_every_way() {
    let world = world().await;
    let url = world
        .publish(SampleApp::FileClerk)
        .await
        .expect("published");
    let docs = json!([
        data(b"one", "one.txt"),
        "https://example.com/two.pdf",
        "data:text/csv;name=three.csv;base64,YSxi",
    ]);
    let told = text(&result(&url, TOOL, json!({"docs": docs, "doc": null})).await);
    let at = |words: &str| {
        told.find(words)
            .unwrap_or_else(|| panic!("{words} in {told}"))
    };
    assert!(at("one.txt: 3 bytes, document") < at("https://example.com/two.pdf"));
    assert!(at("https://example.com/two.pdf") < at("three.csv: 3 bytes, document"));
}

#[tokio::test]
async fn an_address_is_dify_s_to_fetch_or_this_server_s_as_the_operator_decides() {
    let port = web().await;
    let note = format!("http://localhost:{port}/note.txt");
    let dify = world().await;
    let url = dify.publish(SampleApp::FileClerk).await.expect("published");
    assert!(text(&result(&url, TOOL, json!({"doc": {"url": note}})).await).contains(&note));
    assert_eq!(dify.dify.seen().calls("/v1/files/upload"), 0);

    let airlock = started(to_localhost).await;
    let url = airlock
        .publish(SampleApp::FileClerk)
        .await
        .expect("published");
    let told = text(&result(&url, TOOL, json!({"doc": {"url": note}})).await);
    assert!(told.contains("note.txt: 6 bytes, document"), "{told}");
    assert_eq!(airlock.dify.seen().calls("/v1/files/upload"), 1);
}

#[tokio::test]
async fn a_private_place_is_refused_by_number_by_name_and_behind_a_redirect() {
    let port = web().await;
    let closed = started(by_airlock).await;
    let url = closed
        .publish(SampleApp::FileClerk)
        .await
        .expect("published");
    let open = started(to_localhost).await;
    let redirected = open.publish(SampleApp::FileClerk).await.expect("published");
    for (url, address) in [
        (&url, format!("http://127.0.0.1:{port}/note.txt")),
        (&url, format!("http://localhost:{port}/note.txt")),
        (&url, format!("http://[::ffff:127.0.0.1]:{port}/note.txt")),
        (&redirected, format!("http://localhost:{port}/away.txt")),
    ] {
        let refused = result(url, TOOL, json!({"doc": {"url": address}})).await;
        assert_eq!(refused["isError"], true, "{address}");
        assert!(
            text(&refused)
                .contains("`doc` cannot be fetched: its address leads to a private network"),
            "{refused}"
        );
    }
    for world in [closed, open] {
        assert_eq!(world.dify.seen().calls("/v1/workflows/run"), 0);
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_dify_hears_nothing_of_ten_callers() {
    let world = world().await;
    let url = world
        .publish(SampleApp::FileClerk)
        .await
        .expect("published");
    let before = world.dify.seen().request_count;
    let bad = [
        (
            json!({"doc": data(b"x", "song.mp3")}),
            "`doc` takes document, image, not an audio",
        ),
        (
            json!({"doc": data(&vec![0; (15 << 20) + 1], "a.pdf")}),
            "`doc` has 16 MiB, and 15 MiB are the most for a document",
        ),
        (
            json!({"doc": data(&vec![0; (10 << 20) + 1], "a.png")}),
            "`doc` has 11 MiB, and 10 MiB are the most for an image",
        ),
        (
            json!({"docs": ["https://a.example/1.txt", "https://a.example/2.txt", "https://a.example/3.txt", "https://a.example/4.txt"]}),
            "`docs` takes 3 files at most, not 4",
        ),
        (
            json!({"doc": "report.pdf"}),
            "`doc` is no http or https address",
        ),
        (
            json!({"doc": {"url": "file:///etc/passwd"}}),
            "`doc.url` is no http or https address",
        ),
        (
            json!({"doc": 5}),
            "`doc` must be an object with one of url, data and handle, not a number",
        ),
        (
            json!({"doc": {"data": "%", "name": "a.txt"}}),
            "`doc.data` is no base64",
        ),
        (
            json!({"doc": {"handle": "airlock-file:AAAA"}}),
            "`doc` is a handle that means nothing here",
        ),
        (json!({"doc": data(b"x", "a.txt"), "make": 5}), "make"),
    ];
    let calls = bad.map(|(arguments, words)| {
        let url = url.clone();
        tokio::spawn(async move {
            let refused = result(&url, TOOL, arguments).await;
            assert_eq!(refused["isError"], true);
            assert!(
                text(&refused).contains(words),
                "{} in {}",
                words,
                text(&refused)
            );
        })
    });
    for call in calls {
        call.await.expect("refused in these words");
    }
    assert_eq!(world.dify.seen().request_count, before, "not one request");
}

#[tokio::test]
async fn a_body_over_the_bound_is_refused_where_files_are_taken() {
    let world = world().await;
    let url = world
        .publish(SampleApp::FileClerk)
        .await
        .expect("published");
    let posted = Post::to(&url)
        .body(vec![b' '; (24 << 20) + 1])
        .send()
        .await
        .expect("sent");
    assert_eq!(posted.status, 413);
}

#[tokio::test]
async fn a_chat_looks_at_files_beside_its_form_and_its_own_link_becomes_a_file() {
    let world = world().await;
    let url = world
        .publish(SampleApp::PhotoChat)
        .await
        .expect("published");
    let files = json!([data(b"\x89PNG", "cat.png")]);
    let answer = result(
        &url,
        "photo_chat",
        json!({"query": "What is it?", "files": files}),
    )
    .await;
    let told = text(&answer);
    assert!(
        told.starts_with("I saw cat.png: 4 bytes, image: [sketch]"),
        "{told}"
    );
    let whole = answer.to_string();
    assert!(
        !whole.contains("sign=") && !whole.contains("/files/tools"),
        "{whole}"
    );
    let resource = &answer["content"][1]["resource"];
    assert_eq!(resource["text"], "a sketch", "{answer}");
    let wrong = json!({"query": "?", "files": [data(b"x", "a.txt")]});
    let refused = result(&url, "photo_chat", wrong).await;
    assert!(
        text(&refused).contains("`files[0]` takes image, not a document"),
        "{refused}"
    );
}
