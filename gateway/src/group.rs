//! A target group: targets that can stand in for one another, and the choice among them.
//!
//! Requests choose from the *rotation*, an immutable list that is replaced when membership, health or the group's spec
//! changes; that is rare, choosing is not. Members change under one short lock that choosing never takes.

mod budget;
mod choice;
mod cohort;
mod drain;
mod hold;
mod member;
mod members;
pub(crate) mod registry;
mod rotation;
pub mod spec;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{runtime::Handle, sync::watch};

use self::{
    budget::Budget,
    cohort::Choice,
    hold::{Held, Waking},
    members::{Entry, Members, Takers},
};
pub(crate) use self::{
    choice::{ChoiceHints, Policy},
    drain::Lease,
    hold::Patience,
    member::{CheckRun, Member},
};
pub use self::{
    cohort::{Shares, Tally},
    drain::{Drain, Drained},
    hold::WakeUp,
    registry::{GroupError, Groups},
    spec::{Algorithm, FailOpen, GroupSpec, Hold, RetrySpec, SlowStart, SpecError, StickyFor, TargetWeight},
};
use crate::{
    health::{self, Checks, Health, HealthReason, checks::Kind, standing::Verdict},
    metrics::GroupCounts,
    names::{CohortName, GroupName, TargetId},
    target::{Load, Target},
};

/// A named set of targets that answer the same requests.
pub struct TargetGroup {
    name: GroupName,
    members: Mutex<Members>,
    /// Those who take requests: the healthy, or all if none is and the group fails open.
    rotation: ArcSwap<Choice>,
    /// Choices tried: whose turn it is, and what the lots are drawn from.
    turns: AtomicUsize,
    /// The same of attempts after the first.
    turns_again: AtomicUsize,
    /// Attempts at requests, however often a target was looked for meanwhile.
    attempts: AtomicUsize,
    retries: Budget,
    held: Held,
    waking: Waking,
    pub(crate) counts: GroupCounts,
    /// Counts changes of health and membership, over all groups.
    changes: watch::Sender<u64>,
    /// Where health checks run: they poll guests, as connections do.
    serve: Handle,
    myself: Weak<Self>,
}

/// What is known of a target.
#[derive(Clone, Debug)]
pub struct TargetStatus {
    /// Its identity within the group.
    pub id: TargetId,
    /// Whether it gets requests, and if not, why.
    pub health: Health,
    /// Its share where shares are drawn by weight.
    pub weight: TargetWeight,
    /// Requests the gateway has with it.
    pub in_flight: u32,
    /// What it says of its load.
    pub load: Load,
}

/// What is asked of a group, all targets together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Requests so far that a target was looked for; each once, however long it waited, and once more for a second attempt.
    pub requests: u64,
    /// Requests that the gateway has with targets, upgraded connections included.
    pub in_flight: u32,
    /// Requests that wait in targets for their turn.
    pub queued: u32,
    /// Requests that wait for a target.
    pub held: u32,
}

/// What a target is within its group.
#[derive(Clone, Debug, Default)]
pub struct Membership {
    /// Its share where shares are drawn by weight.
    pub weight: TargetWeight,
    /// Those it has a share of the requests with, and is counted with.
    pub cohort: Option<CohortName>,
    /// How it is checked for as long as it is registered; none: as the group says ([`GroupSpec::checks`]). For groups
    /// whose targets are not all of one kind.
    pub checks: Option<Checks>,
}

impl From<TargetWeight> for Membership {
    fn from(weight: TargetWeight) -> Self {
        Self {
            weight,
            ..Self::default()
        }
    }
}

impl From<CohortName> for Membership {
    fn from(cohort: CohortName) -> Self {
        Self {
            cohort: Some(cohort),
            ..Self::default()
        }
    }
}

/// A target of that id is registered already, or drains still.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("target `{id}` is already registered with target group `{group}`")]
pub struct AlreadyRegistered {
    /// The group.
    pub group: GroupName,
    /// The target.
    pub id: TargetId,
}

