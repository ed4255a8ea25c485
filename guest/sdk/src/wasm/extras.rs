//! What a guest may export besides its tools, between the contract's records and this crate's types.

use serde_json::Value;

use super::convert::{answers, content, object, questions, text, value};
use super::{completions, prompts, resources};
use crate::{
    Body, CompleteRequest, Completion, Contents, End, Error, Message, Prompt, PromptArgument,
    PromptList, PromptRequest, PromptResult, ReadRequest, ReadResult, Reference, Resource,
    ResourceList, ResourceTemplate,
};

// === resources ===

pub(super) fn resources(list: ResourceList) -> resources::Catalogue {
    resources::Catalogue {
        resources: list.resources.into_iter().map(entry).collect(),
        templates: list.templates.into_iter().map(template).collect(),
        extra: text(list.extra),
    }
}

fn entry(resource: Resource) -> resources::Entry {
    resources::Entry {
        uri: resource.uri,
        name: resource.name,
        title: resource.title,
        description: resource.description,
        mime_type: resource.mime_type,
        extra: text(resource.extra),
    }
}

fn template(template: ResourceTemplate) -> resources::Template {
    resources::Template {
        uri_template: template.uri_template,
        name: template.name,
        title: template.title,
        description: template.description,
        mime_type: template.mime_type,
        extra: text(template.extra),
    }
}

pub(super) fn read(request: resources::ReadRequest) -> Result<ReadRequest, Error> {
    Ok(ReadRequest {
        uri: request.uri,
        answers: request.answers.map(answers).transpose()?,
        extra: object(&request.extra, "a request")?,
    })
}

pub(super) fn read_outcome(read: Option<End<ReadResult>>) -> resources::ReadOutcome {
    match read {
        None => resources::ReadOutcome::NotFound,
        Some(End::Complete(result)) => resources::ReadOutcome::Complete(resources::ReadResult {
            contents: result.contents.into_iter().map(contents).collect(),
            meta: meta(result.meta),
            extra: text(result.extra),
        }),
        Some(End::InputRequired(asked)) => resources::ReadOutcome::InputRequired(questions(asked)),
        Some(End::Other(other)) => resources::ReadOutcome::Other(other.to_string()),
    }
}

fn contents(contents: Contents) -> resources::Contents {
    resources::Contents {
        uri: contents.uri,
        mime_type: contents.mime_type,
        body: match contents.body {
            Body::Text(text) => resources::Body::Text(text),
            Body::Bytes(bytes) => resources::Body::Bytes(bytes),
        },
        extra: text(contents.extra),
    }
}

// === prompts ===

pub(super) fn prompts(list: PromptList) -> prompts::Catalogue {
    prompts::Catalogue {
        prompts: list.prompts.into_iter().map(prompt).collect(),
        extra: text(list.extra),
    }
}

fn prompt(prompt: Prompt) -> prompts::Prompt {
    prompts::Prompt {
        name: prompt.name,
        title: prompt.title,
        description: prompt.description,
        arguments: prompt.arguments.into_iter().map(argument).collect(),
        extra: text(prompt.extra),
    }
}

fn argument(argument: PromptArgument) -> prompts::Argument {
    prompts::Argument {
        name: argument.name,
        title: argument.title,
        description: argument.description,
        required: argument.required,
        extra: text(argument.extra),
    }
}

pub(super) fn get(request: prompts::GetRequest) -> Result<PromptRequest, Error> {
    Ok(PromptRequest {
        prompt: request.prompt,
        arguments: object(&request.arguments, "arguments")?,
        answers: request.answers.map(answers).transpose()?,
        extra: object(&request.extra, "a request")?,
    })
}

pub(super) fn get_outcome(got: End<PromptResult>) -> prompts::GetOutcome {
    match got {
        End::Complete(result) => prompts::GetOutcome::Complete(prompts::GetResult {
            description: result.description,
            messages: result.messages.into_iter().map(message).collect(),
            meta: meta(result.meta),
            extra: text(result.extra),
        }),
        End::InputRequired(asked) => prompts::GetOutcome::InputRequired(questions(asked)),
        End::Other(other) => prompts::GetOutcome::Other(other.to_string()),
    }
}

fn message(message: Message) -> prompts::Message {
    prompts::Message {
        role: message.role.as_str().to_owned(),
        content: content(message.content),
        extra: text(message.extra),
    }
}

fn meta(meta: serde_json::Map<String, Value>) -> Option<String> {
    (!meta.is_empty()).then(|| text(meta))
}

// === completions ===

pub(super) fn complete(request: completions::CompleteRequest) -> Result<CompleteRequest, Error> {
    Ok(CompleteRequest {
        reference: match request.reference {
            completions::Reference::Prompt(name) => Reference::Prompt(name),
            completions::Reference::Template(uri) => Reference::Template(uri),
            completions::Reference::Other(other) => Reference::Other(value(&other, "a reference")?),
        },
        argument: request.argument,
        value: request.value,
        known: object(&request.known, "arguments")?,
        extra: object(&request.extra, "a request")?,
    })
}

pub(super) fn completion(completion: Completion) -> completions::Completion {
    completions::Completion {
        values: completion.values,
        total: completion.total,
        more: completion.more,
        extra: text(completion.extra),
    }
}
