//! An app that waits for a person: the question to the client's user, the answer to the app, and the words where nobody can
//! be asked. Dify's own MCP server answers `{}` here, as a success; a caller then takes the run for done.

use airlock_guest::dify::{self, Answer, Pause, Reply};
use airlock_guest::form::{Field, Kind};
use airlock_guest::{
    Answers, App, CallRequest, CallResult, Error, Map, Outcome, Questions, Schema, Tool, Value,
    client, json,
};

use crate::conversation::GoesOn;
use crate::{answer, describe, name};

/// The guest's key for its question.
const QUESTION: &str = "form";
/// Characters of what the app said before it paused that are shown above its form.
const SAID: usize = 2_000;
/// Around the place in a form's text where an input belongs.
const SLOT: (&str, &str) = ("{{#", "#}}");

/// The tool that takes an answer, for clients whose users cannot be asked in the call.
pub(crate) fn tool(app: &App) -> Tool {
    let words = format!(
        "Answers a question that “{}” put to a person while it ran, and returns what comes of it. Use it when a result says \
         that the app waits: ask the user, and pass on what they say.",
        app.name
    );
    let pause = Schema::text()
        .min_length(1)
        .title("Pause")
        .description("Which question: the handle that the result named.");
    let action = Schema::text()
        .min_length(1)
        .title("Action")
        .description("What the user chose: the id of one of the actions that the result listed.");
    let inputs = Schema::object()
        .open()
        .title("Inputs")
        .description("A value for each input that the result listed, by its name.");
    Tool::new(name::of_answers(&name::of(app)), words)
        .title(format!("Answer {}", app.name))
        .input(
            Schema::object()
                .required("pause", pause)
                .required("action", action)
                .property("inputs", inputs),
        )
        .annotations(describe::annotations(&app.mode))
        .task()
}

/// Goes on with a run after a call of that tool.
pub(crate) fn answer(app: &App, tool: &str, request: &CallRequest) -> Result<Outcome, Error> {
    let reply = Reply {
        pause: request.get("pause")?,
        action: request.get("action")?,
        inputs: request
            .get::<Option<&Map<String, Value>>>("inputs")?
            .cloned()
            .unwrap_or_default(),
        ..Reply::default()
    };
    let goes_on = GoesOn::from_reply(request);
    Ok(outcome(app, tool, dify::resume(&reply)?.finish()?, goes_on))
}

/// Goes on with a run after its question was put to the user.
pub(crate) fn answered(
    app: &App,
    tool: &str,
    answers: &Answers,
    goes_on: GoesOn,
) -> Result<Outcome, Error> {
    let state: Option<Value> = std::str::from_utf8(&answers.state)
        .ok()
        .and_then(|state| state.parse().ok());
    let state =
        state.ok_or_else(|| Error::Failed("This call cannot go on. Start again.".to_owned()))?;
    let pause = Pause::from_json(&state);
    let response = answers.responses.get(QUESTION).unwrap_or(&Value::Null);
    if response.is_null() {
        return Ok(question(&pause, "").into());
    }
    if response["action"] != "accept" {
        return Ok(waits(
            tool,
            &[pause],
            "Nothing was answered, so the app still waits for a person.",
        )
        .into());
    }
    match dify::resume(&reply(&pause, &response["content"])) {
        Ok(run) => Ok(outcome(app, tool, run.finish()?, goes_on)),
        // Clients check what is typed, or not.
        Err(Error::InvalidArguments(words)) => Ok(question(&pause, &words).into()),
        Err(error) => Err(error),
    }
}

/// What a run came to: its result, or a question where the app waits and the client's user can be asked. `tool` is what takes
/// an answer else.
pub(crate) fn outcome(app: &App, tool: &str, answer: Answer, goes_on: GoesOn) -> Outcome {
    if answer.status != "paused" {
        return answer::result(&app.mode, answer, goes_on).into();
    }
    let pauses = answer.pauses();
    if takes_forms()
        && let Some(pause) = pauses.iter().find(|pause| can_be_asked(pause))
    {
        // Where it waits for several people, they are asked one by one: the run pauses again for the next.
        return question(pause, &prefix(&answer.text, SAID)).into();
    }
    let waits = waits(
        tool,
        &pauses,
        "The app waits for a person, so this is not done yet.",
    );
    answer::unfinished(answer, waits, goes_on).into()
}

