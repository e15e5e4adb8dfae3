//! Services that requests wait for: the gateway puts them in, the control loop takes them out.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use wharf_gateway::{GroupName, WakeUp};

/// The target groups that requests wait for. Each is in it once, so there are never more than groups.
#[derive(Debug, Default)]
pub struct Wakes {
    wanted: Mutex<HashSet<GroupName>>,
    came: Notify,
}

impl WakeUp for Wakes {
    fn wake(&self, group: &GroupName) {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        if !wanted.contains(group) {
            wanted.insert(group.clone());
            self.came.notify_one();
        }
    }
}

impl Wakes {
    /// Waits until somebody is wanted, and says who. Safe to drop and call again.
    pub async fn wanted(&self) -> HashSet<GroupName> {
        loop {
            let wanted = self.take();
            if !wanted.is_empty() {
                return wanted;
            }
            self.came.notified().await;
        }
    }

    fn take(&self) -> HashSet<GroupName> {
        std::mem::take(&mut *self.wanted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
