use serde_json::{Map, Value};

use crate::FileRef;

/// A type that an argument can be read as; see [`crate::CallRequest::get`].
pub trait FromArgument<'a>: Sized {
    /// What the argument must be, in words that follow "must be".
    const EXPECTED: &'static str;

    /// The argument as this type; `None` where it is absent or something else.
    fn from_argument(value: Option<&'a Value>) -> Option<Self>;
}

impl<'a> FromArgument<'a> for &'a Value {
    const EXPECTED: &'static str = "there";

    fn from_argument(value: Option<&'a Value>) -> Option<Self> {
        value
    }
}

impl<'a> FromArgument<'a> for &'a str {
    const EXPECTED: &'static str = "a text";

    fn from_argument(value: Option<&'a Value>) -> Option<Self> {
        value?.as_str()
    }
}

impl<'a> FromArgument<'a> for String {
    const EXPECTED: &'static str = "a text";

    fn from_argument(value: Option<&'a Value>) -> Option<Self> {
        Some(value?.as_str()?.to_owned())
    }
}

impl<'a> FromArgument<'a> for FileRef {
    const EXPECTED: &'static str = "a file";

    fn from_argument(value: Option<&'a Value>) -> Option<Self> {
        Some(FileRef(value?.as_str()?.to_owned()))
    }
}

impl<'a> FromArgument<'a> for bool {
    const EXPECTED: &'static str = "true or false";

    fn from_argument(value: Option<&'a Value>) -> Option<Self> {
        value?.as_bool()
    }
}

impl<'a> FromArgument<'a> for f64 {
    const EXPECTED: &'static str = "a number";

    fn from_argument(value: Option<&'a Value>) -> Option<Self> {
        value?.as_f64()
    }
}

impl<'a> FromArgument<'a> for i64 {
    const EXPECTED: &'static str = "a whole number";

    /// JSON Schema takes `3.0` for an integer, and so does this.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the bound is that of integers a float holds exactly"
    )]
    fn from_argument(value: Option<&'a Value>) -> Option<Self> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let value = value?;
        value.as_i64().or_else(|| {
            let float = value
                .as_f64()
                .filter(|float| float.fract() == 0.0 && float.abs() <= EXACT)?;
            Some(float as i64)
        })
    }
}

impl<'a> FromArgument<'a> for &'a Map<String, Value> {
    const EXPECTED: &'static str = "an object";

    fn from_argument(value: Option<&'a Value>) -> Option<Self> {
        value?.as_object()
    }
}

impl<'a, T: FromArgument<'a>> FromArgument<'a> for Vec<T> {
    const EXPECTED: &'static str = "a list whose items all fit";

    fn from_argument(value: Option<&'a Value>) -> Option<Self> {
        value?
            .as_array()?
            .iter()
            .map(|item| T::from_argument(Some(item)))
            .collect()
    }
}

impl<'a, T: FromArgument<'a>> FromArgument<'a> for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    /// Clients send null for what they leave out, so it counts as left out.
    fn from_argument(value: Option<&'a Value>) -> Option<Self> {
        match value {
            None | Some(Value::Null) => Some(None),
            Some(_) => T::from_argument(value).map(Some),
        }
    }
}
