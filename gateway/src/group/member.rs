//! A registered target: what is known of its health, how many requests it has, and their way out.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::Waker,
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
};

use super::{TargetStatus, cohort::Counts, spec::TargetWeight};
use crate::{
    health::{Health, HealthReason},
    metrics::Responses,
    names::{CohortName, TargetId},
    target::{Condition, Target},
};

/// One target in one group.
pub(crate) struct Member {
    id: TargetId,
    target: Arc<dyn Target>,
    weight: TargetWeight,
    cohort: Option<(CohortName, Arc<Counts>)>,
    /// The verdict, from the checks, the target's own condition and whether it drains.
    health: watch::Sender<Health>,
    /// What the checks say; none without checks.
    checked: Mutex<Option<Health>>,
    checks: Mutex<Option<AbortHandle>>,
    draining: AtomicBool,
    /// Its time to drain is over: what it has is to end.
    cut: AtomicBool,
    in_flight: AtomicU32,
    /// To requests it was given.
    pub(crate) responses: Responses,
    /// Woken when the last request of a draining target ends.
    idle: Notify,
    /// Who is to be woken when the target is cut: the requests that wait for it, each with a place of its own.
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Member {
    pub(super) fn new(
        id: TargetId,
        target: Arc<dyn Target>,
        weight: TargetWeight,
        cohort: Option<(CohortName, Arc<Counts>)>,
    ) -> Self {
        Self {
            id,
            target,
            weight,
            cohort,
            health: watch::Sender::new(Health::Initial),
            checked: Mutex::new(None),
            checks: Mutex::new(None),
            draining: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            in_flight: AtomicU32::new(0),
            responses: Responses::default(),
            idle: Notify::new(),
            waiting: Mutex::default(),
        }
    }

    pub(crate) fn id(&self) -> &TargetId {
        &self.id
    }

    pub(crate) fn target(&self) -> &dyn Target {
        &*self.target
    }

    pub(super) fn weight(&self) -> TargetWeight {
        self.weight
    }

    pub(super) fn cohort(&self) -> Option<&CohortName> {
        self.cohort.as_ref().map(|(name, _)| name)
    }

    /// A request it was given has ended.
    pub(crate) fn count(&self, status: u16, head: Option<Duration>) {
        self.responses.count(status);
        if let Some((_, counts)) = &self.cohort {
            counts.count(status, head);
        }
    }

    /// Requests the gateway has with it.
    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn watch(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    pub(super) fn status(&self) -> TargetStatus {
        TargetStatus {
            id: self.id.clone(),
            health: self.health.borrow().clone(),
            weight: self.weight,
            in_flight: self.in_flight(),
            load: self.target.load(),
        }
    }

    pub(super) fn is_healthy(&self) -> bool {
        *self.health.borrow() == Health::Healthy
    }

    pub(super) fn is_ill(&self) -> bool {
        matches!(*self.health.borrow(), Health::Unhealthy { .. })
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
                reason: HealthReason::Unfit(reason.into()),
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

    /// Ends what the target still has.
    pub(super) fn cut(&self) {
        // Before the wakers are taken: who comes to wait later has to see it.
        self.cut.store(true, Ordering::SeqCst);
        let wakers = std::mem::take(&mut self.waiting().wakers);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }

    /// Has `waker` woken when the target is cut. `place` is the request's, once it has one.
    pub(super) fn wait_for_cut(&self, place: &mut Option<usize>, waker: &Waker) {
        let mut waiting = self.waiting();
        match place.and_then(|place| waiting.wakers.get_mut(place)) {
            Some(Some(known)) => known.clone_from(waker),
            Some(vacant) => *vacant = Some(waker.clone()),
            None => *place = Some(waiting.add(waker.clone())),
        }
    }

    pub(super) fn stop_waiting(&self, place: usize) {
        let mut waiting = self.waiting();
        let waker = waiting.wakers.get_mut(place).and_then(Option::take);
        if waker.is_some() {
            waiting.free.push(place);
        }
        drop(waiting);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn add(&mut self, waker: Waker) -> usize {
        if let Some((place, vacant)) = self
            .free
            .pop()
            .and_then(|place| Some((place, self.wakers.get_mut(place)?)))
        {
            *vacant = Some(waker);
            return place;
        }
        self.wakers.push(Some(waker));
        self.wakers.len() - 1
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
