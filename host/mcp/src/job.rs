//! What a request asks of its server: the same for all eras.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    Answer, Answers, Call, CallError, CallResult, Complete, Completion, Context, End, GetPrompt,
    Offers, PromptResult, Read, ReadResult, Reference, Task, ToolServer,
    envelope::{is_object, is_too_deep, text},
    fault::{Fault, excerpt},
    params::Params,
};

/// A request that only the server can answer.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Call {
        tool: String,
        /// Files may be in it, so it is copied once and then shared.
        arguments: Arc<RawValue>,
    },
    Read {
        uri: String,
    },
    Prompt {
        name: String,
        arguments: Box<RawValue>,
    },
    Complete {
        reference: Reference,
        argument: String,
        value: String,
        known: Box<RawValue>,
    },
}

/// What it came to.
#[derive(Clone, Debug)]
pub(crate) enum Ended {
    Call(CallResult),
    Read(ReadResult),
    Prompt(PromptResult),
    Completion(Completion),
}

impl Ask {
    /// None for a method that is another's, or that the server does not offer.
    pub(crate) fn read(
        method: &str,
        params: &Params<'_>,
        offers: Offers,
    ) -> Option<Result<Self, Fault>> {
        match method {
            "tools/call" => Some(Self::call(params)),
            "resources/read" if offers.resources => Some(Self::resource(params)),
            "prompts/get" if offers.prompts => Some(Self::prompt(params)),
            "completion/complete" if offers.completions => Some(Self::completion(params)),
            _ => None,
        }
    }

    fn call(params: &Params<'_>) -> Result<Self, Fault> {
        Ok(Self::Call {
            tool: string(params.name, "name")?,
            arguments: object(params.arguments, "arguments")?.into(),
        })
    }

    fn resource(params: &Params<'_>) -> Result<Self, Fault> {
        let uri = string(params.uri, "uri")?;
        Ok(Self::Read { uri })
    }

    fn prompt(params: &Params<'_>) -> Result<Self, Fault> {
        Ok(Self::Prompt {
            name: string(params.name, "name")?,
            arguments: object(params.arguments, "arguments")?,
        })
    }

