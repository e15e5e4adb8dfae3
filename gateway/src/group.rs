//! A target group: targets that can stand in for one another, and the choice among them.
//!
//! Requests choose from the *rotation*, an immutable list that is replaced when membership or health changes; that is
//! rare, choosing is not. Members change under one short lock that choosing never takes.

mod drain;
mod member;
pub(crate) mod registry;

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

pub(crate) use self::{drain::Lease, member::Member};
pub use self::{
    drain::{Drain, Drained},
    registry::{GroupError, Groups},
};
use crate::{
    health::{self, Health, HealthSpec},
    names::{GroupName, TargetId},
    target::{Load, Target},
};

/// A named set of targets that answer the same requests.
pub struct TargetGroup {
    name: GroupName,
    members: Mutex<Members>,
    /// Those who take requests: the healthy, or all if none is (ALB: fail-open).
    rotation: ArcSwap<Vec<Arc<Member>>>,
    /// Where round robin goes on.
    next: AtomicUsize,
    /// Counts changes of health and membership, over all groups.
    changes: watch::Sender<u64>,
    /// Where health checks run: they poll guests, as connections do.
    serve: Handle,
    myself: Weak<Self>,
}

struct Members {
    health: Option<HealthSpec>,
    /// In order of registration, those that drain included.
    all: Vec<Arc<Member>>,
}

/// What is known of a target.
#[derive(Clone, Debug)]
pub struct TargetStatus {
    /// Its identity within the group.
    pub id: TargetId,
    /// Whether it gets requests.
    pub health: Health,
    /// Requests the gateway has with it.
    pub in_flight: u32,
    /// What it says of its load.
    pub load: Load,
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
    fn new(
        name: GroupName,
        health: Option<HealthSpec>,
        changes: watch::Sender<u64>,
        serve: Handle,
    ) -> Arc<Self> {
        Arc::new_cyclic(|myself| Self {
            name,
            members: Mutex::new(Members {
                health,
                all: Vec::new(),
            }),
            rotation: ArcSwap::default(),
            next: AtomicUsize::new(0),
            changes,
            serve,
            myself: myself.clone(),
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &GroupName {
        &self.name
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
    ) -> Result<watch::Receiver<Health>, AlreadyRegistered> {
        let mut members = self.lock();
        if members.all.iter().any(|member| *member.id() == id) {
            return Err(AlreadyRegistered {
                group: self.name.clone(),
                id,
            });
        }
        let member = Arc::new(Member::new(id, target));
        self.start_checks(&member, members.health.as_ref());
        member.settle();
        let health = member.watch();
        members.all.push(member);
        self.publish(&members);
        Ok(health)
    }

    /// Takes a target out: no new request reaches it from now on. The future ends when it has none left, or after
    /// `timeout`; it drains until then, or until the future is dropped. None when there is no such target, or it
    /// drains already.
    pub fn deregister(&self, id: &TargetId, timeout: Duration) -> Option<Drain> {
        let members = self.lock();
        let member = members
            .all
            .iter()
            .find(|member| member.id() == id && !member.is_draining())?
            .clone();
        member.stop_checks();
        // The order matters: who finds the flag raised must find a rotation without the target, too.
        self.publish_without(&members, &member);
        member.drain();
        drop(members);
        self.changed();
        let group = self.myself.upgrade()?;
        Some(Drain::new(group, member, timeout))
    }

    /// Changes how targets are checked. All start over, except that those with traffic keep it meanwhile.
    pub fn set_health(&self, health: Option<HealthSpec>) {
        let mut members = self.lock();
        if members.health == health {
            return;
        }
        members.health = health;
        for member in members.all.iter().filter(|member| !member.is_draining()) {
            self.start_checks(member, members.health.as_ref());
            member.settle();
        }
        self.publish(&members);
    }

    /// Follows the health of one target. None when there is no such target.
    #[must_use]
    pub fn health(&self, id: &TargetId) -> Option<watch::Receiver<Health>> {
        self.lock()
            .all
            .iter()
            .find(|member| member.id() == id)
            .map(|member| member.watch())
    }

    /// All targets in order of registration, those that drain included.
    #[must_use]
    pub fn targets(&self) -> Vec<TargetStatus> {
        self.lock().all.iter().map(|member| member.status()).collect()
    }

    /// The target whose turn it is, held for one request. None when there is no target at all.
    pub(crate) fn choose(&self) -> Option<Lease> {
        let group = self.myself.upgrade()?;
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        loop {
            let rotation = self.rotation.load();
            let (before, after) = rotation.split_at(turn.checked_rem(rotation.len())?);
            if let Some(lease) = after
                .iter()
                .chain(before)
                .find_map(|member| Lease::take(&group, member))
            {
                return Some(lease);
            }
            // All of them began to drain since, so there is a newer rotation without them.
        }
    }

    /// Takes over what a health check found.
    pub(crate) fn checked(&self, member: &Member, verdict: Health) {
        member.set_checked(Some(verdict));
        self.settle(member);
    }

    /// Looks at every target's own condition again.
    pub(crate) fn settle_all(&self) {
        let members = self.lock().all.clone();
        for member in members {
            self.settle(&member);
        }
    }

    /// Brings the rotation up to date with what is known of one target.
    fn settle(&self, member: &Member) {
        if member.settle() {
            self.publish(&self.lock());
        }
    }

    fn forget(&self, member: &Arc<Member>) {
        self.lock().all.retain(|other| !Arc::ptr_eq(other, member));
        self.changed();
    }

    fn start_checks(&self, member: &Arc<Member>, health: Option<&HealthSpec>) {
        member.stop_checks();
        match health {
            None => member.set_checked(None),
            Some(spec) => {
                member.await_first_check();
                let checks = health::check::run(self.myself.clone(), member.clone(), spec.clone());
                member.keep_checks(self.serve.spawn(checks).abort_handle());
            }
        }
    }

    fn publish(&self, members: &Members) {
        let takers = members.all.iter().filter(|member| !member.is_draining());
        self.replace_rotation(takers);
    }

    fn publish_without(&self, members: &Members, leaving: &Arc<Member>) {
        let takers = members
            .all
            .iter()
            .filter(|m| !m.is_draining() && !Arc::ptr_eq(m, leaving));
        self.replace_rotation(takers);
    }

    fn replace_rotation<'m>(&self, takers: impl Iterator<Item = &'m Arc<Member>> + Clone) {
        let healthy: Vec<_> = takers
            .clone()
            .filter(|member| member.is_healthy())
            .cloned()
            .collect();
        // ALB: when all are unhealthy, all get requests; nobody knows better.
        let rotation = if healthy.is_empty() {
            takers.cloned().collect()
        } else {
            healthy
        };
        self.rotation.store(Arc::new(rotation));
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