/// Clients that say no more than `{}` mean forms.
fn takes_forms() -> bool {
    match client::who().capabilities.get("elicitation") {
        Some(Value::Object(modes)) => modes.is_empty() || modes.contains_key("form"),
        _ => false,
    }
}

/// MCP's forms are flat, and hold no files but by their address.
fn can_be_asked(pause: &Pause) -> bool {
    let carried = |field: &Field| match &field.kind {
        Kind::Text { .. } | Kind::Select { .. } | Kind::Number | Kind::Checkbox => true,
        Kind::File(files) | Kind::FileList { files, .. } => files.takes_urls(),
        Kind::JsonObject { .. } | Kind::External | Kind::Other(_) => false,
    };
    pause.handle.is_some() && !pause.actions.is_empty() && pause.form().fields.iter().all(carried)
}

fn question(pause: &Pause, before: &str) -> Questions {
    let parts = [pause.title.as_str(), before, &readable(&pause.content)];
    let parts: Vec<&str> = parts
        .into_iter()
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    let mut schema = Schema::object().open();
    for field in pause.form().fields {
        schema = property(schema, &field);
    }
    if pause.actions.len() > 1 {
        let action = Schema::choice(choices(pause)).title("Action");
        schema = schema.required(&action_name(pause), action);
    }
    Questions::new(pause.to_json().to_string()).elicit(QUESTION, &parts.join("\n\n"), schema)
}

fn property(schema: Schema, field: &Field) -> Schema {
    let (required, body) = match &field.kind {
        Kind::Select { options } => (true, Schema::choice(options.clone())),
        Kind::Number => (true, Schema::number()),
        Kind::Checkbox => (true, Schema::boolean()),
        Kind::File(_) => (
            true,
            Schema::text()
                .set("format", "uri")
                .description("The address of a file."),
        ),
        Kind::FileList { .. } => {
            let words = "Addresses of files, with a space between two.";
            (false, Schema::text().description(words))
        }
        // A person may well have nothing to add.
        Kind::Text { .. } | Kind::JsonObject { .. } | Kind::External | Kind::Other(_) => {
            (false, Schema::text())
        }
    };
    let body = body.title(&field.label);
    let body = match &field.default {
        Some(default) => body.default(default.clone()),
        None => body,
    };
    if required {
        schema.required(&field.variable, body)
    } else {
        schema.property(&field.variable, body)
    }
}

/// What the person chooses from: the titles, where they tell the actions apart.
fn choices(pause: &Pause) -> Vec<String> {
    let titles: Vec<String> = pause
        .actions
        .iter()
        .map(|action| action.title.clone())
        .collect();
    let twice = |title: &String| {
        title.is_empty() || titles.iter().filter(|other| *other == title).count() > 1
    };
    if titles.iter().any(twice) {
        pause
            .actions
            .iter()
            .map(|action| action.id.clone())
            .collect()
    } else {
        titles
    }
}

/// An input of the form may have the name already.
fn action_name(pause: &Pause) -> String {
    let (form, mut name) = (pause.form(), "action".to_owned());
    while form.field(&name).is_some() {
        name.push('_');
    }
    name
}

/// The app's inputs for what a person filled in. The host checks them.
fn reply(pause: &Pause, content: &Value) -> Reply {
    let mut inputs = Map::new();
    for field in pause.form().fields {
        let given = content
            .get(&field.variable)
            .filter(|given| !given.is_null());
        let value = match (&field.kind, given) {
            (Kind::FileList { .. }, given) => {
                let addresses = given.and_then(Value::as_str).unwrap_or_default();
                json!(addresses.split_whitespace().collect::<Vec<_>>())
            }
            (_, Some(given)) => given.clone(),
            (Kind::Text { .. }, None) => json!(""),
            (_, None) => continue,
        };
        inputs.insert(field.variable, value);
    }
    let chosen = content.get(action_name(pause)).and_then(Value::as_str);
    let action = match (pause.actions.as_slice(), chosen) {
        ([only], _) => only.id.clone(),
        (actions, Some(chosen)) => {
            let place = choices(pause).iter().position(|choice| choice == chosen);
            place.map_or_else(|| chosen.to_owned(), |place| actions[place].id.clone())
        }
        (_, None) => String::new(),
    };
    Reply {
        pause: pause.handle.clone().unwrap_or_default(),
        action,
        inputs,
        ..Reply::default()
    }
}

