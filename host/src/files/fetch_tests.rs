use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::files::public::Opened;

/// Answers every request with these bytes, and says at which port.
async fn server(answer: impl Fn(&str) -> String + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let read = stream.read(&mut head).await.unwrap_or_default();
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            // The client may have seen enough.
            let _ = stream.write_all(answer(path).as_bytes()).await;
        }
    });
    port
}

fn fetcher(open: &[&str]) -> Fetcher {
    let open: Vec<Opened> = open
        .iter()
        .map(|text| text.parse().expect("a place"))
        .collect();
    Fetcher::new(OpenPlaces::new(&open))
}

fn url(text: &str) -> Url {
    text.parse().expect("a URL")
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn a_private_place_is_refused_however_it_is_written_and_nobody_is_asked() {
    let port = server(|_| ok("secret")).await;
    let closed = fetcher(&[]);
    for host in [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "127.1",
        "0.0.0.0",
        "169.254.169.254",
        "[fe80::1]",
        "[64:ff9b::7f00:1]",
    ] {
        let refused = closed
            .fetch(&url(&format!("http://{host}:{port}/")), 100)
            .await;
        assert_eq!(refused.err(), Some(NotFetched::Private), "{host}");
    }
    for address in [
        "ftp://example.com/a",
        "file:///etc/passwd",
        "http://me:pw@example.com/",
        "data:text/plain,a",
    ] {
        let refused = closed.fetch(&url(address), 100).await;
        assert_eq!(refused.err(), Some(NotFetched::Address), "{address}");
    }
}

#[tokio::test]
async fn what_is_opened_by_name_or_by_network_is_fetched() {
    let port = server(|_| ok("hello")).await;
    for (open, host) in [("localhost", "localhost"), ("127.0.0.0/8", "127.0.0.1")] {
        let fetched = fetcher(&[open])
            .fetch(&url(&format!("http://{host}:{port}/")), 100)
            .await
            .expect("open");
        assert_eq!(&fetched.bytes[..], b"hello");
        assert_eq!(fetched.mime_type, "text/plain");
    }
    let by_number = url(&format!("http://127.0.0.1:{port}/"));
    let refused = fetcher(&["localhost"]).fetch(&by_number, 100).await;
    assert_eq!(refused.err(), Some(NotFetched::Private));
}

#[tokio::test]
async fn every_redirect_is_judged_anew_and_their_number_is_bounded() {
    let port = server(|path| {
        let to = match path {
            "/private" => "http://127.0.0.1:1/",
            "/scheme" => "file:///etc/passwd",
            "/once" => "/here",
            "/here" => return ok("arrived"),
            _ => "/round",
        };
        format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
    })
    .await;
    let fetcher = fetcher(&["localhost"]);
    let fetch = |path: &str| {
        let url = url(&format!("http://localhost:{port}{path}"));
        let fetcher = &fetcher;
        async move { fetcher.fetch(&url, 100).await.map(|fetched| fetched.bytes) }
    };
    assert_eq!(fetch("/private").await, Err(NotFetched::Private));
    assert_eq!(fetch("/scheme").await, Err(NotFetched::Address));
    assert_eq!(fetch("/once").await.as_deref(), Ok(&b"arrived"[..]));
    assert_eq!(fetch("/round").await, Err(NotFetched::Redirects));
}

#[tokio::test]
async fn more_than_was_asked_for_is_refused_whether_it_is_announced_or_not() {
    let port = server(|path| match path {
        "/announced" => ok(&"x".repeat(101)),
        "/gone" => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into(),
        _ => format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(101)),
    })
    .await;
    let fetcher = fetcher(&["localhost"]);
    for (path, fault) in [
        ("/announced", NotFetched::TooLarge(100)),
        ("/silent", NotFetched::TooLarge(100)),
        ("/gone", NotFetched::Status(404)),
    ] {
        let url = url(&format!("http://localhost:{port}{path}"));
        assert_eq!(fetcher.fetch(&url, 100).await.err(), Some(fault), "{path}");
    }
    let nobody = fetcher.fetch(&url("http://localhost:1/"), 100).await;
    assert_eq!(nobody.err(), Some(NotFetched::Unreachable));
}
