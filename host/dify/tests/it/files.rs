//! Files on their way to Dify and back, with the answers that were recorded.

use airlock_dify::{Bound, Error, NoDownload, Upload};
use bytes::Bytes;

use crate::server::{Reply, Server, Then, json};

fn note() -> Upload {
    Upload {
        name: "note.txt".to_owned(),
        mime_type: "text/plain".to_owned(),
        bytes: Bytes::from_static(b"hello file\n"),
    }
}

fn given(status: &str, kind: &str, body: &str) -> Reply {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    Reply {
        bytes: head.into_bytes(),
        cut: usize::MAX,
        then: Then::Close,
    }
}

#[tokio::test]
async fn an_upload_is_a_form_of_the_user_and_the_file_and_gives_its_id() {
    let server = Server::start(|_| {
        json(
            "201 CREATED",
            r#"{"id": "5b1e558e-5086-4eaa-8585-5c9a954e2ea9", "name": "note.txt", "size": 11}"#,
        )
    })
    .await;
    let id = server.app().upload("u1", note()).await.expect("taken");
    assert_eq!(id, "5b1e558e-5086-4eaa-8585-5c9a954e2ea9");
    let asked = &server.asked()[0];
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("POST", "/v1/files/upload")
    );
    let head = asked.head.to_lowercase();
    assert!(
        head.contains("content-type: multipart/form-data; boundary=airlock-"),
        "{head}"
    );
    assert!(head.contains("authorization: bearer app-test"), "{head}");
    assert!(
        !head.contains("transfer-encoding"),
        "its length is known: {head}"
    );
}

#[tokio::test]
async fn a_refused_upload_is_told_as_a_refused_run_is() {
    let server = Server::start(|_| {
        json(
            "413 REQUEST ENTITY TOO LARGE",
            r#"{"code": "file_too_large", "message": "", "status": 413}"#,
        )
    })
    .await;
    let error = server
        .app()
        .upload("u1", note())
        .await
        .expect_err("too large");
    assert!(
        matches!(
            error,
            Error::TooLarge {
                bound: Bound::Request,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_signed_address_is_asked_for_where_the_api_is_and_without_a_key() {
    let server = Server::start(|_| given("200 OK", "image/png; x=y", "12345")).await;
    let app = server.app();
    let address = "https://dify.example/files/tools/1.png?timestamp=1&nonce=2&sign=3=";
    let download = app.download(address, 5).await.expect("given");
    assert_eq!(
        (&download.bytes[..], download.mime_type.as_str()),
        (&b"12345"[..], "image/png")
    );
    let asked = &server.asked()[0];
    assert_eq!(asked.path, "/files/tools/1.png?timestamp=1&nonce=2&sign=3=");
    assert!(!asked.head.to_lowercase().contains("authorization"));
    let large = app.download(address, 4).await.expect_err("five bytes");
    assert!(matches!(large, NoDownload::TooLarge), "{large:?}");
}

#[tokio::test]
async fn an_expired_or_unknown_file_is_gone_and_a_failing_dify_is_not() {
    for (status, gone) in [
        ("403 FORBIDDEN", true),
        ("404 NOT FOUND", true),
        ("302 FOUND", true),
        ("502 BAD GATEWAY", false),
    ] {
        let server = Server::start(move |_| given(status, "application/json", "{}")).await;
        let error = server
            .app()
            .download("/files/tools/1.png?sign=3", 5)
            .await
            .expect_err("refused");
        assert_eq!(
            matches!(error, NoDownload::Gone { .. }),
            gone,
            "{status}: {error:?}"
        );
    }
}
