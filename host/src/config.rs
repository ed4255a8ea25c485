//! What an operator may set, by flag or by environment. Every setting has a default, or its absence has a meaning.

mod limits;

use std::env::VarError;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use airlock_registry::{Home, MasterKey, Purpose, Secret};
use airlock_sandbox::EngineConfig;
use anyhow::Context;
use clap::Args;
use url::Url;

use crate::files::{self, FetchedBy, OpenPlaces, Opened, SpoolBounds};
use crate::guests::GuestsConfig;
use crate::guests::cache::CacheConfig;
use crate::guests::compiler::CompilerConfig;

pub use limits::LimitArgs;

/// The Dify beside us.
#[derive(Debug, Clone, Args)]
pub struct DifyArgs {
    /// Dify's Service API: http://api:5001/v1 inside its compose network, http://HOST/v1 through its nginx.
    #[arg(
        id = "dify_url",
        long = "dify-url",
        env = "DIFY_URL",
        value_name = "URL"
    )]
    pub url: Option<String>,
}

impl DifyArgs {
    /// The base of Dify's Service API, where one is set.
    ///
    /// # Errors
    /// When the URL is not one that a Dify can have.
    pub fn base(&self) -> anyhow::Result<Option<Url>> {
        let url = self.url.as_deref();
        url.map(|url| airlock_dify::parse_base(url).context("DIFY_URL"))
            .transpose()
    }
}

/// Where a server is, as its clients see it.
#[derive(Debug, Clone, Args)]
pub struct PlaceArgs {
    /// Where to listen for MCP clients.
    #[arg(
        long,
        env = "AIRLOCK_LISTEN",
        default_value = "127.0.0.1:8808",
        value_name = "ADDR:PORT"
    )]
    pub listen: SocketAddr,
    /// The address under which the internet reaches this server; printed addresses begin with it.
    #[arg(long, env = "AIRLOCK_PUBLIC_URL", value_name = "URL", value_parser = optional_url)]
    pub public_url: Option<Url>,
    /// The address under which this host reaches this server, where it is not http://localhost and the port of --listen:
    /// a container's port may be published under another number.
    #[arg(long, env = "AIRLOCK_HOST_URL", value_name = "URL", value_parser = optional_url)]
    pub host_url: Option<Url>,
    /// The address under which other containers reach this server, http://airlock:8808 in the compose overlay.
    #[arg(long, env = "AIRLOCK_INSIDE_URL", value_name = "URL", value_parser = optional_url)]
    pub inside_url: Option<Url>,
}

fn optional_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim()).map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" | "https" if url.query().is_none() && url.fragment().is_none() => Ok(url),
        _ => Err("write http:// or https://, a host, and a path if need be".into()),
    }
}

/// What a command knows of the server it stands in for: the environment alone, since flags are the server's.
#[derive(Debug, Clone, clap::Parser)]
pub struct Surroundings {
    /// The Dify beside us.
    #[command(flatten)]
    pub dify: DifyArgs,
    /// Where the server would be.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// The master key, when it is not to stand in the home.
    #[arg(long, env = "AIRLOCK_MASTER_KEY_FILE", value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
    /// Compiling guests.
    #[command(flatten)]
    pub guests: GuestArgs,
}

impl Surroundings {
    /// Reads the environment; ends the process with the reason where a variable does not fit.
    #[must_use]
    pub fn from_env() -> Self {
        crate::cli::environment::environment()
    }
}

