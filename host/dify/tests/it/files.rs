//! Files on their way to Dify and back: recorded uploads and downloads, made again and served as they were.

use airlock_dify::{NoDownload, Upload};
use bytes::Bytes;

use crate::recording::Recording;
use crate::server::{Reply, Server, Then, json};

/// What an upload comes to: the file's id, or a refusal's code and words.
type Uploaded = Result<&'static str, (&'static str, &'static str)>;

/// An upload, and what comes of it: the id, or the error's code and words that the caller must find.
#[rustfmt::skip]
const UPLOADS: &[(&str, Uploaded)] = &[
    ("err-file-no-name", Err(("filename_not_exists_error", "The specified filename does not exist."))),
    ("err-file-none", Err(("no_file_uploaded", "Please upload your file."))),
    ("err-file-too-large", Err(("too_large", "Send less"))),
    ("file-exe", Ok("382811b1-04ec-41ac-9ca2-3f5001bd8fec")),
    ("file-no-user", Ok("972883f6-7c08-476a-8c3f-f25e4dcf1590")),
    ("file-upload", Ok("5b1e558e-5086-4eaa-8585-5c9a954e2ea9")),
    ("file-upload-image", Ok("f753f1f7-5eb4-4836-9cb1-c5479661bded")),
    ("file-upload-relative", Ok("fced4288-c269-4759-827e-6c3bc09e44ca")),
];

/// A signed address that was asked for, and the status with which Dify refused it, if it did.
const DOWNLOADS: &[(&str, Option<u16>)] = &[
    ("file-url-attachment", None),
    ("file-url-bad-sign", Some(403)),
    ("file-url-expired", Some(403)),
    ("file-url-get", None),
    ("file-url-no-sign", Some(400)),
    ("file-url-old-timestamp", Some(403)),
    ("file-url-other-ext", None),
    // Asked for a part, Dify gave the whole.
    ("file-url-range", None),
    ("file-url-relative-get", None),
];

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let uploads = UPLOADS.iter().map(|(name, _)| *name);
    uploads.chain(DOWNLOADS.iter().map(|(name, _)| *name))
}

/// A part of a form.
#[derive(Debug, PartialEq)]
struct Part {
    disposition: String,
    kind: String,
    bytes: Vec<u8>,
}

/// The parts of a form, whatever stands between them.
fn parts(form: &[u8]) -> Vec<Part> {
    let text = String::from_utf8_lossy(form);
    let boundary = text.lines().next().unwrap();
    let inner = text.split_once(&format!("\r\n{boundary}--")).unwrap().0;
    let parts = inner.split(boundary).filter(|part| !part.is_empty());
    let read = |part: &str| {
        let (head, body) = part.split_once("\r\n\r\n").unwrap();
        let header = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().to_owned()
        };
        Part {
            disposition: header("Content-Disposition: "),
            kind: header("Content-Type: "),
            bytes: body.trim_end_matches("\r\n").as_bytes().to_vec(),
        }
    };
    parts.map(read).collect()
}

/// The file of a recorded form.
fn file(parts: &[Part]) -> Upload {
    let named = |part: &&Part| part.disposition.contains("; filename=");
    let Some(part) = parts.iter().find(named) else {
        return Upload {
            name: "note.txt".to_owned(),
            mime_type: "text/plain".to_owned(),
            bytes: Bytes::from_static(b"x"),
        };
    };
    let (_, name) = part.disposition.split_once("; filename=").unwrap();
    Upload {
        name: name.trim_matches('"').to_owned(),
        mime_type: part.kind.clone(),
        bytes: Bytes::from(part.bytes.clone()),
    }
}

#[tokio::test]
async fn an_upload_is_made_as_it_was_recorded_and_comes_to_what_dify_answered() {
    for &(name, outcome) in UPLOADS {
        let recording = Recording::read(name);
        let recorded = parts(&recording.sent);
        let server = Server::start(move |_| Recording::read(name).reply(50)).await;
        let got = server.app().upload("u1", file(&recorded)).await;
        match (outcome, got) {
            (Ok(id), Ok(got)) => assert_eq!(got, id, "{name}"),
            (Err((code, words)), Err(error)) => {
                assert_eq!(error.code(), code, "{name}: {error:?}");
                assert!(error.caller().contains(words), "{name}: {}", error.caller());
            }
            (_, got) => panic!("{name}: {got:?}"),
        }
        let asked = &server.asked()[0];
        assert_eq!(
            (asked.method.as_str(), &asked.path),
            ("POST", &recording.path)
        );
        let head = asked.head.to_lowercase();
        let kind = "content-type: multipart/form-data; boundary=airlock-";
        assert!(head.contains(kind), "{name}: {head}");
        assert!(head.contains("authorization: bearer app-test"), "{name}");
        assert!(!head.contains("transfer-encoding"), "its length is known");
        let sent = parts(&asked.sent);
        match name {
            // This client never leaves the user or the file out; these answers are met all the same.
            "file-no-user" => assert_eq!(sent[1..], recorded, "{name}"),
            "err-file-none" => assert_eq!(sent[..1], recorded, "{name}"),
            _ => assert_eq!(sent, recorded, "{name}"),
        }
    }
}

#[tokio::test]
async fn a_signed_address_is_asked_for_where_the_api_is_and_brings_what_it_brought() {
    for &(name, refused) in DOWNLOADS {
        let recording = Recording::read(name);
        let server = Server::start(move |_| Recording::read(name).reply(9)).await;
        let app = server.app();
        for base in ["", "http://127.0.0.1:5001", "https://dify.example"] {
            let address = format!("{base}{}", recording.path);
            let size = recording.body.len();
            match (refused, app.download(&address, size).await) {
                (None, Ok(download)) => {
                    assert_eq!(download.bytes, recording.body, "{name}");
                    assert_eq!(download.mime_type, recording.kind(), "{name}");
                    let short = app.download(&address, size - 1).await;
                    assert!(matches!(short, Err(NoDownload::TooLarge)), "{name}");
                }
                (Some(status), Err(NoDownload::Gone { status: got })) => {
                    assert_eq!(got, status, "{name}");
                }
                (_, got) => panic!("{name}: {got:?}"),
            }
        }
        for asked in server.asked() {
            assert_eq!(
                (asked.method.as_str(), &asked.path),
                ("GET", &recording.path),
                "{name}"
            );
            let head = asked.head.to_lowercase();
            assert!(!head.contains("authorization"), "{name}: it is signed");
        }
    }
}

#[tokio::test]
async fn a_file_is_gone_where_it_is_refused_or_elsewhere_and_not_where_dify_fails() {
    for (status, gone) in [
        ("404 NOT FOUND", true),
        ("302 FOUND", true),
        ("502 BAD GATEWAY", false),
    ] {
        let server = Server::start(move |_| Reply {
            then: Then::Close,
            ..json(status, "{}")
        })
        .await;
        let address = "/files/tools/1.png?sign=3";
        let error = server.app().download(address, 5).await.unwrap_err();
        let got = matches!(error, NoDownload::Gone { .. });
        assert_eq!(got, gone, "{status}: {error:?}");
    }
}
