//! `airlock app …`: each subcommand is one operation, sent to the running server or done here when none runs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use airlock_registry::Secret;
use anyhow::{Context, bail};
use clap::{Args, FromArgMatches, Subcommand};
use serde_json::{Map, Value};

use super::{Global, door, output};
use crate::limits::{Limit, Unit};
use crate::ops::{Change, InputWords, Operation, Reply, Words};

/// Operations on published apps. APP is an app's short name or id, as `airlock app list` shows them.
#[derive(Debug, Subcommand)]
pub enum AppCommand {
    /// Register an app by its API key. It stays off until enabled.
    #[command(
        after_help = "Example:\n  printf %s \"$KEY\" | airlock app add -\n  airlock app add --key-file ./key --guest my-guest.wasm"
    )]
    Add(AddArgs),
    /// List the apps.
    #[command(after_help = "Example:\n  airlock app list --json")]
    List,
    /// Show one app: its tools, what a linter says of their descriptions, and with --reveal its addresses.
    #[command(after_help = "Example:\n  airlock app show travel-chat --reveal")]
    Show(ShowArgs),
    /// Publish an app under its secret address, and print the address with the settings for each client.
    #[command(after_help = "Example:\n  airlock app enable travel-chat")]
    Enable(OneApp),
    /// Take an app off: its address is dead at once, and comes back when the app is enabled again.
    #[command(after_help = "Example:\n  airlock app disable travel-chat")]
    Disable(OneApp),
    /// Give an app a new address; the old one is dead at once, and for good.
    #[command(after_help = "Example:\n  airlock app regenerate travel-chat")]
    Regenerate(OneApp),
    /// Ask Dify again what an app is: after its form, its name or its texts have changed there.
    #[command(after_help = "Example:\n  airlock app refresh travel-chat")]
    Refresh(OneApp),
    /// Give an app another key of Dify's, after its own was replaced there. Address and texts stay.
    #[command(after_help = "Example:\n  printf %s \"$KEY\" | airlock app key travel-chat -")]
    Key(KeyArgs),
    /// Set a tool's name, title, description and output schema, and each input's text or fixed value.
    #[command(
        after_help = "Example:\n  airlock app describe travel-chat --description 'Plans a trip. Use it for travel questions.' \\\n    --input topic='Where the trip goes' --pin style='\"short\"'"
    )]
    Describe(DescribeArgs),
    /// Give an app bounds of its own for each call, or take them off with `default`.
    #[command(
        after_help = "Example:\n  airlock app limits travel-chat --memory 128MiB --cpu 5s\n  airlock app limits travel-chat --memory default"
    )]
    Limits(LimitsArgs),
    /// Set how an app is served: one conversation for each session, the answer's text in progress messages, and what its
    /// guest reads.
    #[command(
        after_help = "Example:\n  airlock app set travel-chat conversation=per-session partial_text=\n\n\
            Settings (an empty value takes one off):\n  \
            conversation=per-session  a session of a client goes on with its conversation by itself\n  \
            partial_text=always       progress messages show the answer's text as it grows; `never` not even on request"
    )]
    Set(SetArgs),
    /// Learn from the runs that Dify keeps of a workflow which outputs its results always have. Nothing is changed without
    /// --publish.
    #[command(
        after_help = "Example:\n  airlock app learn weekly-report\n  airlock app learn weekly-report --publish"
    )]
    Learn(LearnArgs),
    /// Give an app another guest, or the built-in one again.
    #[command(
        after_help = "Example:\n  airlock app guest travel-chat my-guest.wasm\n  airlock app guest travel-chat --built-in"
    )]
    Guest(GuestArgs),
    /// Forget an app: its key, its address and its texts.
    #[command(after_help = "Example:\n  airlock app remove travel-chat")]
    Remove(OneApp),
}

/// Where an API key is read. On a command line it would show in process lists.
#[derive(Debug, Args)]
pub struct KeySource {
    /// `-` reads the app's API key (app-…) from standard input.
    #[arg(value_name = "-", required_unless_present = "key_file", value_parser = ["-"])]
    stdin: Option<String>,
    /// Read the API key from this file.
    #[arg(long, value_name = "FILE", conflicts_with = "stdin")]
    key_file: Option<PathBuf>,
}

/// Options of `app key`.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// The app.
    app: String,
    /// Where its key is.
    #[command(flatten)]
    key: KeySource,
}