/// Settings of `airlock serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Where it is reached.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Web origins whose pages may call, separated by commas. Clients that are no browsers send none.
    #[arg(
        long,
        env = "AIRLOCK_ALLOWED_ORIGINS",
        value_delimiter = ',',
        value_name = "ORIGIN"
    )]
    pub allowed_origins: Vec<String>,
    /// Host names that requests may be addressed to, beside localhost and those of the URLs above.
    #[arg(
        long,
        env = "AIRLOCK_ALLOWED_HOSTS",
        value_delimiter = ',',
        value_name = "HOST"
    )]
    pub allowed_hosts: Vec<String>,
    /// The Dify beside it.
    #[command(flatten)]
    pub dify: DifyArgs,
    /// A file with API keys of apps to register at start, one a line; lines that begin with # are skipped. They are
    /// registered off. DIFY_APP_KEYS, separated by commas, has keys as well; no option has, for process lists show those.
    #[arg(long, env = "DIFY_APP_KEYS_FILE", value_name = "FILE")]
    pub app_keys_file: Option<PathBuf>,
    /// `all` enables the apps of these keys as well.
    #[arg(long, env = "AIRLOCK_ENABLE", value_name = "all", value_parser = ["all"])]
    pub enable: Option<String>,
    /// The master key, when it is not to stand in the home.
    #[arg(long, env = "AIRLOCK_MASTER_KEY_FILE", value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
    /// The bounds.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Files.
    #[command(flatten)]
    pub files: FileArgs,
    /// Compiling guests.
    #[command(flatten)]
    pub guests: GuestArgs,
}

/// What compiling a guest may cost, and how much of what comes of it is kept. The units are in the names' help.
#[derive(Debug, Clone, Args)]
pub struct GuestArgs {
    /// MiB of a guest's component.
    #[arg(
        long,
        env = "AIRLOCK_COMPILE_SIZE",
        default_value_t = 64,
        value_name = "MIB",
        value_parser = component_mebibytes
    )]
    pub compile_size: usize,
    /// Seconds that compiling a guest may take. Half the processors do it.
    #[arg(
        long,
        env = "AIRLOCK_COMPILE_TIME",
        default_value_t = 120,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..=3_600)
    )]
    pub compile_time: u64,
    /// MiB of address space that compiling a guest may take.
    #[arg(
        long,
        env = "AIRLOCK_COMPILE_MEMORY",
        default_value_t = 2_048,
        value_name = "MIB",
        value_parser = count
    )]
    pub compile_memory: usize,
    /// MiB of compiled guests that are kept on disk, in the home's cache/; 0 for none.
    #[arg(
        long,
        env = "AIRLOCK_CODE_CACHE",
        default_value_t = 1_024,
        value_name = "MIB",
        value_parser = clap::value_parser!(u64).range(0..=1_048_576)
    )]
    pub code_cache: u64,
    /// MiB of compiled guests that are held ready in memory. Others are loaded again when they are called.
    #[arg(
        long,
        env = "AIRLOCK_CODE_LOADED",
        default_value_t = 512,
        value_name = "MIB",
        value_parser = count
    )]
    pub code_loaded: usize,
}

impl GuestArgs {
    /// What guests are compiled and kept with. `program` is `airlock`, where there is one to compile in a process of its
    /// own; `home` is where a cache may be.
    #[must_use]
    pub fn settings(
        &self,
        engine: EngineConfig,
        program: Option<PathBuf>,
        home: Option<(&Home, &MasterKey)>,
    ) -> GuestsConfig {
        let bytes = self.code_cache << 20;
        GuestsConfig {
            engine,
            compiler: CompilerConfig {
                program,
                size: self.compile_size << 20,
                time: Duration::from_secs(self.compile_time),
                memory: self.compile_memory << 20,
            },
            cache: home
                .filter(|_| bytes > 0)
                .map(|(home, master)| CacheConfig {
                    directory: home.cache(),
                    bytes,
                    key: master.derive(Purpose::CodeCache),
                }),
            loaded: self.code_loaded << 20,
        }
    }
}

impl Default for GuestArgs {
    /// As [`LimitArgs::default`].
    fn default() -> Self {
        #[derive(clap::Parser)]
        struct Defaults {
            #[command(flatten)]
            guests: GuestArgs,
        }
        crate::cli::environment::environment::<Defaults>().guests
    }
}

