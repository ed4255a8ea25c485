//! A server beside a stand-in for Dify.

use std::path::Path;

use airlock::config::{FileArgs, GuestArgs, LimitArgs};
use airlock::ops::{AppView, OpError, Operation, Reply};
use airlock::server::{Server, ServerConfig};
use airlock_registry::Secret;
use airlock_stand_in::{Options, SampleApp, StandIn};
use anyhow::{Context, bail};

/// What a world is made of. The default answers at once and publishes nothing.
pub struct WorldConfig {
    /// The stand-in's pace.
    pub dify: Options,
    /// The server's bounds.
    pub limits: LimitArgs,
    /// Dify's address as the server has it, where something stands before the stand-in.
    pub dify_url: Option<String>,
    /// Changes what the server is started with.
    pub adjust: fn(&mut ServerConfig),
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            dify: Options::instant(),
            limits: LimitArgs::default(),
            dify_url: None,
            adjust: |_| {},
        }
    }
}

/// A stand-in, and a server in this process and in a home of its own. Everything goes when it is dropped.
pub struct World {
    /// The Dify of this world.
    pub dify: StandIn,
    /// The server.
    pub server: Server,
    home: tempfile::TempDir,
    config: WorldConfig,
}

/// A world whose server is not running.
pub struct Stopped {
    /// The Dify of this world.
    pub dify: StandIn,
    home: tempfile::TempDir,
    config: WorldConfig,
}

impl World {
    /// A world that answers at once.
    ///
    /// # Errors
    /// When it cannot be built.
    pub async fn start() -> anyhow::Result<Self> {
        Self::with(WorldConfig::default()).await
    }

    /// A world made to measure.
    ///
    /// # Errors
    /// When it cannot be built.
    pub async fn with(config: WorldConfig) -> anyhow::Result<Self> {
        let dify = StandIn::start(config.dify.clone()).await?;
        let home = tempfile::tempdir()?;
        let server = Server::start(server_config(&config, home.path(), &dify)?).await?;
        Ok(Self {
            dify,
            server,
            home,
            config,
        })
    }

    /// Where the server keeps everything.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// What another server would be started with that has this one's home and Dify.
    ///
    /// # Errors
    /// When the configuration does not fit.
    pub fn server_config(&self) -> anyhow::Result<ServerConfig> {
        server_config(&self.config, self.home.path(), &self.dify)
    }

    /// Stops the server. Its home and its Dify stay.
    ///
    /// # Errors
    /// When it does not stop in order.
    pub async fn stop(self) -> anyhow::Result<Stopped> {
        let Self {
            dify,
            server,
            home,
            config,
        } = self;
        server.stop().await?;
        Ok(Stopped { dify, home, config })
    }

    /// Stops the server and starts it again in the same home.
    ///
    /// # Errors
    /// When it does not come back.
    pub async fn restart(self) -> anyhow::Result<Self> {
        self.stop().await?.start().await
    }

    /// Does an operation on the running server.
    ///
    /// # Errors
    /// The operation's own.
    pub async fn ask(&self, operation: Operation) -> Result<Reply, OpError> {
        self.server.operations.execute(operation).await
    }

    /// Registers a sample app, with a guest of its own or the built-in one. It stays off.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn add(&self, app: SampleApp, guest: Option<Vec<u8>>) -> anyhow::Result<AppView> {
        let key = Secret::new(self.dify.key(app).to_owned());
        match self.ask(Operation::Add { key, guest }).await? {
            Reply::Added { app, .. } => Ok(app),
            other => bail!("adding an app answered {other:?}"),
        }
    }

    /// Registers and enables a sample app. Its address, as clients on this machine use it.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn publish(&self, app: SampleApp) -> anyhow::Result<String> {
        self.publish_with(app, None).await
    }

    /// The same with a guest of its own.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn publish_with(
        &self,
        app: SampleApp,
        guest: Option<Vec<u8>>,
    ) -> anyhow::Result<String> {
        let slug = self.add(app, guest).await?.slug;
        address(self.ask(Operation::Enable { app: slug }).await?)
    }
}

impl Stopped {
    /// Where the server kept everything.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Starts the server again.
    ///
    /// # Errors
    /// When it does not come back.
    pub async fn start(self) -> anyhow::Result<World> {
        let Self { dify, home, config } = self;
        let server = Server::start(server_config(&config, home.path(), &dify)?).await?;
        Ok(World {
            dify,
            server,
            home,
            config,
        })
    }

    /// Starts a server that is expected not to come up. Its words.
    ///
    /// # Errors
    /// When it comes up after all.
    pub async fn refusal(&self) -> anyhow::Result<String> {
        let config = server_config(&self.config, self.home.path(), &self.dify)?;
        match Server::start(config).await {
            Ok(_) => bail!("the server started"),
            Err(error) => Ok(format!("{error:#}")),
        }
    }
}

/// The address in the answer to `enable`, `regenerate` or `show` with `reveal`.
///
/// # Errors
/// When the answer holds none.
pub fn address(reply: Reply) -> anyhow::Result<String> {
    match reply {
        Reply::App { app } => Ok(app.addresses.context("the answer holds no address")?.host),
        other => bail!("this is not about an app: {other:?}"),
    }
}

fn server_config(
    config: &WorldConfig,
    home: &Path,
    dify: &StandIn,
) -> anyhow::Result<ServerConfig> {
    let limits = config.limits.clone();
    let dify_url = config.dify_url.clone().unwrap_or_else(|| dify.url());
    let mut server = ServerConfig {
        home: home.to_owned(),
        listen: "127.0.0.1:0".parse()?,
        public_url: None,
        host_url: None,
        inside_url: None,
        allowed_origins: Vec::new(),
        allowed_hosts: Vec::new(),
        dify: Some(airlock_dify::Config {
            in_flight: limits.dify_in_flight,
            per_app: limits.dify_per_app,
            ..airlock_dify::Config::new(airlock_dify::parse_base(&dify_url)?)
        }),
        master_key_file: None,
        program: "airlock".into(),
        mcp: limits.mcp(),
        limits,
        files: FileArgs::default(),
        guests: GuestArgs::default(),
        // The program compiles in a process of its own; here its bounds are no matter, but for tests of them.
        compiler: None,
    };
    (config.adjust)(&mut server);
    Ok(server)
}
