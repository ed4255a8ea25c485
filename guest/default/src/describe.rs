use airlock_guest::{Annotations, App, Manifest, Mode, Tool};

use crate::arguments::Layout;
use crate::{name, pause};

/// The most inputs that a description made from nothing else names.
const NAMED: usize = 8;

pub(crate) fn manifest(app: &App) -> Manifest {
    let tool = Tool::new(name::of(app), description(app))
        .title(app.name.clone())
        .input(Layout::of(app).schema())
        .annotations(annotations(&app.mode))
        .task();
    let mut manifest = Manifest::new().tool(tool);
    // One tool more for each app would be noise: most never ask anybody.
    if app.pauses() {
        manifest = manifest.tool(pause::tool(app));
    }
    match instructions(app) {
        Some(words) => manifest.instructions(words),
        None => manifest,
    }
}

/// The author's words where there are any; else what the mode and the form say, and no more than that.
fn description(app: &App) -> String {
    let written = app.description.trim();
    if !written.is_empty() {
        return written.to_owned();
    }
    let name = app.name.trim();
    let does = match &app.mode {
        Mode::Chat | Mode::AdvancedChat | Mode::Other(_) => {
            format!("Asks the chat app “{name}” and returns its answer.")
        }
        Mode::AgentChat | Mode::Agent => {
            format!(
                "Gives a task to the agent “{name}”, which may use tools of its own, and returns its answer."
            )
        }
        Mode::Completion => format!("Runs the text generator “{name}” and returns its text."),
        Mode::Workflow => format!("Runs the workflow “{name}” and returns its outputs."),
    };
    let form = app.form();
    let labels: Vec<&str> = form
        .fields
        .iter()
        .filter(|field| field.is_shown())
        .map(|field| field.label.as_str())
        .collect();
    match (labels.len(), app.mode.converses()) {
        (0, true) => does,
        (0, false) => format!("{does} It takes no inputs."),
        (count, _) if count > NAMED => {
            format!(
                "{does} Inputs: {} and {} more.",
                labels[..NAMED].join(", "),
                count - NAMED
            )
        }
        _ => format!("{does} Inputs: {}.", labels.join(", ")),
    }
}

/// What the app says of itself, and how it begins.
fn instructions(app: &App) -> Option<String> {
    let mut parts = Vec::new();
    let written = app.description.trim();
    if !written.is_empty() {
        parts.push(written.to_owned());
    }
    if let Some(opening) = app.opening_statement() {
        parts.push(format!("The app opens a conversation with: {opening}"));
    }
    let questions: Vec<&str> = app.suggested_questions().collect();
    if !questions.is_empty() {
        parts.push(format!(
            "Questions it suggests:\n- {}",
            questions.join("\n- ")
        ));
    }
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

/// Nobody can tell from outside what an app does: a workflow may send mail. So it is said to reach the world and to
/// change things, and only the two modes that do nothing but generate text are said to destroy nothing.
pub(crate) fn annotations(mode: &Mode) -> Annotations {
    let hints = Annotations::new()
        .read_only(false)
        .idempotent(false)
        .open_world(true);
    match mode {
        Mode::Chat | Mode::Completion => hints.destructive(false),
        Mode::AgentChat | Mode::AdvancedChat | Mode::Workflow | Mode::Agent | Mode::Other(_) => {
            hints
        }
    }
}