/// What an operator decides about files. The units are in the names' help.
#[derive(Debug, Clone, Args)]
pub struct FileArgs {
    /// MiB of a request to an app that takes files, and of a file that this server fetches for a caller. Base64 makes
    /// 3 bytes 4.
    #[arg(
        long,
        env = "AIRLOCK_BODY_LIMIT",
        default_value_t = 24,
        value_name = "MIB",
        value_parser = mebibytes
    )]
    pub body_limit: usize,
    /// Who fetches a file that a caller gives by its address: `dify`, or `airlock`, which hands it over.
    #[arg(
        long,
        env = "AIRLOCK_FETCH",
        default_value = "dify",
        value_name = "WHO"
    )]
    pub fetch: FetchedBy,
    /// Places in private networks from which this server may fetch files, separated by commas: hosts' names, addresses,
    /// networks like 10.1.0.0/16.
    #[arg(
        long,
        env = "AIRLOCK_FETCH_ALLOW",
        value_delimiter = ',',
        value_name = "PLACE"
    )]
    pub fetch_allow: Vec<Opened>,
    /// MiB of the largest file of an app's that is handed to a client.
    #[arg(
        long,
        env = "AIRLOCK_READ_LIMIT",
        default_value_t = 10,
        value_name = "MIB",
        value_parser = mebibytes
    )]
    pub read_limit: usize,
    /// MiB of files that are kept until clients read them. One app may fill a quarter.
    #[arg(
        long,
        env = "AIRLOCK_SPOOL",
        default_value_t = 256,
        value_name = "MIB",
        value_parser = count
    )]
    pub spool: usize,
    /// Seconds for which they are kept, and for which their handles are good.
    #[arg(
        long,
        env = "AIRLOCK_SPOOL_TTL",
        default_value_t = 3_600,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..=86_400)
    )]
    pub spool_ttl: u64,
}

impl FileArgs {
    /// What the server goes by.
    #[must_use]
    pub fn settings(&self) -> files::Settings {
        files::Settings {
            fetched_by: self.fetch,
            open: OpenPlaces::new(&self.fetch_allow),
            body_limit: self.body_limit << 20,
            read_limit: self.read_limit << 20,
            spool: SpoolBounds {
                bytes: self.spool.saturating_mul(1 << 20),
                ttl: Duration::from_secs(self.spool_ttl),
            },
        }
    }
}

impl Default for FileArgs {
    /// As [`LimitArgs::default`].
    fn default() -> Self {
        #[derive(clap::Parser)]
        struct Defaults {
            #[command(flatten)]
            files: FileArgs,
        }
        crate::cli::environment::environment::<Defaults>().files
    }
}

/// Nothing would ever run with a bound of none.
fn count(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(count @ 1..=100_000) => Ok(count),
        _ => Err("write a number from 1 to 100000".into()),
    }
}

/// The registry takes no larger component.
fn component_mebibytes(text: &str) -> Result<usize, String> {
    const MOST: usize = airlock_registry::bounds::MAX_COMPONENT >> 20;
    match text.trim().parse() {
        Ok(mebibytes @ 1..=MOST) => Ok(mebibytes),
        _ => Err(format!("write a number from 1 to {MOST}")),
    }
}

/// The instance pool has room for this much in one memory.
fn mebibytes(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(mebibytes @ 1..=256) => Ok(mebibytes),
        _ => Err("write a number from 1 to 256".into()),
    }
}

impl ServeArgs {
    /// All keys that the environment names, in order, each once.
    ///
    /// # Errors
    /// When the file cannot be read, or the variable is no text.
    pub fn keys(&self) -> anyhow::Result<Vec<Secret>> {
        let mut keys = Vec::new();
        match std::env::var("DIFY_APP_KEYS") {
            Ok(listed) => {
                let listed = listed.split(',').map(str::trim);
                keys.extend(listed.map(|key| Secret::new(key.to_owned())));
            }
            Err(VarError::NotPresent) => {}
            // The error's own words would have the value in them.
            Err(VarError::NotUnicode(_)) => anyhow::bail!("DIFY_APP_KEYS is not UTF-8"),
        }
        if let Some(file) = &self.app_keys_file {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("DIFY_APP_KEYS_FILE: cannot read {}", file.display()))?;
            let lines = text
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty() && !line.starts_with('#'));
            keys.extend(lines.map(|line| Secret::new(line.to_owned())));
        }
        let mut seen = std::collections::HashSet::new();
        keys.retain(|key| !key.expose().is_empty() && seen.insert(key.expose().to_owned()));
        Ok(keys)
    }
}
