//! Replies on the terminal: for people, or as JSON.

use std::fmt::Write;

use serde_json::Value;

use crate::ops::{AppView, GuestCheck, Learnt, Reply};
use crate::publish::difference::{Difference, Renamed};

/// Prints a reply.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn print(reply: &Reply, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(reply)?);
    } else {
        print!("{}", text(reply));
    }
    Ok(())
}

/// A reply for people.
#[must_use]
pub fn text(reply: &Reply) -> String {
    match reply {
        Reply::Added { app, existed: true } => {
            format!(
                "{} is registered already, and was left as it was\n{}",
                app.slug,
                one(app)
            )
        }
        Reply::Added {
            app,
            existed: false,
        } => {
            format!(
                "{}\nit is off; publish it with: airlock app enable {}\n",
                one(app).trim_end(),
                app.slug
            )
        }
        Reply::Learnt { app, learnt } => self::learnt(app, learnt),
        Reply::App { app } => one(app),
        Reply::Apps { apps } if apps.is_empty() => {
            "no app is registered; add one with: printf %s \"$KEY\" | airlock app add -\n".into()
        }
        Reply::Apps { apps } => {
            let mut out = String::new();
            for app in apps {
                let state = if app.enabled { "on" } else { "off" };
                let tools: Vec<&str> = app.tools.iter().map(|tool| tool.name.as_str()).collect();
                line(
                    &mut out,
                    format_args!(
                        "{state:<4}{:<24}{:<14}{}",
                        app.slug,
                        app.mode,
                        tools.join(", ")
                    ),
                );
                if let Some(trouble) = &app.trouble {
                    line(&mut out, format_args!("    trouble: {trouble}"));
                }
            }
            out
        }
        Reply::Metrics { metrics } => metrics.clone(),
        Reply::Checked { check } => checked(check),
        Reply::Removed { removed } => format!("{removed} is removed; its address is dead\n"),
        Reply::Status {
            version,
            enabled,
            apps,
        } => format!("airlock {version}: {enabled} of {apps} apps are on\n"),
    }
}

fn learnt(app: &AppView, learnt: &Learnt) -> String {
    let schema = serde_json::to_string_pretty(&learnt.schema).expect("a JSON object is JSON");
    let Learnt { tool, runs, .. } = learnt;
    if learnt.published {
        return format!(
            "{schema}\n\nthis is what {tool} promises now, learnt from {runs} runs; a result that does not fit takes it back\n"
        );
    }
    format!(
        "{schema}\n\nthis held for the last {runs} runs of {tool}; promise it to clients with: airlock app learn {} --publish\n",
        app.slug
    )
}

fn checked(check: &GuestCheck) -> String {
    let mut out = String::new();
    line(
        &mut out,
        format_args!("{} bytes, {}", check.bytes, check.digest),
    );
    for (import, words) in check.imports.iter().zip(&check.permissions) {
        line(&mut out, format_args!("asks for  {import}: {words}"));
    }
    for export in &check.exports {
        line(&mut out, format_args!("offers    {export}"));
    }
    let app = check.app.as_deref().unwrap_or("the sample app");
    for tool in check.describes.iter().flat_map(|manifest| &manifest.tools) {
        let words = tool.description.lines().next().unwrap_or_default();
        line(
            &mut out,
            format_args!("describes {} for {app}: {words}", tool.name),
        );
    }
    if let Some(words) = &check.declines {
        line(&mut out, format_args!("declines  {app}: {words}"));
    }
    if let Some(changes) = &check.changes {
        line(&mut out, format_args!("\nas the guest of {app}:"));
        if changes.is_empty() {
            line(&mut out, format_args!("  clients would see no change"));
        }
        differences(&mut out, changes);
    }
    out
}

