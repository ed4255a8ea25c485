//! Every fixture that the official conformance suite (`@modelcontextprotocol/conformance`) asks a server for, in one
//! guest: the suite's referee then judges the host and the contract together.
//!
//! `plain` has the tools that answer at once, `asking` those that need an answer of the client's first, `jobs` those that
//! become tasks, `reading` the resources, `beginning` the prompts and their completions. The names are the suite's.

use airlock_guest::{
    App, CallRequest, CompleteRequest, Completion, Completions, End, Error, Guest, Manifest,
    Outcome, PromptList, PromptRequest, PromptResult, Prompts, ReadRequest, ReadResult,
    ResourceList, Resources, export,
};

mod asking;
mod beginning;
mod jobs;
mod plain;
mod reading;

/// Does what the suite asks for.
#[derive(Debug)]
pub struct Fixtures;

export!(Fixtures with resources, prompts, completions);

impl Guest for Fixtures {
    fn describe(_: &App) -> Result<Manifest, Error> {
        let tools = plain::tools()
            .into_iter()
            .chain(asking::tools())
            .chain(jobs::tools());
        Ok(tools.fold(Manifest::new(), Manifest::tool))
    }

    fn call(_: &App, request: CallRequest) -> Result<Outcome, Error> {
        plain::call(&request)
            .or_else(|| asking::call(&request))
            .or_else(|| jobs::call(&request))
            .unwrap_or(Err(Error::UnknownTool(request.tool)))
    }
}

impl Resources for Fixtures {
    fn resources(_: &App) -> Result<ResourceList, Error> {
        Ok(reading::list())
    }

    fn read(_: &App, request: ReadRequest) -> Result<Option<End<ReadResult>>, Error> {
        Ok(reading::read(&request.uri).map(End::from))
    }
}

impl Prompts for Fixtures {
    fn prompts(_: &App) -> Result<PromptList, Error> {
        Ok(beginning::list())
    }

    fn get(_: &App, request: PromptRequest) -> Result<End<PromptResult>, Error> {
        beginning::get(&request)
    }
}

impl Completions for Fixtures {
    fn complete(_: &App, request: CompleteRequest) -> Result<Completion, Error> {
        Ok(beginning::complete(&request))
    }
}
