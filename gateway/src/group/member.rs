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
    time::Instant,
};

use super::{Membership, TargetStatus, cohort::Counts, spec::TargetWeight};
use crate::{
    health::{
        Checks, Health, HealthReason,
        checks::Kind,
        standing::{Grace, Standing, Verdict},
    },
    metrics::TargetCounts,
    names::{CohortName, TargetId},
    target::{Condition, Target},
};

/// One target in one group.
pub(crate) struct Member {
    id: TargetId,
    target: Arc<dyn Target>,
    weight: TargetWeight,
    cohort: Option<(CohortName, Arc<Counts>)>,
    /// How it is checked, if not as the group says.
    own_checks: Option<Checks>,
    registered_at: Instant,
    /// The verdict, from the checks, the target's own condition and whether it drains.
    health: watch::Sender<Health>,
    /// Why its owner is asked to replace it, if it is.
    replace: watch::Sender<Option<HealthReason>>,
    checked: Mutex<Checked>,
    draining: AtomicBool,
    /// Its time to drain is over: what it has is to end.
    cut: AtomicBool,
    in_flight: AtomicU32,
    pub(crate) counts: TargetCounts,
    /// Woken when the last request of a draining target ends.
    idle: Notify,
    /// Who is to be woken when the target is cut: the requests that wait for it, each with a place of its own.
    waiting: Mutex<Waiting>,
}

/// A target's checks, as they are made now.
#[derive(Default)]
struct Checked {
    /// What they have come to.
    standing: Standing,
    /// How long failures ask for nothing.
    grace: Duration,
    /// How often they have been changed.
    changes: u64,
    running: Option<AbortHandle>,
}

/// A target's checks from one change of them to the next.
#[derive(Debug)]
pub(crate) struct CheckRun {
    number: u64,
    /// What the target was before these checks.
    pub(crate) before: Health,
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
        membership: Membership,
        counts: Option<Arc<Counts>>,
    ) -> Self {
        let Membership {
            weight,
            cohort,
            checks,
        } = membership;
        Self {
            id,
            target,
            weight,
            cohort: cohort.zip(counts),
            own_checks: checks,
            registered_at: Instant::now(),
            health: watch::Sender::new(Health::Initial),
            replace: watch::Sender::new(None),
            checked: Mutex::default(),
            draining: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            in_flight: AtomicU32::new(0),
            counts: TargetCounts::default(),
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

    pub(super) fn has_own_checks(&self) -> bool {
        self.own_checks.is_some()
    }

    /// How it is checked, in a group that says this.
    pub(super) fn checks_or<'c>(&'c self, of_group: &'c Checks) -> &'c Checks {
        self.own_checks.as_ref().unwrap_or(of_group)
    }

    /// A request it was given has ended.
    pub(crate) fn count(&self, status: u16, head: Option<Duration>) {
        self.counts.count(status, head);
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

    pub(super) fn watch_replacement(&self) -> watch::Receiver<Option<HealthReason>> {
        self.replace.subscribe()
    }

    pub(crate) fn registered_at(&self) -> Instant {
        self.registered_at
    }

    /// Whether failures count, of a group that gives its targets this long.
    pub(crate) fn grace(&self, given: Duration) -> Grace {
        if self.registered_at.elapsed() < given {
            Grace::Given
        } else {
            Grace::Over
        }
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

    /// Takes over what one of its checks has come to, unless it is of a run that is over: one that was under way when the
    /// checks were changed.
    pub(super) fn note(&self, run: &CheckRun, kind: Kind, verdict: Verdict) {
        let mut checked = self.checked();
        if checked.changes == run.number {
            checked.standing.note(kind, verdict);
        }
    }

    /// Other checks begin: who had traffic keeps it until they say otherwise.
    pub(super) fn begin_checks(&self, checks: &Checks) -> CheckRun {
        let before = self.health.borrow().clone();
        let kinds = checks.all().map(|(kind, _)| kind);
        let mut checked = self.checked();
        checked.stop();
        checked.standing = Standing::awaiting(kinds, &before);
        checked.grace = checks.grace;
        CheckRun {
            number: checked.changes,
            before,
        }
    }

    pub(super) fn keep_checks(&self, running: AbortHandle) {
        self.checked().running = Some(running);
    }

    pub(super) fn stop_checks(&self) {
        self.checked().stop();
    }

    fn checked(&self) -> MutexGuard<'_, Checked> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forms the verdicts anew; tells whether that on its traffic changed.
    pub(super) fn settle(&self) -> bool {
        self.health.send_if_modified(|health| {
            // Formed under the lock: an older verdict must not overtake a newer one.
            let verdict = self.verdict();
            // First: who sees the new health shall find what is asked with it.
            self.replace.send_if_modified(|replace| {
                let changed = *replace != verdict.replace;
                *replace = verdict.replace;
                changed
            });
            let changed = *health != verdict.health;
            *health = verdict.health;
            changed
        })
    }

    fn verdict(&self) -> Verdict {
        if self.is_draining() {
            return Verdict {
                health: Health::Draining,
                replace: None,
            };
        }
        let Checked { standing, grace, .. } = &*self.checked();
        let mut verdict = standing.verdict();
        if let Condition::Unfit(reason) = self.target.condition() {
            let reason = HealthReason::Unfit(reason.into());
            verdict.replace = (self.grace(*grace) == Grace::Over).then(|| reason.clone());
            verdict.health = Health::Unhealthy { reason };
        }
        verdict
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

impl Checked {
    fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
        }
        self.changes += 1;
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