/// Options of `app add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// Where its key is.
    #[command(flatten)]
    key: KeySource,
    /// Serve it with this guest instead of the built-in one.
    #[arg(long, value_name = "FILE")]
    guest: Option<PathBuf>,
}

/// Options of `app show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The app.
    app: String,
    /// Print its addresses too. They are credentials.
    #[arg(long)]
    reveal: bool,
}

/// An app.
#[derive(Debug, Args)]
pub struct OneApp {
    /// The app.
    app: String,
}

/// Options of `app describe`.
#[derive(Debug, Args)]
pub struct DescribeArgs {
    /// The app.
    app: String,
    /// Which tool, by the guest's name or the published one; needed when the app has several.
    #[arg(long)]
    tool: Option<String>,
    /// The tool's name, for AI clients: letters, digits, '_' and '-'. Empty: the guest's own.
    #[arg(long)]
    name: Option<String>,
    /// The tool's name for people. Empty: the guest's own.
    #[arg(long)]
    title: Option<String>,
    /// What the tool does and when to use it. Empty: the guest's own.
    #[arg(long)]
    description: Option<String>,
    /// A file with the JSON Schema of the structured results, of type `object`. Empty: the guest's own, or none.
    #[arg(long, value_name = "FILE")]
    output_schema: Option<String>,
    /// An input's text. Empty: the guest's own.
    #[arg(long = "input", value_name = "NAME=TEXT", value_parser = pair)]
    inputs: Vec<(String, String)>,
    /// A fixed value for an input, in JSON; callers no longer see the input.
    #[arg(long = "pin", value_name = "NAME=JSON", value_parser = pair)]
    pins: Vec<(String, String)>,
    /// Let callers set this input again.
    #[arg(long = "unpin", value_name = "NAME")]
    unpins: Vec<String>,
}

/// Options of `app limits`.
#[derive(Debug, Args)]
pub struct LimitsArgs {
    /// The app.
    app: String,
    /// What to change.
    #[command(flatten)]
    changes: LimitChanges,
}

/// One option for each bound that an app can have for itself.
#[derive(Debug, Default)]
pub struct LimitChanges(BTreeMap<Limit, Option<u64>>);

fn own_limits() -> impl Iterator<Item = Limit> {
    Limit::ALL.into_iter().filter(|limit| limit.is_per_app())
}