impl TargetGroup {
    fn new(name: GroupName, spec: GroupSpec, shared: &registry::Shared) -> Arc<Self> {
        Arc::new_cyclic(|myself| Self {
            name,
            retries: Budget::new(spec.retry),
            held: Held::default(),
            waking: shared.waking.clone(),
            counts: GroupCounts::default(),
            rotation: ArcSwap::from_pointee(Choice::new(&spec, &Shares::new(), Takers::default())),
            members: Mutex::new(Members::new(spec)),
            turns: AtomicUsize::new(0),
            turns_again: AtomicUsize::new(0),
            attempts: AtomicUsize::new(0),
            changes: shared.changes.clone(),
            serve: shared.serve.clone(),
            myself: myself.clone(),
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &GroupName {
        &self.name
    }

    /// What was asked of it.
    #[must_use]
    pub fn spec(&self) -> GroupSpec {
        self.lock().spec.clone()
    }

    /// Adds a target. With health checks the first one starts at once and a single pass brings it traffic; without,
    /// it has traffic from now on, unless it says itself that it is unfit.
    ///
    /// The receiver follows its health; it ends when the target is gone.
    ///
    /// # Errors
    /// When the id is taken.
    pub fn register(
        &self,
        id: TargetId,
        target: Arc<dyn Target>,
        membership: impl Into<Membership>,
    ) -> Result<watch::Receiver<Health>, AlreadyRegistered> {
        let mut members = self.lock();
        if members.find(&id).is_some() {
            return Err(AlreadyRegistered {
                group: self.name.clone(),
                id,
            });
        }
        let membership = membership.into();
        let counts = membership.cohort.as_ref().map(|name| members.cohorts.join(name));
        let member = Arc::new(Member::new(id, target, membership, counts));
        self.start_checks(&member, &members.spec.checks);
        member.settle();
        let health = member.watch();
        members.all.push(Entry::new(member));
        self.publish(&mut members);
        Ok(health)
    }

    /// Takes a target out: no new request reaches it from now on. The future ends when it has none left, or after
    /// `timeout` (ALB: deregistration delay), when those it still has are answered 502; it drains until then, or
    /// until the future is dropped. None when there is no such target, or it drains already.
    pub fn deregister(&self, id: &TargetId, timeout: Duration) -> Option<Drain> {
        let mut members = self.lock();
        let member = members.find(id).filter(|member| !member.is_draining())?.clone();
        member.stop_checks();
        // The order matters: who finds the flag raised must find a rotation without the target, too.
        self.publish_without(&mut members, Some(&member));
        member.drain();
        drop(members);
        self.changed();
        let group = self.myself.upgrade()?;
        Some(Drain::new(group, member, timeout))
    }

    /// Changes what is asked of the group. If targets are to be checked otherwise, those without checks of their own start
    /// over, except that those with traffic keep it until they have failed the new checks as often as these allow.
    pub fn configure(&self, spec: GroupSpec) {
        let mut members = self.lock();
        if members.spec == spec {
            return;
        }
        let checks_differ = members.spec.checks != spec.checks;
        members.spec = spec;
        if checks_differ {
            let all = members.all.iter().map(|entry| &entry.member);
            for member in all.filter(|member| !member.is_draining() && !member.has_own_checks()) {
                self.start_checks(member, &members.spec.checks);
                member.settle();
            }
        }
        self.publish(&mut members);
    }

    /// Gives cohorts shares of the requests from now on; with none, all targets are alike again. Clients that are
    /// bound to a target stay with it.
    pub fn share(&self, shares: Shares) {
        let mut members = self.lock();
        if members.shares != shares {
            members.shares = shares;
            self.publish(&mut members);
        }
    }

    /// What was counted of each cohort, in the order of their first targets: those that have targets, and the latest
    /// of the others.
    #[must_use]
    pub fn tallies(&self) -> Vec<(CohortName, Tally)> {
        self.lock().cohorts.tallies()
    }

    /// Follows the health of one target. None when there is no such target.
    #[must_use]
    pub fn health(&self, id: &TargetId) -> Option<watch::Receiver<Health>> {
        self.lock().find(id).map(|member| member.watch())
    }

    /// Follows whether the owner of one target is asked to replace it, and why. None when there is no such target.
    #[must_use]
    pub fn replacement(&self, id: &TargetId) -> Option<watch::Receiver<Option<HealthReason>>> {
        self.lock().find(id).map(|member| member.watch_replacement())
    }

    /// All targets in order of registration, those that drain included.
    #[must_use]
    pub fn targets(&self) -> Vec<TargetStatus> {
        let members = self.lock();
        members.all.iter().map(|entry| entry.member.status()).collect()
    }

    /// What is asked of it now.
    #[must_use]
    pub fn demand(&self) -> Demand {
        let members = self.lock();
        let mut demand = Demand {
            requests: self.attempts.load(Ordering::Relaxed) as u64,
            held: self.held.count(),
            ..Demand::default()
        };
        for Entry { member, .. } in &members.all {
            demand.in_flight += member.in_flight();
            demand.queued += member.target().load().queued;
        }
        demand
    }

    /// The same as they are.
    pub(crate) fn members(&self) -> Vec<Arc<Member>> {
        let members = self.lock();
        members.all.iter().map(|entry| entry.member.clone()).collect()
    }

    /// Whether there are targets, and every one was found ill.
    fn has_only_ill_targets(&self) -> bool {
        let members = self.lock();
        let mut staying = members.all.iter().filter(|entry| !entry.member.is_draining());
        let is_ill = |entry: &Entry| entry.member.is_ill();
        staying.next().is_some_and(is_ill) && staying.all(is_ill)
    }

    /// Whether there is any target, whatever its health.
    pub(crate) fn has_targets(&self) -> bool {
        let members = self.lock();
        members.all.iter().any(|entry| !entry.member.is_draining())
    }

    /// Takes over what a health check found.
    pub(crate) fn checked(&self, member: &Member, run: &CheckRun, kind: Kind, verdict: Verdict) {
        member.note(run, kind, verdict);
        self.settle(member);
    }

    /// A target's failures count from now on.
    pub(crate) fn grace_is_over(&self, member: &Member) {
        self.settle(member);
    }

    /// Looks at every target's own condition again.
    pub(crate) fn settle_all(&self) {
        let members: Vec<_> = self.lock().all.iter().map(|entry| entry.member.clone()).collect();
        for member in members {
            self.settle(&member);
        }
    }

    /// Brings the rotation up to date with what is known of one target.
    fn settle(&self, member: &Member) {
        if member.settle() {
            self.publish(&mut self.lock());
        }
    }

    fn forget(&self, member: &Arc<Member>) {
        let is_other = |entry: &Entry| !Arc::ptr_eq(&entry.member, member);
        self.lock().all.retain(is_other);
        self.changed();
    }

    fn start_checks(&self, member: &Arc<Member>, of_group: &Checks) {
        let mut checks = member.checks_or(of_group).clone();
        if member.is_healthy() {
            // It has traffic: it is past its start.
            checks.startup = None;
        }
        let run = member.begin_checks(&checks);
        if !checks.is_empty() {
            let checks = health::check::run(self.myself.clone(), member.clone(), run, checks);
            member.keep_checks(self.serve.spawn(checks).abort_handle());
        }
    }

    fn publish(&self, members: &mut Members) {
        self.publish_without(members, None);
    }

    fn publish_without(&self, members: &mut Members, leaving: Option<&Arc<Member>>) {
        let takers = members.takers(leaving);
        let choice = Choice::new(&members.spec, &members.shares, takers);
        self.rotation.store(Arc::new(choice));
        // Whoever waits looks for itself: at targets, or at a spec by which it isn't to wait any more.
        self.held.release();
        self.changed();
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TargetGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TargetGroup")
            .field("name", &self.name)
            .field("targets", &self.targets())
            .finish()
    }
}

#[cfg(test)]
mod tests;
