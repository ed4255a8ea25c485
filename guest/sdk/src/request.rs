use serde_json::{Map, Value};

use crate::{Error, FromArgument};

/// One call of one tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallRequest {
    /// The tool's name in the guest's own manifest.
    pub tool: String,
    /// What the caller gave; it fits the tool's input schema.
    pub arguments: Map<String, Value>,
    /// Present where this call goes on after [`crate::Questions`].
    pub answers: Option<Answers>,
    /// What later hosts say besides.
    pub extra: Map<String, Value>,
}

impl CallRequest {
    /// The argument of this name as the type that is wanted; `Option` for one that may be left out or null.
    ///
    /// ```
    /// # use airlock_guest::{CallRequest, Error, Value, json};
    /// # fn main() -> Result<(), Error> {
    /// # let Value::Object(arguments) = json!({"topic": "rain"}) else { return Ok(()) };
    /// # let request = CallRequest { arguments, ..CallRequest::default() };
    /// let topic: &str = request.get("topic")?;
    /// let points: Option<i64> = request.get("points")?;
    /// assert_eq!((topic, points), ("rain", None));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArguments`] where it is missing or of another type; the sentence names it.
    pub fn get<'a, T: FromArgument<'a>>(&'a self, name: &str) -> Result<T, Error> {
        let value = self.arguments.get(name);
        T::from_argument(value).ok_or_else(|| {
            let fault = if value.is_none_or(Value::is_null) {
                "is missing: it must be"
            } else {
                "must be"
            };
            Error::InvalidArguments(format!("`{name}` {fault} {}", T::EXPECTED))
        })
    }
}

/// The client's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session<'a> {
    /// The handle that it goes on with; none where it has no conversation yet.
    pub conversation: Option<&'a str>,
}

impl CallRequest {
    /// The client's session, where the operator lets conversations follow sessions and the client has one. Say with
    /// [`crate::CallResult::conversation`] what it goes on with.
    #[must_use]
    pub fn session(&self) -> Option<Session<'_>> {
        let session = self.extra.get("session")?;
        Some(Session {
            conversation: session.get("conversation").and_then(Value::as_str),
        })
    }
}

/// A person's answers to [`crate::Questions`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// MCP's `inputResponses`, by the keys that the guest chose.
    pub responses: Map<String, Value>,
    /// The guest's own state, as it left it.
    pub state: Vec<u8>,
}