fn differences(out: &mut String, changes: &Difference) {
    for tool in &changes.added {
        line(out, format_args!("  + tool {tool} comes"));
    }
    for tool in &changes.removed {
        line(out, format_args!("  - tool {tool} goes"));
    }
    for Renamed { from, to } in &changes.renamed {
        line(out, format_args!("  ~ tool {from} becomes {to}"));
    }
    for tool in &changes.changed {
        line(out, format_args!("  ~ tool {} changes", tool.tool));
        for (sign, inputs, verb) in [
            ('+', &tool.inputs_added, "comes"),
            ('-', &tool.inputs_removed, "goes"),
            ('~', &tool.inputs_changed, "changes"),
        ] {
            for input in inputs {
                line(out, format_args!("      {sign} input {input} {verb}"));
            }
        }
        for member in &tool.members {
            line(out, format_args!("      ~ {}:", member.name));
            for (sign, value) in [('-', &member.from), ('+', &member.to)] {
                match value {
                    Some(Value::String(text)) => {
                        line(
                            out,
                            format_args!("{}", indented(&format!("{sign} {text}"), 8)),
                        );
                    }
                    Some(value) => line(out, format_args!("        {sign} {value}")),
                    None => {}
                }
            }
        }
    }
    for what in &changes.besides {
        line(out, format_args!("  ~ {what} change"));
    }
    for words in &changes.unmatched {
        line(out, format_args!("  ! {words}"));
    }
}

fn one(app: &AppView) -> String {
    let mut out = String::new();
    let state = if app.enabled { "on" } else { "off" };
    line(
        &mut out,
        format_args!(
            "{} ({}): {}, {state}, id {}, guest {}",
            app.slug, app.name, app.mode, app.id, app.guest
        ),
    );
    if let Some(trouble) = &app.trouble {
        line(&mut out, format_args!("\n  trouble: {trouble}"));
    }
    for (name, value) in &app.settings {
        line(&mut out, format_args!("\n  set {name}={value}"));
    }
    for tool in &app.tools {
        line(&mut out, format_args!("\n  tool {}", tool.name));
        if let Some(title) = &tool.title {
            line(&mut out, format_args!("    {title}"));
        }
        line(&mut out, format_args!("{}", indented(&tool.description, 4)));
        for input in &tool.inputs {
            let must = if input.required { ", required" } else { "" };
            match &input.pinned {
                Some(value) => line(
                    &mut out,
                    format_args!("    - {} is pinned to {value}", input.name),
                ),
                None => line(
                    &mut out,
                    format_args!(
                        "    - {} ({}{must}) {}",
                        input.name, input.r#type, input.description
                    ),
                ),
            }
        }
        if let Some(schema) = &tool.output_schema {
            let outputs = schema["properties"].as_object();
            let names: Vec<&str> = outputs
                .into_iter()
                .flat_map(|outputs| outputs.keys().map(String::as_str))
                .collect();
            let learnt = if tool.output_learnt {
                ", as learnt from runs"
            } else {
                ""
            };
            line(
                &mut out,
                format_args!("    promises outputs: {}{learnt}", names.join(", ")),
            );
        }
    }
    if !app.limits.is_empty() {
        line(&mut out, format_args!("\n  limits of its own"));
    }
    for (limit, value) in &app.limits {
        line(
            &mut out,
            format_args!("    {limit:<16}{}", limit.show(*value)),
        );
    }
    for note in &app.notes {
        line(&mut out, format_args!("\n  note: {note}"));
    }
    if let Some(addresses) = &app.addresses {
        line(
            &mut out,
            format_args!("\n  Whoever has this address may call the app:"),
        );
        for (place, address) in [
            ("from the internet", addresses.public.as_deref()),
            ("from this host", Some(addresses.host.as_str())),
            ("inside compose", addresses.inside.as_deref()),
        ] {
            if let Some(address) = address {
                line(&mut out, format_args!("    {place:<18} {address}"));
            }
        }
        for snippet in &app.snippets {
            line(
                &mut out,
                format_args!(
                    "\n  {}: {}\n{}",
                    snippet.client,
                    snippet.how,
                    indented(&snippet.text, 4)
                ),
            );
        }
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a String takes everything");
}

/// `text` with each line moved to the right.
#[must_use]
pub fn indented(text: &str, by: usize) -> String {
    text.lines()
        .map(|line| format!("{:by$}{line}", ""))
        .collect::<Vec<_>>()
        .join("\n")
}