    fn completion(params: &Params<'_>) -> Result<Self, Fault> {
        #[derive(Deserialize)]
        struct Ref<'a> {
            #[serde(borrow)]
            r#type: Option<&'a RawValue>,
            #[serde(borrow)]
            name: Option<&'a RawValue>,
            #[serde(borrow)]
            uri: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        struct Argument<'a> {
            #[serde(borrow)]
            name: Option<&'a RawValue>,
            #[serde(borrow)]
            value: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        struct Known<'a> {
            #[serde(borrow)]
            arguments: Option<&'a RawValue>,
        }
        let reference: Ref<'_> = member(params.reference, "ref")?;
        let argument: Argument<'_> = member(params.argument, "argument")?;
        let known = match params.context {
            Some(context) => member::<Known<'_>>(Some(context), "context")?.arguments,
            None => None,
        };
        let reference = match reference.r#type.and_then(text).as_deref() {
            Some("ref/prompt") => Reference::Prompt(string(reference.name, "ref.name")?),
            Some("ref/resource") => Reference::Resource(string(reference.uri, "ref.uri")?),
            Some(_) | None => return Err(invalid("ref.type is ref/prompt or ref/resource")),
        };
        Ok(Self::Complete {
            reference,
            argument: string(argument.name, "argument.name")?,
            value: string(argument.value, "argument.value")?,
            known: object(known, "context.arguments")?,
        })
    }

    /// What it is asked by: a tool, a URI, a prompt, a reference.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Call { tool, .. } => tool,
            Self::Read { uri } => uri,
            Self::Prompt { name, .. } => name,
            Self::Complete { reference, .. } => match reference {
                Reference::Prompt(name) => name,
                Reference::Resource(uri) => uri,
            },
        }
    }

    /// Asks the server.
    pub(crate) fn start(
        &self,
        server: &Arc<dyn ToolServer>,
        answers: Option<Answers>,
        task: Option<Task>,
        context: Context,
    ) -> Answer<End<Ended>> {
        match self.clone() {
            Self::Call { tool, arguments } => {
                let call = server.call(Call {
                    tool,
                    arguments,
                    answers,
                    task,
                    context,
                });
                Box::pin(async { Ok(call.await?.map(Ended::Call)) })
            }
            Self::Read { uri } => {
                let read = server.read(Read {
                    uri,
                    answers,
                    context,
                });
                Box::pin(async { Ok(read.await?.map(Ended::Read)) })
            }
            Self::Prompt { name, arguments } => {
                let prompt = server.prompt(GetPrompt {
                    name,
                    arguments,
                    answers,
                    context,
                });
                Box::pin(async { Ok(prompt.await?.map(Ended::Prompt)) })
            }
            Self::Complete {
                reference,
                argument,
                value,
                known,
            } => {
                let complete = server.complete(Complete {
                    reference,
                    argument,
                    value,
                    known,
                    context,
                });
                Box::pin(async { Ok(End::Complete(Ended::Completion(complete.await?))) })
            }
        }
    }

    /// The error that says it in the protocol's words.
    pub(crate) fn fault(&self, error: CallError, modern: bool) -> Fault {
        match error {
            CallError::Unknown => match self {
                Self::Call { tool, .. } => Fault::UnknownTool(excerpt(tool)),
                Self::Prompt { name, .. } => Fault::UnknownPrompt(excerpt(name)),
                Self::Read { uri } => Fault::NoResource {
                    uri: excerpt(uri),
                    modern,
                },
                Self::Complete { .. } => {
                    Fault::InvalidParams(format!("there is no {}", excerpt(self.name())))
                }
            },
            CallError::InvalidArguments(words) => Fault::InvalidParams(words),
            CallError::MissingCapability(needed) if modern => Fault::MissingCapability(needed),
            CallError::MissingCapability(needed) => Fault::Internal(undeclared(needed)),
            CallError::Cancelled => Fault::Cancelled,
            CallError::Gone => Fault::Gone,
            CallError::Interrupted => Fault::Interrupted,
            CallError::Suspended => Fault::Internal("The server is stopping".to_owned()),
            CallError::Internal(words) => Fault::Internal(words),
        }
    }
}

/// In words, for clients that know no code for it.
pub(crate) fn undeclared(needed: crate::Capabilities) -> String {
    format!(
        "This needs a client that declares {}, and this connection does not.",
        needed.to_json()
    )
}

impl<T> End<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> End<U> {
        match self {
            Self::Complete(answer) => End::Complete(change(answer)),
            Self::InputRequired(questions) => End::InputRequired(questions),
        }
    }
}

pub(crate) fn string(raw: Option<&RawValue>, name: &str) -> Result<String, Fault> {
    let text = raw.and_then(text);
    text.map(|text| text.into_owned())
        .ok_or_else(|| invalid(&format!("{name} must be a string")))
}

/// An object that readers which recurse can stand; `{}` where there is none.
pub(crate) fn object(raw: Option<&RawValue>, name: &str) -> Result<Box<RawValue>, Fault> {
    match raw {
        Some(raw) if !is_object(raw) => Err(invalid(&format!("{name} must be an object"))),
        Some(raw) if is_too_deep(raw) => Err(invalid(&format!(
            "{name} are nested deeper than 127 levels"
        ))),
        Some(raw) => Ok(raw.to_owned()),
        None => Ok(RawValue::from_string("{}".to_owned()).expect("an empty object is JSON")),
    }
}

fn member<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>, name: &str) -> Result<T, Fault> {
    raw.filter(|raw| is_object(raw))
        .and_then(|raw| serde_json::from_str(raw.get()).ok())
        .ok_or_else(|| invalid(&format!("{name} must be an object")))
}

pub(crate) fn invalid(words: &str) -> Fault {
    Fault::InvalidParams(words.to_owned())
}
