//! A registered target: what is known of its health, and how many requests it has.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
};

use super::TargetStatus;
use crate::{
    health::Health,
    names::TargetId,
    target::{Condition, Target},
};

/// One target in one group.
pub(crate) struct Member {
    id: TargetId,
    target: Arc<dyn Target>,
    /// The verdict, from the checks, the target's own condition and whether it drains.
    health: watch::Sender<Health>,
    /// What the checks say; none without checks.
    checked: Mutex<Option<Health>>,
    checks: Mutex<Option<AbortHandle>>,
    draining: AtomicBool,
    in_flight: AtomicU32,
    /// Woken when the last request of a draining target ends.
    idle: Notify,
}

impl Member {
    pub(super) fn new(id: TargetId, target: Arc<dyn Target>) -> Self {
        Self {
            id,
            target,
            health: watch::Sender::new(Health::Initial),
            checked: Mutex::new(None),
            checks: Mutex::new(None),
            draining: AtomicBool::new(false),
            in_flight: AtomicU32::new(0),
            idle: Notify::new(),
        }
    }

    pub(crate) fn id(&self) -> &TargetId {
        &self.id
    }

    pub(crate) fn target(&self) -> &dyn Target {
        &*self.target
    }

    pub(super) fn watch(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    pub(super) fn status(&self) -> TargetStatus {
        TargetStatus {
            id: self.id.clone(),
            health: self.health.borrow().clone(),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            load: self.target.load(),
        }
    }

    pub(super) fn is_healthy(&self) -> bool {
        *self.health.borrow() == Health::Healthy
    }

    pub(super) fn is_draining(&self) -> bool {
        // SeqCst, as in `enter` and `drain`: either the one who enters sees the flag, or the one who drains
        // sees the count.
        self.draining.load(Ordering::SeqCst)
    }

    pub(super) fn set_checked(&self, verdict: Option<Health>) {
        *self.checked.lock().unwrap_or_else(PoisonError::into_inner) = verdict;
    }

    /// New checks begin: who had traffic keeps it until they say otherwise.
    pub(super) fn await_first_check(&self) {
        let standing = if self.is_healthy() {
            Health::Healthy
        } else {
            Health::Initial
        };
        self.set_checked(Some(standing));
    }

    pub(super) fn keep_checks(&self, handle: AbortHandle) {
        *self.checks.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
    }

    pub(super) fn stop_checks(&self) {
        if let Some(handle) = self.checks.lock().unwrap_or_else(PoisonError::into_inner).take() {
            handle.abort();
        }
    }

    /// Forms the verdict anew; tells whether it changed.
    pub(super) fn settle(&self) -> bool {
        self.health.send_if_modified(|health| {
            // Formed under the lock: an older verdict must not overtake a newer one.
            let verdict = self.verdict();
            let changed = *health != verdict;
            *health = verdict;
            changed
        })
    }

    fn verdict(&self) -> Health {
        if self.is_draining() {
            return Health::Draining;
        }
        let checked = self
            .checked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match (self.target.condition(), checked) {
            (Condition::Unfit(reason), _) => Health::Unhealthy {
                reason: reason.into(),
            },
            (Condition::Fit, None) => Health::Healthy,
            (Condition::Fit, Some(checked)) => checked,
        }
    }

    /// Counts a request in, unless the target drains.
    pub(super) fn enter(&self) -> bool {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        if self.is_draining() {
            self.leave();
            return false;
        }
        true
    }

    pub(super) fn leave(&self) {
        if self.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 && self.is_draining() {
            self.idle.notify_waiters();
        }
    }

    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.settle();
    }

    /// Ends when a draining target has no request left.
    pub(super) async fn idle(&self) {
        loop {
            let mut notified = std::pin::pin!(self.idle.notified());
            // Before the count is read, or the last request might end unnoticed in between.
            notified.as_mut().enable();
            if self.in_flight.load(Ordering::SeqCst) == 0 {
                return;
            }
            notified.await;
        }
    }
}
