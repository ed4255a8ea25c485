use airlock_guest::form::Field;
use airlock_guest::{App, ReadResult, Resource, ResourceList};

use crate::arguments::Layout;

/// Every app has this one, and no other: what an app makes is an answer, not a resource.
const URI: &str = "dify-app://about";
const MARKDOWN: &str = "text/markdown";

pub(crate) fn list(app: &App) -> ResourceList {
    let about = Resource::new(URI, "about")
        .title(format!("About “{}”", app.name))
        .description("What this app is, how it begins, and what it takes.")
        .mime_type(MARKDOWN);
    ResourceList::new().resource(about)
}

pub(crate) fn read(app: &App, uri: &str) -> Option<ReadResult> {
    (uri == URI).then(|| ReadResult::text(URI, MARKDOWN, page(app)))
}

/// The app's facts for a person or an AI to read; nothing that the tool's own words would not tell.
fn page(app: &App) -> String {
    let mut page = format!("# {}\n\nA Dify app (`{}`).\n", app.name, app.mode.as_str());
    let description = app.description.trim();
    if !description.is_empty() {
        page.push_str(&format!("\n{description}\n"));
    }
    if !app.tags.is_empty() {
        page.push_str(&format!("\nTags: {}\n", app.tags.join(", ")));
    }
    if let Some(opening) = app.opening_statement() {
        page.push_str(&format!("\n## It begins with\n\n{opening}\n"));
    }
    let questions: Vec<&str> = app.suggested_questions().collect();
    if !questions.is_empty() {
        page.push_str(&format!(
            "\n## It suggests\n\n- {}\n",
            questions.join("\n- ")
        ));
    }
    let layout = Layout::of(app);
    let inputs: Vec<String> = layout.shown().map(input).collect();
    if !inputs.is_empty() {
        page.push_str(&format!("\n## It takes\n\n- {}\n", inputs.join("\n- ")));
    }
    page
}

fn input(field: &Field) -> String {
    let needed = if field.required { ", required" } else { "" };
    let named = format!("{} (`{}`{needed})", field.label, field.variable);
    match &field.hint {
        Some(hint) => format!("{named}: {hint}"),
        None => named,
    }
}
