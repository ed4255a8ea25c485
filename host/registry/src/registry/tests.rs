mod addresses;
mod storage;
mod tasks;

use super::*;
use crate::{
    NewApp,
    testing::{self, Stage},
};

async fn added(registry: &Registry, new: NewApp) -> AppId {
    registry.add(new).await.expect("a new app").app.id.clone()
}

/// A registry with one enabled app.
async fn published() -> (Stage, Registry, AppId, Secret) {
    let stage = Stage::new();
    let registry = stage.open().await;
    let id = added(&registry, testing::app("app-one")).await;
    let address = registry.enable(&id).await.expect("it is there");
    (stage, registry, id, address)
}

fn lease(registry: &Registry, address: &Secret) -> Option<Arc<crate::Lease>> {
    registry.snapshot().by_address(address.expose())
}

fn record(registry: &Registry, id: &AppId) -> Arc<AppRecord> {
    Arc::clone(registry.snapshot().get(id.as_str()).expect("it is there"))
}

fn records(registry: &Registry) -> Vec<AppRecord> {
    registry
        .snapshot()
        .apps()
        .map(|app| AppRecord::clone(app))
        .collect()
}