impl Args for LimitChanges {
    fn augment_args(command: clap::Command) -> clap::Command {
        own_limits().fold(command, |command, limit| {
            let unit = match limit.unit() {
                Unit::Time => "TIME",
                Unit::Bytes => "SIZE",
                Unit::Number => "N",
            };
            let range = limit.range();
            let help = format!(
                "{}: {} to {}, or `default`",
                limit.about(),
                limit.show(*range.start()),
                limit.show(*range.end())
            );
            let value = move |text: &str| -> Result<Option<u64>, String> {
                match text {
                    "default" => Ok(None),
                    text => limit.parse(text).map(Some),
                }
            };
            let option = clap::Arg::new(limit.name()).long(limit.name());
            command.arg(option.value_name(unit).help(help).value_parser(value))
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for LimitChanges {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let mut changes = Self::default();
        changes.update_from_arg_matches(matches)?;
        Ok(changes)
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        for limit in own_limits() {
            if let Some(value) = matches.get_one::<Option<u64>>(limit.name()) {
                self.0.insert(limit, *value);
            }
        }
        Ok(())
    }
}

/// Options of `app set`.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// The app.
    app: String,
    /// What to set.
    #[arg(value_name = "NAME=VALUE", value_parser = pair, required = true)]
    settings: Vec<(String, String)>,
}

/// Options of `app learn`.
#[derive(Debug, Args)]
pub struct LearnArgs {
    /// The app.
    app: String,
    /// Promise it to clients from now on. A result that does not fit takes it back.
    #[arg(long)]
    publish: bool,
}

/// Options of `app guest`.
#[derive(Debug, Args)]
pub struct GuestArgs {
    /// The app.
    app: String,
    /// The component.
    #[arg(value_name = "FILE", required_unless_present = "built_in")]
    file: Option<PathBuf>,
    /// The guest that comes with Airlock.
    #[arg(long, conflicts_with = "file")]
    built_in: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Empty text takes the operator's words off again.
fn change(text: String) -> Change<String> {
    if text.is_empty() {
        Change::Clear
    } else {
        Change::Set(text)
    }
}

impl KeySource {
    fn read(&self) -> anyhow::Result<Secret> {
        let key = match &self.key_file {
            Some(file) => std::fs::read_to_string(file)
                .with_context(|| format!("cannot read the key file {}", file.display()))?,
            None => std::io::read_to_string(std::io::stdin())
                .context("cannot read the key from standard input")?,
        };
        Ok(Secret::new(key.trim().to_owned()))
    }
}

impl DescribeArgs {
    fn operation(self) -> anyhow::Result<Operation> {
        let mut inputs: BTreeMap<String, InputWords> = BTreeMap::new();
        for (name, text) in self.inputs {
            inputs.entry(name).or_default().description = change(text);
        }
        for (name, json) in self.pins {
            let value = serde_json::from_str(&json).with_context(|| {
                format!("--pin {name}: not JSON; a text needs quotes: --pin {name}='\"…\"'")
            })?;
            inputs.entry(name).or_default().pinned = Change::Set(value);
        }
        for name in self.unpins {
            inputs.entry(name).or_default().pinned = Change::Clear;
        }
        let words = Words {
            tool: self.tool,
            name: self.name.map_or(Change::Keep, change),
            title: self.title.map_or(Change::Keep, change),
            description: self.description.map_or(Change::Keep, change),
            output_schema: self.output_schema.map_or(Ok(Change::Keep), schema)?,
            inputs,
        };
        if words.changes_nothing() {
            bail!(
                "nothing to set: give --name, --title, --description, --output-schema, --input, --pin or --unpin"
            );
        }
        Ok(Operation::Describe {
            app: self.app,
            words,
        })
    }
}

fn schema(file: String) -> anyhow::Result<Change<Map<String, Value>>> {
    if file.is_empty() {
        return Ok(Change::Clear);
    }
    let text =
        std::fs::read_to_string(&file).with_context(|| format!("cannot read the schema {file}"))?;
    let schema =
        serde_json::from_str(&text).with_context(|| format!("{file} holds no JSON object"))?;
    Ok(Change::Set(schema))
}

/// Reads a component, with a word on what is wrong with the file rather than with the guest.
pub(super) fn read_component(file: &std::path::Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read the component {}", file.display()))
}

/// # Errors
/// What the operation answered, or why it could not be asked.
pub async fn run(global: &Global, command: AppCommand) -> anyhow::Result<()> {
    let operation = match command {
        AppCommand::Add(args) => {
            let guest = args.guest.as_deref().map(read_component).transpose()?;
            Operation::Add {
                key: args.key.read()?,
                guest,
            }
        }
        AppCommand::List => Operation::List,
        AppCommand::Show(args) => Operation::Show {
            app: args.app,
            reveal: args.reveal,
        },
        AppCommand::Enable(one) => Operation::Enable { app: one.app },
        AppCommand::Disable(one) => Operation::Disable { app: one.app },
        AppCommand::Regenerate(one) => Operation::Regenerate { app: one.app },
        AppCommand::Refresh(one) => Operation::Refresh { app: one.app },
        AppCommand::Key(args) => Operation::SetKey {
            key: args.key.read()?,
            app: args.app,
        },
        AppCommand::Describe(args) => args.operation()?,
        AppCommand::Limits(args) => {
            if args.changes.0.is_empty() {
                bail!("nothing to set: --memory 128MiB, for instance; --help has them all");
            }
            Operation::Limit {
                app: args.app,
                limits: args.changes.0,
            }
        }
        AppCommand::Set(args) => Operation::Set {
            app: args.app,
            settings: args
                .settings
                .into_iter()
                .map(|(name, value)| (name, Some(value).filter(|value| !value.is_empty())))
                .collect(),
        },
        AppCommand::Learn(args) => Operation::Learn {
            app: args.app,
            publish: args.publish,
        },
        AppCommand::Guest(args) => {
            let component = args.file.as_deref().map(read_component).transpose()?;
            Operation::SetGuest {
                app: args.app,
                component,
            }
        }
        AppCommand::Remove(one) => Operation::Remove { app: one.app },
    };
    let reply: Reply = door::ask(&global.home, operation).await?;
    output::print(&reply, global.json)
}
