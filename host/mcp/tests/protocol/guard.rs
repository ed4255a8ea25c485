//! Origin and Host.

use airlock_mcp::{Guard, GuardConfig, GuardError, Refusal};
use http::{HeaderMap, Request, Response};

use crate::fixture::hear;

fn local() -> GuardConfig {
    GuardConfig {
        loopback: true,
        ..GuardConfig::default()
    }
}

fn request(headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::post("/server/secret/mcp");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).expect("a request")
}

fn check(config: &GuardConfig, host: &str, origin: Option<&str>) -> Result<(), Refusal> {
    let guard = Guard::new(config).expect("settings that can be read");
    let headers: Vec<_> = [("host", host)]
        .into_iter()
        .chain(origin.map(|origin| ("origin", origin)))
        .collect();
    guard.check(&request(&headers)).map(|_passed| ())
}

#[test]
fn a_server_on_loopback_answers_to_this_machine_alone() {
    for host in [
        "localhost",
        "localhost:8808",
        "LOCALHOST",
        "127.0.0.1:8808",
        "127.1.2.3",
        "[::1]:8808",
    ] {
        assert_eq!(check(&local(), host, None), Ok(()), "{host}");
    }
    for host in [
        "evil.example.com",
        "localhost.evil.com",
        "127.0.0.1.evil.com",
        "10.0.0.1",
        "",
        "a b",
    ] {
        assert_eq!(check(&local(), host, None), Err(Refusal::Host), "{host}");
    }
    for origin in [
        "http://localhost:6274",
        "http://127.0.0.1",
        "https://[::1]:1",
    ] {
        assert_eq!(
            check(&local(), "localhost", Some(origin)),
            Ok(()),
            "{origin}"
        );
    }
    for origin in [
        "https://evil.example.com",
        "null",
        "localhost",
        "http://localhost.evil.com",
        "http://x@evil/",
    ] {
        assert_eq!(
            check(&local(), "localhost", Some(origin)),
            Err(Refusal::Origin),
            "{origin}"
        );
    }
}

#[test]
fn a_request_without_a_host_or_with_two_that_differ_is_refused() {
    let guard = Guard::new(&local()).expect("settings");
    assert_eq!(guard.check(&request(&[])).err(), Some(Refusal::Host));
    let mut absolute = request(&[("host", "localhost")]);
    *absolute.uri_mut() = "http://evil.example.com/server/secret/mcp"
        .parse()
        .expect("a target");
    assert_eq!(guard.check(&absolute).err(), Some(Refusal::Host));
    let two = request(&[
        ("host", "localhost"),
        ("origin", "http://localhost"),
        ("origin", "http://evil.com"),
    ]);
    assert_eq!(guard.check(&two).err(), Some(Refusal::Origin));
}

#[test]
fn a_server_on_the_network_answers_to_any_host_until_it_is_told_its_names() {
    let mut config = GuardConfig::default();
    assert_eq!(check(&config, "airlock:8808", None), Ok(()));
    config.hosts = vec!["airlock".to_owned(), "MCP.example.com:8443".to_owned()];
    config.public_url = Some("https://public.example.com/mcp".to_owned());
    for host in [
        "airlock:8808",
        "mcp.example.com:8443",
        "MCP.example.com:8443",
        "public.example.com:8808",
        "localhost:8808",
    ] {
        assert_eq!(check(&config, host, None), Ok(()), "{host}");
    }
    for host in ["other", "mcp.example.com", "mcp.example.com:1"] {
        assert_eq!(check(&config, host, None), Err(Refusal::Host), "{host}");
    }
    assert_eq!(
        check(&config, "airlock", Some("https://public.example.com")),
        Ok(())
    );
    assert_eq!(
        check(&config, "airlock", Some("http://public.example.com")),
        Err(Refusal::Origin)
    );
    assert_eq!(
        check(&config, "airlock", Some("http://localhost")),
        Err(Refusal::Origin)
    );
}

#[test]
fn origins_are_compared_without_their_default_ports_and_their_case() {
    let origins = vec![
        "HTTPS://Chat.example.com:443/".to_owned(),
        "http://dev:3000".to_owned(),
    ];
    let config = GuardConfig {
        origins,
        ..GuardConfig::default()
    };
    assert_eq!(
        check(&config, "x", Some("https://chat.example.com")),
        Ok(())
    );
    assert_eq!(check(&config, "x", Some("http://dev:3000")), Ok(()));
    assert_eq!(
        check(&config, "x", Some("http://dev")),
        Err(Refusal::Origin)
    );
    let all = GuardConfig {
        origins: vec!["*".to_owned()],
        hosts: vec!["*".to_owned()],
        ..local()
    };
    assert_eq!(check(&all, "evil.example.com", Some("null")), Ok(()));
}

#[test]
fn a_setting_that_cannot_be_read_is_named() {
    let origins = GuardConfig {
        origins: vec!["chat.example.com".to_owned()],
        ..local()
    };
    assert_eq!(
        Guard::new(&origins).err(),
        Some(GuardError::Origin("chat.example.com".to_owned()))
    );
    let hosts = GuardConfig {
        hosts: vec!["http://x".to_owned()],
        ..local()
    };
    assert_eq!(
        Guard::new(&hosts).err(),
        Some(GuardError::Host("http://x".to_owned()))
    );
    let public = GuardConfig {
        public_url: Some("/mcp".to_owned()),
        ..local()
    };
    assert_eq!(
        Guard::new(&public).err(),
        Some(GuardError::Origin("/mcp".to_owned()))
    );
}

#[tokio::test]
async fn a_refusal_is_a_403_that_names_the_setting() {
    for (refusal, setting) in [
        (Refusal::Origin, "AIRLOCK_ALLOWED_ORIGINS"),
        (Refusal::Host, "AIRLOCK_ALLOWED_HOSTS"),
    ] {
        let heard = hear(refusal.response()).await;
        assert_eq!(heard.error(), (403, 403, "absent".into()));
        assert!(heard.text.contains(setting), "{}", heard.text);
    }
}

#[test]
fn a_page_that_is_allowed_may_ask_first_and_read_the_answer() {
    let guard = Guard::new(&local()).expect("settings");
    let mut asks = request(&[
        ("host", "localhost"),
        ("origin", "http://localhost:6274"),
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "content-type,MCP-Protocol-Version, mcp-param-x,x-other",
        ),
    ]);
    *asks.method_mut() = http::Method::OPTIONS;
    let passed = guard.check(&asks).expect("allowed");
    let response = passed.preflight(&asks).expect("a preflight");
    assert_eq!(response.status(), 204);
    let headers: &HeaderMap = response.headers();
    assert_eq!(
        headers["access-control-allow-origin"],
        "http://localhost:6274"
    );
    assert_eq!(
        headers["access-control-allow-headers"],
        "content-type, mcp-protocol-version, mcp-param-x"
    );
    assert_eq!(headers["vary"], "Origin");

    let mut answer = Response::new(());
    passed.mark(answer.headers_mut());
    assert_eq!(
        answer.headers()["access-control-expose-headers"],
        "Mcp-Session-Id"
    );

    asks.headers_mut().remove("origin");
    let program = guard.check(&asks).expect("allowed");
    assert!(
        program.preflight(&asks).is_none(),
        "no browser asks without an origin"
    );
}
