use airlock_guest::form::{Field, Kind};
use airlock_guest::{
    App, CompleteRequest, Completion, Error, Prompt, PromptArgument, PromptList, PromptRequest,
    PromptResult, Reference, Role,
};

use crate::arguments::{Layout, QUERY};
use crate::name;

/// The most suggested questions that become prompts: clients show prompts as a menu.
const QUESTIONS: usize = 8;
/// The prompt of a suggested question is this and its place, counted from 1.
const QUESTION: &str = "question_";

/// One prompt with the tool's inputs to fill in, by the tool's name; and one for each suggested question.
pub(crate) fn list(app: &App) -> PromptList {
    let layout = Layout::of(app);
    let mut whole = Prompt::new(name::of(app)).title(app.name.clone());
    if let Some(words) = app
        .opening_statement()
        .or(Some(app.description.trim()))
        .filter(|words| !words.is_empty())
    {
        whole = whole.description(words);
    }
    if layout.converses() {
        let query = PromptArgument::required(QUERY).title("Query");
        whole = whole.argument(query.description("What to say to the app."));
    }
    whole = layout.typed().map(argument).fold(whole, Prompt::argument);
    let questions = app.suggested_questions().take(QUESTIONS).enumerate();
    questions
        .map(|(place, question)| Prompt::new(format!("{QUESTION}{}", place + 1)).title(question))
        .fold(PromptList::new().prompt(whole), PromptList::prompt)
}

fn argument(field: &Field) -> PromptArgument {
    let argument = PromptArgument {
        required: field.required && field.default.is_none(),
        ..PromptArgument::new(field.variable.clone())
    };
    let argument = argument.title(field.label.clone());
    match (&field.hint, &field.kind) {
        (Some(hint), _) => argument.description(hint.clone()),
        (None, Kind::Select { options }) => {
            argument.description(format!("One of: {}", options.join(", ")))
        }
        (None, _) => argument,
    }
}

pub(crate) fn get(app: &App, request: &PromptRequest) -> Result<PromptResult, Error> {
    if request.prompt == name::of(app) {
        return Ok(whole(app, request));
    }
    let question = request
        .prompt
        .strip_prefix(QUESTION)
        .and_then(|place| place.parse::<usize>().ok()?.checked_sub(1))
        .filter(|place| *place < QUESTIONS)
        .and_then(|place| app.suggested_questions().nth(place))
        .ok_or_else(|| Error::Failed("This app has no such prompt any more.".to_owned()))?;
    Ok(PromptResult::user(format!(
        "Ask “{}”: {question}",
        app.name
    )))
}

/// What a person would say to have an AI call the tool. The tool's name is left out: the operator may have given it
/// another.
fn whole(app: &App, request: &PromptRequest) -> PromptResult {
    let layout = Layout::of(app);
    let inputs: Vec<String> = layout
        .typed()
        .filter_map(|field| {
            let value = request.get(&field.variable).trim();
            (!value.is_empty())
                .then(|| format!("- {} (`{}`): {value}", field.label, field.variable))
        })
        .collect();
    let mut words = if layout.converses() {
        format!("Ask “{}”: {}", app.name, request.get(QUERY))
    } else {
        format!("Run “{}”.", app.name)
    };
    if !inputs.is_empty() {
        words = format!("{words}\n\nInputs:\n{}", inputs.join("\n"));
    }
    match app.opening_statement() {
        Some(opening) => PromptResult::default()
            .and(Role::Assistant, opening)
            .and(Role::User, words),
        None => PromptResult::user(words),
    }
}

/// The options of a select.
pub(crate) fn complete(app: &App, request: &CompleteRequest) -> Completion {
    let ours = matches!(&request.reference, Reference::Prompt(prompt) if *prompt == name::of(app));
    let layout = Layout::of(app);
    let field = layout
        .typed()
        .find(|field| ours && field.variable == request.argument);
    match field.map(|field| &field.kind) {
        Some(Kind::Select { options }) => {
            Completion::matching(options.iter().cloned(), &request.value)
        }
        Some(Kind::Checkbox) => Completion::matching(["true", "false"], &request.value),
        _ => Completion::none(),
    }
}
