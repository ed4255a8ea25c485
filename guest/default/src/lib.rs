//! The guest that serves any Dify app from its parameters alone.
//!
//! One tool per app. `name` makes its name, `describe` the words around it, `arguments` turns the app's form into the
//! tool's arguments and a call's arguments into Dify's inputs, and `answer` shapes what comes back.

use airlock_guest::{App, CallRequest, Error, Guest, Manifest, Outcome, dify, export};

mod answer;
mod arguments;
mod describe;
mod name;
#[cfg(test)]
mod tests;

use arguments::Layout;

/// Serves any Dify app.
#[derive(Debug)]
pub struct AnyApp;

export!(AnyApp);

impl Guest for AnyApp {
    fn describe(app: &App) -> Result<Manifest, Error> {
        Ok(describe::manifest(app))
    }

    fn call(app: &App, request: CallRequest) -> Result<Outcome, Error> {
        if request.tool != name::of(app) {
            return Err(Error::UnknownTool(request.tool));
        }
        // A run that fails is Dify's error as it came: the host has the words for each client.
        let answer = dify::run_app(&Layout::of(app).request(request)?)?;
        Ok(answer::result(&app.mode, answer).into())
    }
}
