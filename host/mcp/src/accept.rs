//! Which forms of answer a client reads, and whether what it sends is JSON.

use http::{HeaderMap, header};

use crate::fault::Fault;

/// The forms of answer that a client reads; at least one is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accept {
    pub(crate) json: bool,
    pub(crate) events: bool,
}

/// What the specification has a client write, letter for letter as the official SDKs do.
const BOTH: &str = "application/json, text/event-stream";

impl Accept {
    /// Liberal where the specification is strict (it wants both named): a missing `Accept` and wildcards mean JSON. An
    /// event stream must be named, because whoever does not name it (curl) most likely cannot read it.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Fault> {
        let mut named = false;
        let mut accept = Self {
            json: false,
            events: false,
        };
        for value in headers.get_all(header::ACCEPT) {
            named = true;
            if value == BOTH {
                (accept.json, accept.events) = (true, true);
                continue;
            }
            // A value that is no text names nothing.
            for item in value.to_str().unwrap_or_default().split(',') {
                let mut parts = item.split(';').map(str::trim);
                let kind = parts.next().unwrap_or_default();
                let refused = parts.any(is_zero_quality);
                if refused {
                    continue;
                }
                accept.json |= ["application/json", "*/*", "application/*"]
                    .iter()
                    .any(|it| kind.eq_ignore_ascii_case(it));
                accept.events |= kind.eq_ignore_ascii_case("text/event-stream");
            }
        }
        accept.json |= !named;
        if accept.json || accept.events {
            Ok(accept)
        } else {
            Err(Fault::Accept)
        }
    }
}

fn is_zero_quality(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, value)| {
        name.eq_ignore_ascii_case("q") && value.parse::<f32>().is_ok_and(|q| q == 0.0)
    })
}

/// The body must be declared as JSON; parameters such as a charset are allowed. It is also what keeps a web page from
/// posting here without a preflight.
pub(crate) fn content_type(headers: &HeaderMap) -> Result<(), Fault> {
    let declared = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = declared.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(Fault::MediaType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(accept: &str) -> Result<(bool, bool), Fault> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().expect("a header value"));
        Accept::of(&headers).map(|accept| (accept.json, accept.events))
    }

    #[test]
    fn an_event_stream_is_sent_only_to_those_who_name_it() {
        assert_eq!(of("application/json, text/event-stream"), Ok((true, true)));
        assert_eq!(of("Text/Event-Stream"), Ok((false, true)));
        assert_eq!(of("*/*"), Ok((true, false)));
        assert_eq!(of("application/json;q=0.5"), Ok((true, false)));
        assert_eq!(
            of("application/json, text/event-stream;q=0"),
            Ok((true, false))
        );
        assert_eq!(
            Accept::of(&HeaderMap::new()),
            Ok(Accept {
                json: true,
                events: false
            })
        );
    }

    #[test]
    fn neither_form_acceptable_is_refused() {
        assert_eq!(of("text/html"), Err(Fault::Accept));
        assert_eq!(of("application/json; q=0.000"), Err(Fault::Accept));
        assert_eq!(of(""), Err(Fault::Accept));
    }
}
