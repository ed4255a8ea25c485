//! The guest that serves any Dify app from its parameters alone.
//!
//! One tool per app. `name` makes its name, `describe` the words around it, `arguments` turns the app's form into the
//! tool's arguments and a call's arguments into Dify's inputs, and `answer` shapes what comes back, with `citations` and how
//! its `conversation` goes on. `pause` is for apps that ask
//! a person on the way: a second tool then takes the answers of those whom the client cannot ask. Besides, `prompts`
//! offers people something to begin with and finishes what they type, and `about` has the app's facts to read.

use airlock_guest::{
    App, CallRequest, CompleteRequest, Completion, Completions, End, Error, Guest, Manifest,
    Outcome, PromptList, PromptRequest, PromptResult, Prompts, ReadRequest, ReadResult,
    ResourceList, Resources, dify, export,
};

mod about;
mod answer;
mod arguments;
mod citations;
mod conversation;
mod describe;
mod name;
mod pause;
mod prompts;
#[cfg(test)]
mod tests;

use arguments::Layout;
use conversation::GoesOn;

/// Serves any Dify app.
#[derive(Debug)]
pub struct AnyApp;

export!(AnyApp with resources, prompts, completions);

impl Guest for AnyApp {
    fn describe(app: &App) -> Result<Manifest, Error> {
        Ok(describe::manifest(app))
    }

    fn call(app: &App, request: CallRequest) -> Result<Outcome, Error> {
        let runs = name::of(app);
        let takes_answers = name::of_answers(&runs);
        let is_answer = request.tool == takes_answers;
        let takes_answers = name::published(&request, takes_answers);
        let goes_on = GoesOn::from(&request);
        match request.answers.as_ref() {
            Some(answers) if !answers.state.is_empty() => {
                return pause::answered(app, &takes_answers, answers, goes_on);
            }
            _ => {}
        }
        if is_answer {
            return pause::answer(app, &takes_answers, &request);
        }
        if request.tool != runs {
            return Err(Error::UnknownTool(request.tool));
        }
        // A run that fails is Dify's error as it came: the host has the words for each client.
        let answer = dify::run_app(&Layout::of(app).request(request)?)?;
        Ok(pause::outcome(app, &takes_answers, answer, goes_on))
    }
}

impl Resources for AnyApp {
    fn resources(app: &App) -> Result<ResourceList, Error> {
        Ok(about::list(app))
    }

    fn read(app: &App, request: ReadRequest) -> Result<Option<End<ReadResult>>, Error> {
        Ok(about::read(app, &request.uri).map(End::from))
    }
}

impl Prompts for AnyApp {
    fn prompts(app: &App) -> Result<PromptList, Error> {
        Ok(prompts::list(app))
    }

    fn get(app: &App, request: PromptRequest) -> Result<End<PromptResult>, Error> {
        prompts::get(app, &request).map(End::from)
    }
}

impl Completions for AnyApp {
    fn complete(app: &App, request: CompleteRequest) -> Result<Completion, Error> {
        Ok(prompts::complete(app, &request))
    }
}
