//! A guest for Airlock: it describes the tools that serve one Dify app, and answers their calls.
//!
//! Build it with `airlock guest build`, look at it with `airlock guest check FILE`, and give it to an app with
//! `airlock app guest APP FILE`. `cargo test` runs the test below natively, against a host made of scripts.

use airlock_guest::{App, CallRequest, CallResult, Error, Guest, Manifest, Outcome, Schema, Tool, dify, export};

/// Serves one app.
pub struct MyGuest;

export!(MyGuest);

impl Guest for MyGuest {
    /// Which tools serve `app`. Nothing can be called from here: the answer depends on `app` alone.
    fn describe(app: &App) -> Result<Manifest, Error> {
        let question = Schema::text().title("Question").description("What you want to know, in one sentence.");
        let tool = Tool::new("ask_loudly", format!("Asks {} and answers in capitals.", app.name))
            .title("Ask loudly")
            .input(Schema::object().required("question", question));
        Ok(Manifest::new().tool(tool))
    }

    /// One call. The arguments fit the schema above: the host has checked that.
    fn call(app: &App, request: CallRequest) -> Result<Outcome, Error> {
        let answer = dify::run_app(&ask(app, request.get("question")?))?;
        let text = match answer.outputs.values().find_map(|output| output.as_str()) {
            Some(output) => output.to_uppercase(),
            None => answer.text.to_uppercase(),
        };
        Ok(CallResult::text(text).into())
    }
}

/// A chat app takes the question as what the user says; every other app as the first input of its form.
fn ask(app: &App, question: &str) -> dify::Request {
    if app.mode.converses() {
        return dify::Request::new().query(question);
    }
    match app.form().fields.first() {
        Some(field) => dify::Request::new().input(&field.variable, question),
        None => dify::Request::new(),
    }
}

#[cfg(test)]
mod tests {
    use airlock_guest::testing::Host;
    use airlock_guest::{Mode, dify::Answer, json};

    use super::*;

    #[test]
    fn it_answers_in_capitals() {
        let host = Host::new().answers(Answer::text("hello"));
        let app = App::new("Echo", Mode::Chat);
        let outcome = host.call::<MyGuest>(&app, "ask_loudly", json!({"question": "Who?"}));
        assert_eq!(outcome.expect("an answer"), CallResult::text("HELLO").into());
        assert_eq!(host.requests()[0].query.as_deref(), Some("Who?"));
    }
}
