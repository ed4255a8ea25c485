//! Response heads and bodies as gunicorn and Flask write them.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, SERVER, VARY, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use http_body_util::{Either, Full};
use serde_json::{Value, json};

use crate::python;
use crate::stream::Events;

/// What every endpoint answers with.
pub(crate) type Answer = Response<Either<Full<Bytes>, Events>>;

/// The Dify version that the stand-in speaks as.
pub(crate) const VERSION: &str = "1.14.2";

/// Why a request is refused, in Dify's words.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    /// 400 `invalid_param`, which is what Dify makes of every wrong value.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_param", message)
    }

    pub(crate) fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    pub(crate) fn app_unavailable() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "app_unavailable",
            "App unavailable, please check your app configurations.",
        )
    }

    pub(crate) fn crash() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_server_error",
            "The server encountered an internal error and was unable to complete your request. Either the server is \
             overloaded or there is an error in the application.",
        )
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let mut answer = json(
            refusal.status,
            &json!({"code": refusal.code, "message": refusal.message, "status": refusal.status.as_u16()}),
        );
        if refusal.status == StatusCode::UNAUTHORIZED {
            let realm = HeaderValue::from_static("Bearer realm=\"api\"");
            answer.headers_mut().insert(WWW_AUTHENTICATE, realm);
        }
        answer
    }
}

/// A body made by Flask: it ends in a newline.
pub(crate) fn json(status: StatusCode, value: &Value) -> Answer {
    full(status, "application/json", python::dumps(value) + "\n")
}

/// The whole answer of a blocking run, which Dify writes by another way than its other bodies.
pub(crate) fn blocking(value: &Value) -> Answer {
    full(
        StatusCode::OK,
        "application/json; charset=utf-8",
        python::dumps(value),
    )
}

/// A body of events.
pub(crate) fn events(status: StatusCode, content_type: &'static str, events: Events) -> Answer {
    head(status, content_type, Either::Right(events))
}

/// A file, as it is.
pub(crate) fn bytes(bytes: Bytes) -> Answer {
    full(StatusCode::OK, "application/octet-stream", bytes)
}

/// The 404 of a path that no route has: a page, not JSON.
pub(crate) fn not_found_page() -> Answer {
    const PAGE: &str = "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>The requested \
                        URL was not found on the server. If you entered the URL manually please check your spelling and \
                        try again.</p>\n";
    full(StatusCode::NOT_FOUND, "text/html; charset=utf-8", PAGE)
}

/// What a proxy says when nothing behind it answers.
pub(crate) fn bad_gateway_page() -> Answer {
    const PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad \
                        Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";
    let mut answer = full(StatusCode::BAD_GATEWAY, "text/html", PAGE);
    answer
        .headers_mut()
        .insert(SERVER, HeaderValue::from_static("nginx"));
    answer
}

fn full(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    head(status, content_type, Either::Left(Full::new(body.into())))
}

fn head(
    status: StatusCode,
    content_type: &'static str,
    body: Either<Full<Bytes>, Events>,
) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    for (name, value) in [
        (SERVER, "gunicorn"),
        (CONTENT_TYPE, content_type),
        (HeaderName::from_static("access-control-allow-origin"), "*"),
        (
            HeaderName::from_static("access-control-expose-headers"),
            "X-Env, X-Trace-Id, X-Version",
        ),
        (HeaderName::from_static("x-version"), VERSION),
        (HeaderName::from_static("x-env"), "PRODUCTION"),
        (VARY, "Cookie"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}
