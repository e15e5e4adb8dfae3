//! All target groups of a gateway, and which rules need them.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{runtime::Handle, sync::watch};

use super::{
    GroupSpec, TargetGroup,
    hold::{WakeUp, Waking},
};
use crate::{
    names::{GroupName, RuleName},
    routing::{Routing, RoutingError, snapshot::Snapshot},
};

/// The target groups of a gateway. Clones are handles to the same.
#[derive(Clone)]
pub struct Groups {
    known: Arc<Mutex<Known>>,
    shared: Shared,
}

/// What all groups of a gateway have in common.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) changes: watch::Sender<u64>,
    pub(super) serve: Handle,
    pub(super) waking: Waking,
}

#[derive(Default)]
struct Known {
    groups: BTreeMap<GroupName, Arc<TargetGroup>>,
    /// A rule for every group that the snapshot in force forwards to.
    used_by: HashMap<GroupName, RuleName>,
}

/// Why a group could not be created or deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// The name is taken.
    #[error("target group `{0}` exists already")]
    Exists(GroupName),
    /// There is no such group.
    #[error("there is no target group `{0}`")]
    Unknown(GroupName),
    /// A rule needs it. ALB: `ResourceInUse`.
    #[error("target group `{group}` is in use by rule `{rule}`: change or delete the rule first")]
    InUse {
        /// The group.
        group: GroupName,
        /// One of the rules that forward to it.
        rule: RuleName,
    },
}

impl Groups {
    pub(crate) fn new(serve: Handle) -> Self {
        Self {
            known: Arc::default(),
            shared: Shared {
                changes: watch::Sender::new(0),
                serve,
                waking: Waking::default(),
            },
        }
    }

    /// Who is told of requests that wait for a target. The first one stays.
    pub fn wake_with(&self, wake_up: Arc<dyn WakeUp>) {
        // One that came later would have missed what the first was told.
        let _ = self.shared.waking.set(wake_up);
    }

    /// Makes a new, empty group.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn create(&self, name: GroupName, spec: GroupSpec) -> Result<Arc<TargetGroup>, GroupError> {
        let mut known = self.lock();
        if known.groups.contains_key(&name) {
            return Err(GroupError::Exists(name));
        }
        let group = TargetGroup::new(name.clone(), spec, &self.shared);
        known.groups.insert(name, group.clone());
        Ok(group)
    }

    /// The group of that name, as `spec` says from now on; made if there is none.
    pub fn ensure(&self, name: &GroupName, spec: GroupSpec) -> Arc<TargetGroup> {
        let mut known = self.lock();
        if let Some(group) = known.groups.get(name) {
            group.configure(spec);
            return group.clone();
        }
        let group = TargetGroup::new(name.clone(), spec, &self.shared);
        known.groups.insert(name.clone(), group.clone());
        group
    }

    /// The group of that name.
    #[must_use]
    pub fn get(&self, name: &GroupName) -> Option<Arc<TargetGroup>> {
        self.lock().groups.get(name).cloned()
    }

    /// All groups, by name.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<TargetGroup>> {
        self.lock().groups.values().cloned().collect()
    }

    /// Removes a group. Requests its targets have may finish.
    ///
    /// # Errors
    /// When there is none, or a rule forwards to it.
    pub fn delete(&self, name: &GroupName) -> Result<(), GroupError> {
        let mut known = self.lock();
        if let Some(rule) = known.used_by.get(name) {
            return Err(GroupError::InUse {
                group: name.clone(),
                rule: rule.clone(),
            });
        }
        known
            .groups
            .remove(name)
            .map(|_| ())
            .ok_or_else(|| GroupError::Unknown(name.clone()))
    }

    /// Counts changes of health and membership over all groups: wait for the next one, then look at what is.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// Compiles a rule set and puts it in force; no group it needs can be deleted in between.
    pub(crate) fn route(
        &self,
        routing: Routing,
        put_in_force: impl FnOnce(Snapshot),
    ) -> Result<(), RoutingError> {
        let mut known = self.lock();
        let snapshot = Snapshot::compile(routing, |name| known.groups.get(name).cloned())?;
        known.used_by = snapshot
            .groups()
            .map(|(group, rule)| (group.clone(), rule.clone()))
            .collect();
        put_in_force(snapshot);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list()).finish()
    }
}
