use airlock_guest::dify::Request;
use airlock_guest::form::Kind;
use airlock_guest::{App, Error, Map};

/// How this app is asked something: in its query where it converses, else in the variable that takes the longest text.
pub(crate) struct Question {
    variable: Option<String>,
    rest: Request,
}

impl Question {
    /// # Errors
    /// The app takes no text, or requires more than one.
    pub(crate) fn for_app(app: &App) -> Result<Question, Error> {
        let form = app.form();
        let variable = if app.mode.converses() {
            None
        } else {
            let texts = form
                .fields
                .iter()
                .filter(|field| field.is_shown())
                .filter_map(|field| match field.kind {
                    Kind::Text { max_length } => {
                        Some((max_length.unwrap_or(u64::MAX), &field.variable))
                    }
                    _ => None,
                });
            let (_, longest) = texts.max_by_key(|(most, _)| *most).ok_or_else(|| {
                Error::Failed(format!(
                    "This guest asks in words, and “{}” has no input for a text.",
                    app.name
                ))
            })?;
            Some(longest.clone())
        };
        if let Some(other) = form
            .required()
            .find(|name| Some(*name) != variable.as_deref())
        {
            return Err(Error::Failed(format!(
                "This guest gives “{}” one text, but the app also requires `{other}`. Give it a default in Dify.",
                app.name
            )));
        }
        // Variables with a default get it: Dify applies defaults only in some modes.
        let rest = Request::new().inputs(form.complete(Map::new()));
        Ok(Question { variable, rest })
    }

    /// What the app is run with. A new conversation each time: one topic must not colour the next.
    pub(crate) fn about(&self, topic: &str, count: i64) -> Request {
        let words = format!(
            "Sum up in {count} short points, one per line, without an introduction: {topic}"
        );
        let request = self.rest.clone();
        match &self.variable {
            Some(variable) => request.input(variable, words),
            None => request.query(words),
        }
    }
}
