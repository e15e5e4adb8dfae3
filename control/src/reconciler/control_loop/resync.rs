//! What nobody told the loop: from time to time it compares what it knows with the store.
//!
//! Whoever changes a service, a job or a run tells the loop, so this finds nothing, unless a notice got lost. Then it is
//! late, but it comes about.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use super::watched::Steady;
use super::{ControlLoop, ServiceKey};
use crate::model::Service;
use crate::model::keys;
use crate::model::stored::Record as _;
use crate::store::{Entry, StoreError};

/// How late a change can come about of which the notice got lost. Ten thousand records take some ten milliseconds to
/// look through.
pub(super) const RESYNC_EVERY: Duration = Duration::from_secs(60);

impl ControlLoop {
    /// Looks for what differs from what is known.
    pub(super) async fn resync(&mut self) {
        self.next_resync = Instant::now() + RESYNC_EVERY;
        let services = self.resync_services().await;
        for result in [services, self.resync_jobs().await] {
            if let Err(error) = result {
                tracing::error!(%error, "can't look through what the store has; it is tried again");
                self.next_resync = Instant::now() + super::RETRY_AFTER;
            }
        }
    }

    /// Looks for services that differ from what is known, and at those that are not as they shall be.
    async fn resync_services(&mut self) -> Result<(), StoreError> {
        let entries = self.parts.store.list(keys::SERVICES).await?.entries;
        let stored: HashSet<ServiceKey> = entries.iter().filter_map(|entry| self.compare(entry)).collect();
        let unsettled = |key: &ServiceKey| {
            let watched = self.services.get(key);
            watched.is_some_and(|watched| watched.steady != Steady::Announced || !stored.contains(key))
        };
        let unsettled: Vec<ServiceKey> = self
            .services
            .keys()
            .filter(|key| unsettled(key))
            .cloned()
            .collect();
        for key in unsettled {
            if !stored.contains(&key) {
                self.mark_stale(&key);
            }
            self.dirty.insert(key);
        }
        Ok(())
    }

    /// Whose record this is; it is read again if it is another than the one that is known.
    fn compare(&mut self, entry: &Entry) -> Option<ServiceKey> {
        // A damaged one is told of where it is needed.
        let service = Service::decode(entry).ok()?;
        let key = (service.namespace, service.name);
        let known = self.services.get(&key).map(|watched| watched.revision);
        if known != Some(entry.revision) {
            self.mark_stale(&key);
            self.dirty.insert(key.clone());
        }
        Some(key)
    }
}
