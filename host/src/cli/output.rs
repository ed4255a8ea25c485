//! Replies on the terminal: for people, or as JSON.

use std::fmt::Write;

use crate::ops::{AppView, Reply};

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
        Reply::Removed { removed } => format!("{removed} is removed; its address is dead\n"),
        Reply::Status {
            version,
            enabled,
            apps,
        } => format!("airlock {version}: {enabled} of {apps} apps are on\n"),
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
