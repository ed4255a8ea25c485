//! Which request is which operation. Both directions stand here, so that the CLI and the server cannot disagree.

use airlock_registry::Secret;
use data_encoding::BASE64;
use http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::ops::Operation;

/// Where the API begins.
const ROOT: &str = "/api/v1/";

/// An operation as a request.
pub struct Asked {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// The body; empty where there is none.
    pub body: Vec<u8>,
}

/// The body of `POST /api/v1/apps`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    key: String,
    /// Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    guest: Option<String>,
}

/// The body of `PUT /api/v1/apps/{app}/key`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    key: String,
}

/// A request that is no operation.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnOperation {
    /// There is nothing there.
    #[error("there is nothing at this path; the API begins at /api/v1/apps")]
    Path,
    /// Not with this method.
    #[error("this path does not take {0}")]
    Method(Method),
    /// A body that does not fit.
    #[error("the body does not fit: {0}")]
    Body(String),
}

impl NotAnOperation {
    /// The answer's status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Path => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Body(_) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

/// The request for an operation.
#[must_use]
pub fn request(operation: Operation) -> Asked {
    let asked = |method, path: String, body| Asked {
        method,
        path: format!("{ROOT}{path}"),
        body,
    };
    let bare = |method, path| asked(method, path, Vec::new());
    match operation {
        Operation::Status => bare(Method::GET, "status".into()),
        Operation::Metrics => bare(Method::GET, "metrics".into()),
        Operation::List => bare(Method::GET, "apps".into()),
        Operation::Show { app, reveal } => bare(
            Method::GET,
            format!("{}{}", one(&app), if reveal { "?reveal=true" } else { "" }),
        ),
        Operation::Add { key, guest } => {
            let add = Add {
                key: key.expose().to_owned(),
                guest: guest.map(|bytes| BASE64.encode(&bytes)),
            };
            asked(
                Method::POST,
                "apps".into(),
                serde_json::to_vec(&add).expect("strings are JSON"),
            )
        }
        Operation::Enable { app } => bare(Method::POST, format!("{}/enable", one(&app))),
        Operation::Disable { app } => bare(Method::POST, format!("{}/disable", one(&app))),
        Operation::Regenerate { app } => bare(Method::POST, format!("{}/regenerate", one(&app))),
        Operation::Refresh { app } => bare(Method::POST, format!("{}/refresh", one(&app))),
        Operation::SetKey { app, key } => {
            let key = Key {
                key: key.expose().to_owned(),
            };
            asked(
                Method::PUT,
                format!("{}/key", one(&app)),
                serde_json::to_vec(&key).expect("a string is JSON"),
            )
        }
        Operation::Describe { app, words } => asked(
            Method::PATCH,
            format!("{}/words", one(&app)),
            serde_json::to_vec(&words).expect("words are plain data"),
        ),
        Operation::Limit { app, limits } => asked(
            Method::PATCH,
            format!("{}/limits", one(&app)),
            serde_json::to_vec(&limits).expect("names and numbers are plain data"),
        ),
        Operation::Set { app, settings } => asked(
            Method::PATCH,
            format!("{}/settings", one(&app)),
            serde_json::to_vec(&settings).expect("strings are JSON"),
        ),
        Operation::Learn { app, publish } => bare(
            if publish { Method::POST } else { Method::GET },
            format!("{}/learn", one(&app)),
        ),
        Operation::SetGuest {
            app,
            component: Some(bytes),
        } => asked(Method::PUT, format!("{}/guest", one(&app)), bytes),
        Operation::SetGuest {
            app,
            component: None,
        } => bare(Method::DELETE, format!("{}/guest", one(&app))),
        Operation::CheckGuest { app, component } => asked(
            Method::POST,
            format!("{}/guest/check", one(&app)),
            component,
        ),
        Operation::Remove { app } => bare(Method::DELETE, one(&app)),
    }
}

fn one(app: &str) -> String {
    format!("apps/{}", utf8_percent_encode(app, NON_ALPHANUMERIC))
}

/// The operation that a request asks for.
///
/// # Errors
/// [`NotAnOperation`].
pub fn operation(
    method: &Method,
    path: &str,
    query: Option<&str>,
    body: Vec<u8>,
) -> Result<Operation, NotAnOperation> {
    let path = path.strip_prefix(ROOT).ok_or(NotAnOperation::Path)?;
    let segments: Vec<String> = path
        .split('/')
        .map(|segment| percent_decode_str(segment).decode_utf8().map(String::from))
        .collect::<Result<_, _>>()
        .map_err(|_| NotAnOperation::Path)?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let wrong = || Err(NotAnOperation::Method(method.clone()));
    let not = |error: &dyn std::fmt::Display| NotAnOperation::Body(error.to_string());
    Ok(match segments.as_slice() {
        ["status"] => match *method {
            Method::GET => Operation::Status,
            _ => return wrong(),
        },
        ["metrics"] => match *method {
            Method::GET => Operation::Metrics,
            _ => return wrong(),
        },
        ["apps"] => match *method {
            Method::GET => Operation::List,
            Method::POST => {
                let add: Add = serde_json::from_slice(&body).map_err(|error| not(&error))?;
                let guest = add
                    .guest
                    .map(|text| BASE64.decode(text.as_bytes()))
                    .transpose();
                Operation::Add {
                    key: Secret::new(add.key),
                    guest: guest.map_err(|error| not(&error))?,
                }
            }
            _ => return wrong(),
        },
        ["apps", app] if !app.is_empty() => match *method {
            Method::GET => Operation::Show {
                app: (*app).into(),
                reveal: query == Some("reveal=true"),
            },
            Method::DELETE => Operation::Remove { app: (*app).into() },
            _ => return wrong(),
        },
        ["apps", app, what] => {
            let app = (*app).to_owned();
            match (*what, method.as_str()) {
                ("enable", "POST") => Operation::Enable { app },
                ("disable", "POST") => Operation::Disable { app },
                ("regenerate", "POST") => Operation::Regenerate { app },
                ("refresh", "POST") => Operation::Refresh { app },
                ("key", "PUT") => {
                    let key: Key = serde_json::from_slice(&body).map_err(|error| not(&error))?;
                    Operation::SetKey {
                        app,
                        key: Secret::new(key.key),
                    }
                }
                ("words", "PATCH") => Operation::Describe {
                    app,
                    words: serde_json::from_slice(&body).map_err(|error| not(&error))?,
                },
                ("limits", "PATCH") => Operation::Limit {
                    app,
                    limits: serde_json::from_slice(&body).map_err(|error| not(&error))?,
                },
                ("settings", "PATCH") => Operation::Set {
                    app,
                    settings: serde_json::from_slice(&body).map_err(|error| not(&error))?,
                },
                ("learn", "GET") => Operation::Learn {
                    app,
                    publish: false,
                },
                ("learn", "POST") => Operation::Learn { app, publish: true },
                ("guest", "PUT") => Operation::SetGuest {
                    app,
                    component: Some(body),
                },
                ("guest", "DELETE") => Operation::SetGuest {
                    app,
                    component: None,
                },
                (
                    "enable" | "disable" | "regenerate" | "refresh" | "key" | "words" | "limits"
                    | "settings" | "learn" | "guest",
                    _,
                ) => {
                    return wrong();
                }
                _ => return Err(NotAnOperation::Path),
            }
        }
        ["apps", app, "guest", "check"] => match *method {
            Method::POST => Operation::CheckGuest {
                app: (*app).into(),
                component: body,
            },
            _ => return wrong(),
        },
        _ => return Err(NotAnOperation::Path),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limit;
    use crate::ops::{Change, InputWords, Words};

    fn there_and_back(asked: Operation) {
        let before = format!("{asked:?}");
        let request = request(asked);
        let (path, query) = match request.path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (request.path.as_str(), None),
        };
        let after =
            operation(&request.method, path, query, request.body).expect("the server knows it");
        assert_eq!(format!("{after:?}"), before);
    }

    #[test]
    fn the_server_understands_what_the_cli_asks() {
        let app = || "a/b c".to_owned();
        let input = InputWords {
            description: Change::Clear,
            pinned: Change::Set(serde_json::json!({"a": [1]})),
        };
        let words = Words {
            name: Change::Set("n".into()),
            title: Change::Clear,
            output_schema: Change::Set(serde_json::Map::new()),
            inputs: [("q".into(), input)].into(),
            ..Words::default()
        };
        there_and_back(Operation::Status);
        there_and_back(Operation::Metrics);
        there_and_back(Operation::Limit {
            app: app(),
            limits: [(Limit::Memory, Some(1 << 27)), (Limit::LogLines, None)].into(),
        });
        there_and_back(Operation::List);
        there_and_back(Operation::Show {
            app: app(),
            reveal: true,
        });
        there_and_back(Operation::Show {
            app: app(),
            reveal: false,
        });
        there_and_back(Operation::Add {
            key: Secret::new("app-1"),
            guest: Some(vec![0, 1, 255]),
        });
        there_and_back(Operation::Enable { app: app() });
        there_and_back(Operation::Disable { app: app() });
        there_and_back(Operation::Regenerate { app: app() });
        there_and_back(Operation::Refresh { app: app() });
        there_and_back(Operation::SetKey {
            app: app(),
            key: Secret::new("app-2"),
        });
        there_and_back(Operation::Describe { app: app(), words });
        there_and_back(Operation::Set {
            app: app(),
            settings: [
                ("a".to_owned(), Some("b".to_owned())),
                ("c".to_owned(), None),
            ]
            .into(),
        });
        for publish in [false, true] {
            there_and_back(Operation::Learn {
                app: app(),
                publish,
            });
        }
        there_and_back(Operation::SetGuest {
            app: app(),
            component: Some(vec![0]),
        });
        there_and_back(Operation::SetGuest {
            app: app(),
            component: None,
        });
        there_and_back(Operation::CheckGuest {
            app: app(),
            component: vec![0],
        });
        there_and_back(Operation::Remove { app: app() });
    }

    #[test]
    fn what_is_no_operation_says_why() {
        let ask = |method, path| {
            operation(&method, path, None, Vec::new())
                .expect_err("no operation")
                .status()
        };
        assert_eq!(ask(Method::GET, "/api/v1/nothing"), StatusCode::NOT_FOUND);
        assert_eq!(
            ask(Method::PUT, "/api/v1/apps"),
            StatusCode::METHOD_NOT_ALLOWED
        );
        assert_eq!(
            ask(Method::GET, "/api/v1/apps/a/enable"),
            StatusCode::METHOD_NOT_ALLOWED
        );
        assert_eq!(
            ask(Method::POST, "/api/v1/apps"),
            StatusCode::UNPROCESSABLE_ENTITY
        );
    }
}
