//! The stand-in as its users hold it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::DropGuard;

use crate::apps::SampleApp;
use crate::behaviour::Behaviour;
use crate::options::Options;
use crate::seen::Seen;
use crate::server;
use crate::state::State;

/// A running stand-in for Dify. Dropping it closes its port, its connections and its runs.
pub struct StandIn {
    state: Arc<State>,
    address: SocketAddr,
    server: Mutex<Option<JoinHandle<()>>>,
}

impl StandIn {
    /// Starts on a free port of 127.0.0.1, with fresh app keys.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("the stand-in for Dify found no free port on 127.0.0.1")?;
        let address = listener
            .local_addr()
            .context("the stand-in's port has no address")?;
        let state = Arc::new(State::new(options));
        let server = tokio::spawn(server::serve(listener, Arc::clone(&state)));
        Ok(Self {
            state,
            address,
            server: Mutex::new(Some(server)),
        })
    }

    /// The base address of the Service API, `http://127.0.0.1:PORT/v1`.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The mode name and the app key of every app, in the order of [`Options::apps`].
    pub fn keys(&self) -> Vec<(&'static str, &str)> {
        let apps = self.state.apps.iter();
        apps.map(|app| (app.sample.mode().name(), app.key.as_str()))
            .collect()
    }

    /// One app's key.
    ///
    /// # Panics
    /// When [`Options::apps`] left the app out.
    pub fn key(&self, app: SampleApp) -> &str {
        &self.state.app(app).key
    }

    /// Sets what an app does from its next request on.
    ///
    /// # Panics
    /// When [`Options::apps`] left the app out.
    pub fn set(&self, app: SampleApp, behaviour: Behaviour) {
        self.state.app(app).set_behaviour(behaviour);
    }

    /// Adds a short text to an app's form, as its author would; it may be left out.
    ///
    /// # Panics
    /// When [`Options::apps`] left the app out.
    pub fn add_input(&self, app: SampleApp, variable: &'static str, label: &'static str) {
        self.state.app(app).add_input(variable, label);
    }

    /// Calls an app's mode something else, as a later Dify may.
    ///
    /// # Panics
    /// When [`Options::apps`] left the app out.
    pub fn call_mode(&self, app: SampleApp, word: &str) {
        self.state.app(app).call_mode(word);
    }

    /// Keeps an app's runs that begin from now on from ending until the guard is dropped: they do all their work, and wait.
    ///
    /// # Panics
    /// When [`Options::apps`] left the app out.
    #[must_use = "the runs go on when it is dropped"]
    pub fn hold(&self, app: SampleApp) -> DropGuard {
        self.state.app(app).hold()
    }

    /// Deletes an app's key and makes another, which is the answer. [`StandIn::key`] goes on to name the first one.
    ///
    /// # Panics
    /// When [`Options::apps`] left the app out.
    pub fn replace_key(&self, app: SampleApp) -> String {
        self.state.app(app).replace_key()
    }

    /// Makes one more key of an app, as its author may. Whoever knows apps by their keys takes it for another app.
    ///
    /// # Panics
    /// When [`Options::apps`] left the app out.
    pub fn another_key(&self, app: SampleApp) -> String {
        self.state.app(app).another_key()
    }

    /// What has been seen so far.
    pub fn seen(&self) -> Seen {
        self.state.seen.now()
    }

    /// Waits until what has been seen meets the condition, and returns it.
    ///
    /// # Errors
    /// When the time is over first; the message holds what was seen instead.
    pub async fn wait_until(
        &self,
        condition: impl FnMut(&Seen) -> bool,
        timeout: Duration,
    ) -> anyhow::Result<Seen> {
        self.state.seen.wait_until(condition, timeout).await
    }

    /// Closes the port and every connection: from now on connecting is refused. Runs go on, as in Dify's worker.
    pub async fn down(&self) {
        if let Some(server) = self.server.lock().await.take() {
            server.abort();
            // Aborted is what it is meant to be; only its end matters, since the port is closed then.
            let _ = server.await;
        }
    }

    /// Opens the same port again after [`StandIn::down`]; does nothing when it is open.
    ///
    /// # Errors
    /// When another process has taken the port meanwhile.
    pub async fn up(&self) -> anyhow::Result<()> {
        let mut server = self.server.lock().await;
        if server.is_none() {
            let listener = TcpListener::bind(self.address)
                .await
                .with_context(|| format!("the stand-in's port {} is taken", self.address.port()))?;
            *server = Some(tokio::spawn(server::serve(
                listener,
                Arc::clone(&self.state),
            )));
        }
        Ok(())
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.state.shutdown.cancel();
        if let Some(server) = self.server.get_mut() {
            server.abort();
        }
    }
}
