//! How replicas of this server reach one another: through the registry that they share.

use std::sync::Arc;

use airlock_mcp::ChannelError;
use airlock_registry::Channel;
use tokio::sync::broadcast;

/// The registry's channel, for the protocol.
pub struct RegistryChannel(pub Channel);

impl airlock_mcp::Channel for RegistryChannel {
    fn is_shared(&self) -> bool {
        self.0.is_shared()
    }

    fn publish(&self, message: Arc<[u8]>) -> Result<(), ChannelError> {
        self.0
            .publish(message)
            .map_err(|full| ChannelError(full.to_string()))
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<[u8]>> {
        self.0.subscribe()
    }
}