/// What is waited for, and how to go on. An error, since what was asked for is not done.
fn waits(tool: &str, pauses: &[Pause], first: &str) -> CallResult {
    let mut words = vec![first.to_owned()];
    words.extend(pauses.iter().map(described));
    if pauses.iter().any(|pause| pause.handle.is_some()) {
        words.push(format!(
            "To go on, ask the user and do not decide for them. Then call `{tool}` with the `pause` named above, the id of \
             the `action` they chose, and in `inputs` a value for each input."
        ));
    } else {
        words.push("Nobody can answer here. Whoever Dify has told of it has to; the result is then to be found there.".to_owned());
    }
    CallResult::failed(words.join("\n\n"))
}

fn described(pause: &Pause) -> String {
    let mut lines = Vec::new();
    if !pause.title.is_empty() {
        lines.push(format!("**{}**", pause.title));
    }
    lines.push(readable(&pause.content));
    for field in &pause.form().fields {
        let now = match &field.default {
            Some(default) => format!("; the form proposes {default}"),
            None => String::new(),
        };
        lines.push(format!(
            "- Input `{}`: {}{now}",
            field.variable,
            wanted(&field.kind)
        ));
    }
    for action in &pause.actions {
        lines.push(format!("- Action `{}`: {}", action.id, action.title));
    }
    if let Some(expires) = pause.expires {
        lines.push(format!("- It waits until {}.", utc(expires)));
    }
    if let Some(handle) = &pause.handle {
        lines.push(format!("- Its `pause` is `{handle}`."));
    }
    lines.join("\n")
}

fn wanted(kind: &Kind) -> String {
    match kind {
        Kind::Text { .. } => "a text, which may be empty".to_owned(),
        Kind::Select { options } => format!("one of {}", json!(options)),
        Kind::Number => "a number".to_owned(),
        Kind::Checkbox => "true or false".to_owned(),
        Kind::File(files) | Kind::FileList { files, .. } if !files.takes_urls() => {
            "a file, as an object with its `data` in base64 and its `name`".to_owned()
        }
        Kind::File(_) => "the http or https address of a file".to_owned(),
        Kind::FileList { max_items, .. } => {
            let most = max_items.map_or(String::new(), |most| format!(", {most} at most"));
            format!("a list of http or https addresses of files{most}")
        }
        Kind::JsonObject { .. } => "an object".to_owned(),
        Kind::External | Kind::Other(_) => "a value".to_owned(),
    }
}

/// A form's text with the names of its inputs where they belong.
fn readable(content: &str) -> String {
    let mut parts = content.split(SLOT.0);
    let mut words = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(SLOT.1) {
            Some((slot, rest)) => {
                let name = slot.rsplit('.').next().unwrap_or(slot);
                words.push_str(&format!("[{name}]{rest}"));
            }
            None => words.extend([SLOT.0, part]),
        }
    }
    words.trim().to_owned()
}

fn prefix(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// A minute of Unix time. Days become dates as Howard Hinnant's `civil_from_days` has it: years begin in March.
fn utc(seconds: u64) -> String {
    let (days, minutes) = (seconds / 86_400 + 719_468, seconds % 86_400 / 60);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = era * 400 + year + later;
    format!(
        "{year}-{month:02}-{day:02} {:02}:{:02} UTC",
        minutes / 60,
        minutes % 60
    )
}

#[cfg(test)]
mod tests {
    use super::{readable, utc};

    #[test]
    fn a_form_s_text_names_its_inputs() {
        let content = "Check **{{#start1.query#}}**\n\n{{#$output.note#}} {{#";
        assert_eq!(readable(content), "Check **[query]**\n\n[note] {{#");
    }

    #[test]
    fn a_time_is_a_date() {
        assert_eq!(utc(1_795_375_117), "2026-11-22 19:18 UTC");
        assert_eq!(utc(951_782_399), "2000-02-28 23:59 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00 UTC");
    }
}
