//! Replies on the terminal: for people, or as JSON.

use std::fmt::Write;

use crate::ops::{AppView, Learnt, Reply};

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
