//! Guests that misbehave, one way each: what each is made of, what is done with it, and what must come of that.
//!
//! A misbehaviour is a text in `tests/hostile` and a line in [`for_each_misbehaviour`](crate::for_each_misbehaviour); the
//! compiler then asks for the rest, and the tests and the benchmark have one more.

mod cases;
mod made;

use std::time::Duration;

use airlock::config::LimitArgs;
use airlock::ops::{Operation, Reply};
use airlock_registry::Secret;
use airlock_stand_in::{Behaviour, SampleApp};
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::cases::Ends;
use crate::{Post, World, WorldConfig, world};

/// Calls a macro with every misbehaviour: its name here, and that of its text.
#[macro_export]
macro_rules! for_each_misbehaviour {
    ($do:ident) => {
        $do! {
            EndlessLoop endless_loop,
            EndlessRecursion endless_recursion,
            MemoryBomb memory_bomb,
            TableBomb table_bomb,
            ManySmallMemories many_small_memories,
            ManyTables many_tables,
            ManyInstances many_instances,
            HandleFlood handle_flood,
            HostCallFlood host_call_flood,
            HostCallBomb host_call_bomb,
            LogFlood log_flood,
            LogBomb log_bomb,
            ProgressFlood progress_flood,
            RunFlood run_flood,
            GigabyteString gigabyte_string,
            LyingLengths lying_lengths,
            ResultBomb result_bomb,
            InvalidUtf8 invalid_utf8,
            InvalidJson invalid_json,
            DeepJson deep_json,
            SchemaRefLoop schema_ref_loop,
            SchemaRefBomb schema_ref_bomb,
            SchemaEnum schema_enum,
            SchemaPattern schema_pattern,
            ToolNameTrick tool_name_trick,
            ToolNameHidden tool_name_hidden,
            DescribesDifferently describes_differently,
            Describes100000Tools describes_100000_tools,
            TrapsInDescribe traps_in_describe,
            CallsInDescribe calls_in_describe,
            LoopsInDescribe loops_in_describe,
            NeverReturns never_returns,
            DropsEverything drops_everything,
            KeepsRunning keeps_running,
            AsksForSockets asks_for_sockets,
            AsksForHttp asks_for_http,
            AsksForUnknown asks_for_unknown,
            ReadsOthersMemory reads_others_memory,
            CrowdOfSpinners crowd_of_spinners,
            ExportsWrongType exports_wrong_type,
            HugeComponent huge_component,
        }
    };
}

macro_rules! define {
    ($($way:ident $name:ident,)*) => {
        /// A way to misbehave. The texts say what each does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Misbehaviour {
            $(#[doc = concat!("`tests/hostile/", stringify!($name), ".wat`")] $way,)*
        }

        impl Misbehaviour {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$way,)*];

            /// The name of its text.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$way => stringify!($name),)*
                }
            }

            fn text(self) -> &'static str {
                match self {
                    $(Self::$way => include_str!(concat!("../../hostile/", stringify!($name), ".wat")),)*
                }
            }
        }
    };
}

for_each_misbehaviour!(define);

/// The app whose guest attacks: it needs no inputs.
const APP: SampleApp = SampleApp::WordCounter;
/// Another app of the same guest, where it takes two.
const OTHER: SampleApp = SampleApp::ProductBlurb;
/// The app that is called meanwhile.
const NEIGHBOUR: SampleApp = SampleApp::TravelChat;
/// Longer than anything but a hang.
const SOON: Duration = Duration::from_secs(20);

/// A world with room for little, so that its bounds are soon reached.
///
/// # Errors
/// When it cannot be built.
pub async fn narrow_world() -> anyhow::Result<World> {
    let limits = LimitArgs {
        guest_cpu: 300,
        guest_memory: 16,
        ..LimitArgs::default()
    };
    World::with(WorldConfig {
        limits,
        ..WorldConfig::default()
    })
    .await
}

/// A guest that misbehaves, in a world.
pub struct Attack<'a> {
    world: &'a World,
    way: Misbehaviour,
    component: Vec<u8>,
    /// The app that it serves, where it is taken in.
    taken: Option<Taken>,
}

