//! The one door to the registry: the running server, or, when none runs, the same operation done here.

use std::path::Path;
use std::sync::Arc;

use airlock_dify::{Config, Dify};
use airlock_registry::{Home, MasterKey, Registry};
use airlock_sandbox::EngineConfig;
use anyhow::Context;

use crate::addresses::Bases;
use crate::admin::client;
use crate::config::Surroundings;
use crate::guests::Guests;
use crate::guests::compiler::this_program;
use crate::ops::drift::Troubles;
use crate::ops::{Operation, Operations, Reply};

/// Has an operation done.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn ask(home: &Path, operation: Operation) -> anyhow::Result<Reply> {
    let home = Home::open(home)?;
    let operation = match client::ask(&home.socket(), operation).await? {
        Ok(reply) => return Ok(reply),
        Err(operation) => operation,
    };
    let surroundings = Surroundings::from_env();
    let lock = home.lock()?;
    let master = MasterKey::load(&lock, surroundings.master_key_file.as_deref())?;
    let registry = Arc::new(Registry::open(lock, &master).await?);
    let dify = surroundings
        .dify
        .base()?
        .map(|base| Dify::new(Config::new(base)))
        .transpose()
        .context("DIFY_URL")?;
    let operations = Operations {
        registry: Arc::clone(&registry),
        guests: Guests::new(surroundings.guests.settings(
            EngineConfig {
                instances: 1,
                threads: 1,
                pooling: false,
            },
            Some(this_program()),
            Some((registry.home(), &master)),
        ))?,
        dify,
        bases: Bases::new(
            surroundings.place.listen,
            surroundings.place.public_url,
            surroundings.place.host_url,
            surroundings.place.inside_url,
        ),
        program: super::PROGRAM.into(),
        troubles: Troubles::default(),
    };
    let reply = operations.execute(operation).await;
    registry.close().await?;
    Ok(reply?)
}
