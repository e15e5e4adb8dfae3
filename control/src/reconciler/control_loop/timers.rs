//! When services are planned again: one moment each, the earliest that was asked for.
//!
//! A plan says anew what it waits for whenever it is made, so later moments need no keeping; kept, each would ask for its
//! own successor, and there would be more of them with every event.

use std::collections::{BTreeSet, HashMap};

use tokio::time::Instant;

use super::ServiceKey;

/// The services' moments.
#[derive(Debug, Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Instant, ServiceKey)>,
    of: HashMap<ServiceKey, Instant>,
}

impl Timers {
    /// The service is planned again at `at`, or before.
    pub(super) fn wake(&mut self, key: &ServiceKey, at: Instant) {
        if let Some(known) = self.of.get(key) {
            if *known <= at {
                return;
            }
            self.by_time.remove(&(*known, key.clone()));
        }
        self.of.insert(key.clone(), at);
        self.by_time.insert((at, key.clone()));
    }

    /// The first moment of all.
    pub(super) fn first(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// A service whose moment has come; asked until there is none.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<ServiceKey> {
        self.by_time.first().filter(|(at, _)| *at <= now)?;
        let (_, key) = self.by_time.pop_first()?;
        self.of.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests;
