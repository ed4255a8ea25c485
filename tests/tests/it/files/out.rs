//! Files that an app made.

use super::*;

#[tokio::test]
async fn a_picture_comes_as_a_picture_and_a_document_as_a_link_that_reads_the_same() {
    let world = world().await;
    let url = world
        .publish(SampleApp::FileClerk)
        .await
        .expect("published");
    let answer = result(&url, TOOL, json!({"make": "png pdf txt"})).await;
    let whole = answer.to_string();
    assert!(
        !whole.contains("sign=") && !whole.contains("airlock-ref"),
        "{whole}"
    );
    let content = answer["content"].as_array().expect("content");
    let kinds: Vec<&str> = content
        .iter()
        .filter_map(|block| block["type"].as_str())
        .collect();
    assert_eq!(
        kinds,
        ["text", "image", "resource_link", "resource"],
        "{answer}"
    );
    assert_eq!(content[1]["mimeType"], "image/png");
    let picture = BASE64.decode(content[1]["data"].as_str().expect("data").as_bytes());
    assert!(picture.expect("base64").starts_with(b"\x89PNG"));
    assert_eq!(content[3]["resource"]["text"], "a short note");
    assert_eq!(
        answer["structuredContent"]["made"][1]["filename"],
        "report.pdf"
    );

    let link = &content[2];
    assert_eq!(
        (&link["name"], &link["size"]),
        (&json!("report.pdf"), &json!(40_000))
    );
    let uri = link["uri"].as_str().expect("a uri");
    let contents = read(&url, uri).await["result"]["contents"][0].clone();
    assert_eq!(
        (contents["uri"].as_str(), contents["mimeType"].as_str()),
        (Some(uri), Some("application/pdf"))
    );
    let bytes = BASE64
        .decode(contents["blob"].as_str().expect("a blob").as_bytes())
        .expect("base64");
    assert_eq!(bytes, vec![b'%'; 40_000]);

    // An output goes in again, as another app's never does.
    let again = result(&url, TOOL, json!({"doc": {"handle": uri}})).await;
    assert!(
        text(&again).contains("report.pdf: 40000 bytes, document"),
        "{again}"
    );
    let other = world
        .publish(SampleApp::PhotoChat)
        .await
        .expect("published");
    assert!(read(&other, uri).await["error"].is_object());

    let slug = Operation::Regenerate {
        app: "file-clerk".into(),
    };
    let new = address(world.ask(slug).await.expect("regenerated")).expect("an address");
    assert!(
        read(&new, uri).await["error"].is_object(),
        "it died with the address"
    );
    let refused = result(&new, TOOL, json!({"doc": {"handle": uri}})).await;
    assert!(
        text(&refused).contains("is a handle that means nothing here"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_film_is_kept_to_be_read_and_one_over_the_bound_is_told_in_words() {
    let world = world().await;
    let url = world
        .publish(SampleApp::FileClerk)
        .await
        .expect("published");
    let answer = result(&url, TOOL, json!({"make": "big"})).await;
    assert_eq!(answer["content"][1]["type"], "resource_link", "{answer}");
    assert_eq!(answer["content"][1]["size"], 3 << 20);

    let small = started(|server| {
        server.files = FileArgs {
            read_limit: 1,
            ..FileArgs::default()
        }
    })
    .await;
    let url = small
        .publish(SampleApp::FileClerk)
        .await
        .expect("published");
    let answer = result(&url, TOOL, json!({"make": "big txt"})).await;
    assert_eq!(answer["isError"], false);
    assert!(
        text(&answer).contains("The file film.mp4 is not here: it has more than 1 MiB, which is the most that this server hands on"),
        "{answer}"
    );
    assert_eq!(
        answer["content"][2]["resource"]["text"], "a short note",
        "the rest is there"
    );
}

#[tokio::test]
async fn a_file_whose_address_has_expired_is_a_sentence_and_no_failure() {
    let dify = Options {
        file_ttl: Duration::ZERO,
        ..Options::instant()
    };
    let world = World::with(with(|_| {}, dify)).await.expect("a world");
    let url = world
        .publish(SampleApp::FileClerk)
        .await
        .expect("published");
    let answer = result(&url, TOOL, json!({"make": "png"})).await;
    assert_eq!(answer["isError"], false);
    assert!(
        text(&answer).contains("The file chart.png is not here: its address in Dify has expired"),
        "{answer}"
    );
}

#[tokio::test]
async fn what_is_kept_lies_sealed_in_the_home_and_is_gone_with_the_server() {
    let world = world().await;
    let url = world
        .publish(SampleApp::FileClerk)
        .await
        .expect("published");
    let answer = result(&url, TOOL, json!({"make": "pdf"})).await;
    let uri = answer["content"][1]["uri"]
        .as_str()
        .expect("a uri")
        .to_owned();
    let spool = world.home().join("spool");
    let files: Vec<_> = std::fs::read_dir(&spool)
        .expect("it is there")
        .flatten()
        .collect();
    assert_eq!(files.len(), 1);
    let sealed = std::fs::read(files[0].path()).expect("readable");
    assert!(!sealed.windows(8).any(|part| part == b"%%%%%%%%"));
    let world = world.restart().await.expect("it comes back");
    assert_eq!(std::fs::read_dir(&spool).expect("it is there").count(), 0);
    let show = Operation::Show {
        app: "file-clerk".into(),
        reveal: true,
    };
    let url = address(world.ask(show).await.expect("shown")).expect("an address");
    assert!(read(&url, &uri).await["error"].is_object());
}

#[tokio::test]
async fn a_file_that_lies_elsewhere_is_fetched_from_there_where_this_server_may_go() {
    let port = web().await;
    let make = async |url: &str, name: &str| {
        let make = format!("away http://localhost:{port}/{name}");
        let answer = result(url, TOOL, json!({"make": make})).await;
        let whole = answer.to_string();
        assert_eq!(answer["isError"], false, "{answer}");
        assert!(!whole.contains("localhost"), "no address: {whole}");
        answer
    };
    let open = started(to_localhost).await;
    let url = open.publish(SampleApp::FileClerk).await.expect("published");
    let answer = make(&url, "note.txt").await;
    assert_eq!(answer["content"][1]["resource"]["text"], "a note");
    let made = &answer["structuredContent"]["made"][0];
    assert_eq!(made["filename"], "note.txt", "{answer}");
    let answer = make(&url, "none.txt").await;
    let words = "The file none.txt is not here: its address answers with status 404";
    assert!(text(&answer).contains(words), "{answer}");

    let closed = world().await;
    let url = closed.publish(SampleApp::FileClerk).await;
    let answer = make(&url.expect("published"), "note.txt").await;
    let words = "The file note.txt is not here: its address leads to a private network";
    assert!(text(&answer).contains(words), "{answer}");
}