struct Taken {
    slug: String,
    url: String,
    tool: String,
    /// Another app with the same guest, which therefore gets the same places in the pool.
    other: Option<(String, String)>,
}

impl<'a> Attack<'a> {
    /// Everything before the first strike.
    ///
    /// # Errors
    /// When the guest is refused that should have been taken in.
    pub async fn prepare(world: &'a World, way: Misbehaviour) -> anyhow::Result<Self> {
        let mut attack = Self {
            world,
            way,
            component: way.component()?,
            taken: None,
        };
        let case = way.case();
        if matches!(case.ends, Ends::Refused(_)) {
            return Ok(attack);
        }
        if matches!(
            way,
            Misbehaviour::DropsEverything | Misbehaviour::KeepsRunning
        ) {
            let each = Duration::from_millis(20);
            world.dify.set(APP, Behaviour::Slow { steps: 1_000, each });
        }
        let slug = world.add(APP, Some(attack.component.clone())).await?.slug;
        if !case.own.is_empty() {
            let own = case.own.iter();
            let limits = own.map(|&(limit, value)| (limit, Some(value))).collect();
            let app = slug.clone();
            world.ask(Operation::Limit { app, limits }).await?;
        }
        let enabled = world.ask(Operation::Enable { app: slug.clone() }).await?;
        let tool = tool(&enabled)?;
        let url = world::address(enabled)?;
        let mut taken = Taken {
            slug,
            url,
            tool,
            other: None,
        };
        if way == Misbehaviour::ReadsOthersMemory {
            let slug = world.add(OTHER, Some(attack.component.clone())).await?.slug;
            let enabled = world.ask(Operation::Enable { app: slug.clone() }).await?;
            taken.other = Some((slug, world::address(enabled)?));
        }
        attack.taken = Some(taken);
        Ok(attack)
    }

    /// Strikes once, and sees to it that the end is what it must be.
    ///
    /// # Errors
    /// When the attack was not contained.
    pub async fn strike(&self) -> anyhow::Result<()> {
        let struck = tokio::time::timeout(SOON, self.unbounded_strike()).await;
        let name = self.way.name();
        struck
            .with_context(|| format!("{name} goes on"))?
            .with_context(|| format!("{name} was not contained"))
    }

    async fn unbounded_strike(&self) -> anyhow::Result<()> {
        let Some(taken) = &self.taken else {
            return self.refused().await;
        };
        let stops = self.stops();
        let mut calls = JoinSet::new();
        let call = |url: &str| {
            let post = Post::to(url).call(&taken.tool, self.way.arguments());
            async move { post.send().await?.response().await }
        };
        for _ in 0..self.way.calls() {
            calls.spawn(call(&taken.url));
        }
        if let Some((_, url)) = &taken.other {
            calls.spawn(call(url));
        }
        for answer in calls.join_all().await {
            let (text, is_error) = outcome(&answer?)?;
            match self.way.case().ends {
                Ends::Refused(_) => bail!("it was taken in"),
                Ends::Fails(words) => ensure!(is_error && text.contains(words), "{text}"),
                Ends::GoesOn => ensure!(!is_error && text == "good", "{text}"),
            }
            for internal in ["wasm", "trap", "backtrace", "0x"] {
                ensure!(
                    !text.contains(internal),
                    "the caller reads of {internal}: {text}"
                );
            }
        }
        self.afterwards(taken, stops).await
    }

    async fn refused(&self) -> anyhow::Result<()> {
        let Ends::Refused(words) = self.way.case().ends else {
            bail!("it was not taken in");
        };
        let add = Operation::Add {
            key: Secret::new(self.world.dify.key(APP).to_owned()),
            guest: Some(self.component.clone()),
        };
        let refusal = match self.world.ask(add).await {
            Ok(reply) => bail!("it was taken in: {reply:?}"),
            Err(refusal) => refusal.to_string(),
        };
        ensure!(refusal.contains(words), "{refusal}");
        ensure!(
            refusal.len() < 1_000,
            "a refusal of {} bytes",
            refusal.len()
        );
        Ok(())
    }

