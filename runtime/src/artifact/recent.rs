//! Artifacts kept loaded though nothing runs them: a service that sleeps is to be back in no time, and loading takes
//! longer than all the rest. What they hold is mapped from the cache's files, for the most part.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// How many are kept.
const RECENT: usize = 64;

/// Those prepared last, the latest first.
#[derive(Debug)]
pub(super) struct Recent<T>(Mutex<VecDeque<Arc<T>>>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Recent<T> {
    /// Keeps this one, instead of the one that was longest not asked for.
    pub(super) fn keep(&self, prepared: &Arc<T>) {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|other| !Arc::ptr_eq(other, prepared));
        recent.push_front(Arc::clone(prepared));
        let longest_ago = (recent.len() > RECENT).then(|| recent.pop_back()).flatten();
        // Unmapping takes its time, and who wakes another service is not to wait for it.
        drop(recent);
        drop(longest_ago);
    }
}

#[cfg(test)]
mod tests;
