//! The services of all apps, each built when its address is first used and kept until its record changes.

use std::collections::HashMap;
use std::sync::Arc;

use airlock_registry::{AppId, AppRecord, Lease};
use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use super::service::{Service, Shared, Unserved};

/// Finds the service of a lease without a lock; builds it, once for each state of an app's record, with one copy of a
/// map of pointers.
pub struct Services {
    shared: Arc<Shared>,
    built: ArcSwap<HashMap<AppId, Arc<Service>>>,
}

impl Services {
    /// None are built yet.
    #[must_use]
    pub fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            built: ArcSwap::default(),
        }
    }

    /// The service of an app that is off, for what the server does of itself. Nobody can reach it.
    ///
    /// # Errors
    /// [`Unserved`], for the log.
    pub fn of_disabled(&self, app: &Arc<AppRecord>) -> Result<Arc<Service>, Unserved> {
        let lease = Lease {
            app: Arc::clone(app),
            revoked: CancellationToken::new(),
        };
        lease.revoked.cancel();
        Service::new(&self.shared, &lease, None).map(Arc::new)
    }

    /// The service of the app behind `lease`.
    ///
    /// # Errors
    /// [`Unserved`], for the log.
    pub fn of(&self, lease: &Lease) -> Result<Arc<Service>, Unserved> {
        let built = self.built.load();
        let known = built.get(&lease.app.id);
        if let Some(service) = known.filter(|service| Arc::ptr_eq(&service.0.record, &lease.app)) {
            return Ok(Arc::clone(service));
        }
        let service = Service::new(&self.shared, lease, known.map(|known| &**known))?;
        let service = Arc::new(service);
        let snapshot = self.shared.registry.snapshot();
        self.built.rcu(|built| {
            let mut built = HashMap::clone(built);
            // Whoever was removed goes with the next change; whoever comes late with an old lease stays out.
            built.retain(|id, _| snapshot.get(id.as_str()).is_some());
            if snapshot
                .get(lease.app.id.as_str())
                .is_some_and(|now| Arc::ptr_eq(now, &lease.app))
            {
                built.insert(lease.app.id.clone(), Arc::clone(&service));
            }
            built
        });
        Ok(service)
    }
}