    /// What is to be seen beside the answer.
    async fn afterwards(&self, taken: &Taken, stops: u64) -> anyhow::Result<()> {
        match self.way {
            Misbehaviour::DropsEverything | Misbehaviour::KeepsRunning => {
                let stopped = |seen: &airlock_stand_in::Seen| {
                    seen.streams == 0
                        && seen.stops.iter().filter(|stop| stop.effective).count() as u64 > stops
                };
                self.world.dify.wait_until(stopped, SOON).await?;
            }
            Misbehaviour::DescribesDifferently => {
                let app = taken.slug.clone();
                let again = self.world.ask(Operation::Refresh { app }).await?;
                ensure!(tool(&again)? == taken.tool, "it has another tool now");
            }
            _ => {}
        }
        Ok(())
    }

    fn stops(&self) -> u64 {
        let seen = self.world.dify.seen();
        seen.stops.iter().filter(|stop| stop.effective).count() as u64
    }

    /// How often the bound was gone over that this attack is about; `None` where it is about none.
    ///
    /// # Errors
    /// When the server counts nothing.
    pub async fn counted(&self) -> anyhow::Result<Option<u64>> {
        let (Some(limit), Some(taken)) = (self.way.case().over, &self.taken) else {
            return Ok(None);
        };
        let Reply::Metrics { metrics } = self.world.ask(Operation::Metrics).await? else {
            bail!("these are no metrics");
        };
        let series = format!(
            r#"airlock_bounds_hit_total{{app="{}",bound="{limit}"}} "#,
            taken.slug
        );
        let mut lines = metrics.lines();
        let count = lines.find_map(|line| line.strip_prefix(&series));
        Ok(Some(count.unwrap_or("0").parse()?))
    }

    /// Takes the guest out of the world again.
    ///
    /// # Errors
    /// When that fails.
    pub async fn withdraw(self) -> anyhow::Result<()> {
        self.world.dify.set(APP, Behaviour::Normal);
        if let Some(taken) = self.taken {
            let other = taken.other.map(|(slug, _)| slug);
            for app in other.into_iter().chain([taken.slug]) {
                self.world.ask(Operation::Remove { app }).await?;
            }
        }
        Ok(())
    }
}

fn tool(reply: &Reply) -> anyhow::Result<String> {
    let Reply::App { app } = reply else {
        bail!("this is not about an app: {reply:?}");
    };
    let tool = app.tools.first().context("the app has a tool")?;
    Ok(tool.name.clone())
}

/// A call's text, and whether it is an error.
fn outcome(response: &Value) -> anyhow::Result<(String, bool)> {
    let result = &response["result"];
    let text = result["content"][0]["text"].as_str();
    let text = text.with_context(|| format!("no tool result: {response}"))?;
    Ok((text.to_owned(), result["isError"] == true))
}

/// An app that is called one time after the other while others are attacked.
pub struct Neighbour {
    url: String,
}

impl Neighbour {
    /// Publishes it.
    ///
    /// # Errors
    /// When it cannot be.
    pub async fn publish(world: &World) -> anyhow::Result<Self> {
        let url = world.publish(NEIGHBOUR).await?;
        Ok(Self { url })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// One call.
    ///
    /// # Errors
    /// When it is not answered as it should be.
    pub async fn call(&self) -> anyhow::Result<()> {
        let trip = json!({"query": "Where to?", "topic": "Lisbon"});
        let call = async {
            let post = Post::to(&self.url).call("travel_chat", trip);
            post.send().await?.tool_text().await
        };
        let (text, is_error) = tokio::time::timeout(SOON, call).await??;
        ensure!(!is_error, "the neighbour's call failed: {text}");
        Ok(())
    }

    /// Calls, one time after the other, until it is `enough`. How often it was answered.
    ///
    /// # Errors
    /// When one call was not.
    pub async fn call_steadily(&self, enough: CancellationToken) -> anyhow::Result<usize> {
        let mut answered = 0;
        while !enough.is_cancelled() {
            self.call().await?;
            answered += 1;
        }
        Ok(answered)
    }
}
