//! Between the contract's records, where JSON is text, and this crate's types.

use serde_json::{Map, Value};

use super::bindings::airlock::guest::dify;
use super::{tools, types};
use crate::dify::{Answer, Event, Node, Reply, Request};
use crate::{
    Answers, App, CallRequest, CallResult, Content, DifyError, End, Error, FileRef, Manifest, Mode,
    Outcome, Questions, Tool,
};

/// The host promises JSON objects; a text that is none is the host's fault, and the call cannot go on.
pub(super) fn object(text: &str, what: &str) -> Result<Map<String, Value>, Error> {
    serde_json::from_str(text).map_err(|_| unreadable(what))
}

pub(super) fn value(text: &str, what: &str) -> Result<Value, Error> {
    serde_json::from_str(text).map_err(|_| unreadable(what))
}

fn unreadable(what: &str) -> Error {
    Error::Failed(format!(
        "The host handed over {what} that this guest cannot read."
    ))
}

pub(super) fn text(object: Map<String, Value>) -> String {
    Value::Object(object).to_string()
}

// === what the host hands in ===

pub(super) fn app(app: types::App) -> Result<App, Error> {
    Ok(App {
        name: app.name,
        description: app.description,
        mode: Mode::from_word(&app.mode),
        tags: app.tags,
        parameters: value(&app.parameters, "the app's parameters")?,
        settings: app.settings,
        extra: object(&app.extra, "facts on the app")?,
    })
}

pub(super) fn request(request: tools::CallRequest) -> Result<CallRequest, Error> {
    Ok(CallRequest {
        tool: request.tool,
        arguments: object(&request.arguments, "arguments")?,
        answers: request.answers.map(answers).transpose()?,
        extra: object(&request.extra, "a request")?,
    })
}

pub(super) fn answers(answers: types::Answers) -> Result<Answers, Error> {
    Ok(Answers {
        responses: object(&answers.responses, "answers")?,
        state: answers.state,
    })
}

pub(super) fn answer(answer: dify::Answer) -> Result<Answer, Error> {
    Ok(Answer {
        status: answer.status,
        text: answer.text,
        outputs: object(&answer.outputs, "outputs")?,
        files: answer.files.into_iter().map(FileRef).collect(),
        usage: answer
            .usage
            .map(|usage| value(&usage, "a usage"))
            .transpose()?,
        conversation: answer.conversation,
        extra: object(&answer.extra, "an answer")?,
    })
}

pub(super) fn event(event: dify::Event) -> Result<Event, Error> {
    Ok(match event {
        dify::Event::Text(text) => Event::Text(text),
        dify::Event::Replace(text) => Event::Replace(text),
        dify::Event::Thought(text) => Event::Thought(text),
        dify::Event::NodeStarted(started) => Event::NodeStarted(node(started)?),
        dify::Event::NodeFinished(finished) => Event::NodeFinished(node(finished)?),
        dify::Event::File(file) => Event::File(FileRef(file)),
        dify::Event::Other((name, data)) => {
            let data = value(&data, "an event")?;
            Event::Other(name, data)
        }
        dify::Event::Done(end) => Event::Done(answer(end)?),
    })
}

fn node(node: dify::Node) -> Result<Node, Error> {
    Ok(Node {
        id: node.id,
        kind: node.kind,
        title: node.title,
        status: node.status,
        elapsed_ms: node.elapsed_ms,
        extra: object(&node.extra, "a node")?,
    })
}

pub(super) fn error_in(error: types::Error) -> Error {
    match error {
        types::Error::InvalidArguments(words) => Error::InvalidArguments(words),
        types::Error::UnknownTool(name) => Error::UnknownTool(name),
        types::Error::Dify(error) => Error::from(DifyError {
            status: error.status,
            code: error.code,
            message: error.message,
            retryable: error.retryable,
            // An error about the error would hide what Dify said.
            extra: object(&error.extra, "an error").unwrap_or_default(),
        }),
        types::Error::Failed(words) => Error::Failed(words),
        types::Error::Other(other) => {
            value(&other, "an error").map_or_else(|fault| fault, Error::Other)
        }
    }
}

// === what the guest hands out ===

pub(super) fn manifest(manifest: Manifest) -> types::Manifest {
    types::Manifest {
        instructions: manifest.instructions,
        tools: manifest.tools.into_iter().map(tool).collect(),
        extra: text(manifest.extra),
    }
}

fn tool(tool: Tool) -> types::Tool {
    types::Tool {
        name: tool.name,
        title: tool.title,
        description: tool.description,
        input_schema: Value::from(tool.input).to_string(),
        output_schema: tool.output.map(|schema| Value::from(schema).to_string()),
        annotations: tool
            .annotations
            .map(|annotations| Value::from(annotations).to_string()),
        requires: tool.requires,
        task: tool.task,
        extra: text(tool.extra),
    }
}

pub(super) fn outcome(outcome: Outcome) -> types::Outcome {
    match outcome {
        End::Complete(result) => types::Outcome::Complete(self::result(result)),
        End::InputRequired(asked) => types::Outcome::InputRequired(questions(asked)),
        End::Other(other) => types::Outcome::Other(other.to_string()),
    }
}

pub(super) fn questions(questions: Questions) -> types::Questions {
    types::Questions {
        requests: text(questions.requests),
        state: questions.state,
    }
}

fn result(result: CallResult) -> types::CallResult {
    types::CallResult {
        content: result.content.into_iter().map(content).collect(),
        structured: result.structured.map(|structured| structured.to_string()),
        is_error: result.is_error,
        meta: (!result.meta.is_empty()).then(|| text(result.meta)),
        extra: text(result.extra),
    }
}

pub(super) fn content(content: Content) -> types::Content {
    match content {
        Content::Text(text) => types::Content::Text(text),
        Content::File(file) => types::Content::File(file.0),
        Content::Other(block) => types::Content::Other(block.to_string()),
    }
}

pub(super) fn run(request: &Request) -> dify::Request {
    dify::Request {
        inputs: text(request.inputs.clone()),
        query: request.query.clone(),
        conversation: request.conversation.clone(),
        files: request.files.iter().map(|file| file.0.clone()).collect(),
        extra: text(request.extra.clone()),
    }
}

pub(super) fn reply(reply: &Reply) -> dify::Reply {
    dify::Reply {
        pause: reply.pause.clone(),
        action: reply.action.clone(),
        inputs: text(reply.inputs.clone()),
        extra: text(reply.extra.clone()),
    }
}

pub(super) fn error_out(error: Error) -> types::Error {
    match error {
        Error::InvalidArguments(words) => types::Error::InvalidArguments(words),
        Error::UnknownTool(name) => types::Error::UnknownTool(name),
        Error::Dify(error) => types::Error::Dify(types::DifyError {
            status: error.status,
            code: error.code,
            message: error.message,
            retryable: error.retryable,
            extra: text(error.extra),
        }),
        Error::Failed(words) => types::Error::Failed(words),
        Error::Other(other) => types::Error::Other(other.to_string()),
    }
}
