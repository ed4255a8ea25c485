//! Long calls reach a client behind a proxy that cuts silent connections. A minute of them lasts a second here: every
//! time of Airlock, of Dify, of the proxy and of the clients that matters is divided by the same number.

use std::time::{Duration, Instant};

use airlock::config::LimitArgs;
use airlock::server::ServerConfig;
use airlock_stand_in::{Behaviour, Options, SampleApp};
use airlock_tests::clients::Script;
use airlock_tests::{Post, Proxy, World, WorldConfig};
use anyhow::ensure;
use serde_json::{Value, json};

use super::cases::Case;
use super::{LEGACY, MODERN, Manner};
use crate::offers::ask_as;

/// How much faster time passes here.
const FASTER: u32 = 60;

/// Silence after which nginx cuts a connection (`proxy_read_timeout`), and many load balancers do.
const PROXY: Duration = Duration::from_secs(60);

/// Time without progress after which the TypeScript SDKs give up a request.
const SDK: Duration = Duration::from_secs(60);

/// A workflow's run. Dify ends its own after 20 minutes.
const WORKFLOW: Duration = Duration::from_secs(10 * 60);

/// A model's silence before its first word: nearly as long as Airlock waits for it. Nothing pings meanwhile.
const COMPLETION: Duration = Duration::from_secs(4 * 60 + 30);

/// Longer than anything here.
const NEVER: Duration = Duration::from_secs(60 * 60);

/// What the tests below show scaled holds for the defaults, with room for being late.
#[test]
fn the_defaults_outlast_proxies_and_clients() {
    let limits = LimitArgs::default();
    assert!(limits.mcp().comment_every * 3 <= PROXY);
    assert!(limits.mcp().heartbeat * 3 <= SDK);
    assert!(limits.call().guest.deadline > WORKFLOW);
    let base = airlock_dify::parse_base("http://api:5001").expect("a base");
    let dify = airlock_dify::Config::new(base);
    assert!(Options::default().ping_every * 3 <= dify.idle_flow);
    assert!(dify.idle_chat > COMPLETION);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_of_ten_minutes_that_only_pings_is_answered() {
    is_answered(SampleApp::WeeklyReport, WORKFLOW).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_whose_model_thinks_for_minutes_is_answered() {
    is_answered(SampleApp::ProductBlurb, COMPLETION).await;
}

/// Clients of both eras read the answer. One asks for no progress, so that comments alone keep its connection; one is an
/// SDK with a timer of its own, which progress alone resets.
async fn is_answered(app: SampleApp, time: Duration) {
    let world = world(faster).await;
    let long = Long::begin(&world, app, time, Some(PROXY)).await;
    let answered = async {
        tokio::try_join!(
            long.plain(&LEGACY),
            long.plain(&MODERN),
            long.sdk("legacy"),
            long.sdk(MODERN.speaks),
        )
        .expect("every client reads the answer");
    };
    tokio::join!(answered, is_cut_without_a_word(app, time));
}

/// The control: of a server that says nothing meanwhile the proxy cuts the call, and the SDK gives it up.
async fn is_cut_without_a_word(app: SampleApp, time: Duration) {
    let quiet = world(|server| {
        faster(server);
        (server.mcp.comment_every, server.mcp.heartbeat) = (NEVER, NEVER);
    })
    .await;
    let cut = Long::begin(&quiet, app, time, Some(PROXY)).await;
    for (cuts, era) in (1..).zip([&LEGACY, &MODERN]) {
        cut.plain(era).await.expect_err("the connection is cut");
        assert_eq!(cut.proxy.cuts(), cuts);
    }
    let uncut = Long::begin(&quiet, app, time, None).await;
    let given_up = uncut.sdk("legacy").await.expect_err("the SDK gives up");
    assert!(given_up.to_string().contains("ended"), "{given_up:#}");
    assert_eq!(uncut.proxy.cuts(), 0);
}

/// Time passes as it does in these tests.
fn faster(server: &mut ServerConfig) {
    let (mcp, dify) = (&mut server.mcp, server.dify.as_mut());
    let dify = dify.expect("every world has a Dify");
    for time in [
        &mut mcp.grace,
        &mut mcp.comment_every,
        &mut mcp.progress_every,
        &mut mcp.heartbeat,
        &mut mcp.hangup_grace,
        &mut dify.idle_flow,
        &mut dify.idle_chat,
    ] {
        *time /= FASTER;
    }
}

async fn world(adjust: fn(&mut ServerConfig)) -> World {
    let limits = LimitArgs::default();
    World::with(WorldConfig {
        dify: Options {
            ping_every: Options::default().ping_every / FASTER,
            ..Options::instant()
        },
        limits: LimitArgs {
            call_deadline: limits.call_deadline / u64::from(FASTER),
            // Every client of a test calls at the same time.
            dify_per_app: limits.dify_in_flight,
            ..limits
        },
        adjust,
        ..WorldConfig::default()
    })
    .await
    .expect("a world")
}

/// A call that lasts, behind a proxy.
struct Long {
    case: Case,
    time: Duration,
    proxy: Proxy,
    url: String,
}

impl Long {
    async fn begin(
        world: &World,
        app: SampleApp,
        time: Duration,
        patience: Option<Duration>,
    ) -> Self {
        let time = time / FASTER;
        // One node or one piece of text: nothing but pings comes of it before it is done.
        world.dify.set(
            app,
            Behaviour::Slow {
                steps: 1,
                each: time,
            },
        );
        let patience = patience.map(|patience| patience / FASTER);
        let proxy = Proxy::before(world.server.address, patience).await;
        let proxy = proxy.expect("a proxy");
        let url = world.publish(app).await.expect("published");
        Self {
            case: Case::of(app),
            time,
            url: proxy.url(&url).expect("an address"),
            proxy,
        }
    }

    /// By a client that asks for no progress.
    async fn plain(&self, era: &Manner) -> anyhow::Result<()> {
        let began = Instant::now();
        let tool = self.case.tool;
        let params = json!({"name": tool, "arguments": self.case.arguments});
        let posted = if era.speaks == MODERN.speaks {
            ask_as(&self.url, "tools/call", Some(tool), params, &json!({})).await
        } else {
            let post = Post::to(&self.url).header("mcp-protocol-version", era.speaks);
            post.rpc("tools/call", params).send().await?
        };
        let response = posted.response().await?;
        self.check(&response["result"], began)
    }

    /// By the second TypeScript SDK.
    async fn sdk(&self, beginning: &str) -> anyhow::Result<()> {
        let mut script = Script::typescript(beginning)?;
        script
            .tell(&json!({"do": "connect", "url": self.url}))
            .await?;
        script.hear("connected").await?;
        let patience = (SDK / FASTER).as_millis();
        let began = Instant::now();
        let order = json!({
            "do": "call", "tool": self.case.tool, "arguments": self.case.arguments, "patience": u64::try_from(patience)?,
        });
        script.tell(&order).await?;
        let answer = script.hear("result").await?;
        self.check(&answer["result"], began)
    }

    fn check(&self, result: &Value, began: Instant) -> anyhow::Result<()> {
        ensure!(began.elapsed() >= self.time, "{result} came too early");
        self.case.check_result(result)
    }
}
