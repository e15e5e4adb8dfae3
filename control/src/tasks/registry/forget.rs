//! What goes from the registry, and with the next batch from the store: the oldest of the stopped tasks, and those of what
//! is gone itself.

use super::{Entry, GroupKey, Inner, Made, Registry, made};
use crate::model::{RunNumber, TaskStatus, keys};
use crate::names::{NamespaceName, TaskId};

/// Stopped tasks kept per service; a job's are kept with their runs.
pub const STOPPED_TASKS_KEPT: usize = 100;

impl Registry {
    /// Forgets a group's tasks, with their records.
    pub(crate) fn remove_group(&self, key: &GroupKey) {
        let mut inner = self.lock();
        for (_, id) in inner.groups.remove(key).unwrap_or_default() {
            forget(&mut inner, &id);
        }
        drop(inner);
        self.changed();
    }

    /// Forgets the tasks of a run, with their records.
    pub(crate) fn remove_run(&self, key: &GroupKey, run: RunNumber) {
        let mut inner = self.lock();
        let of_run = |entry: &&Entry| entry.task.place.is_some_and(|place| place.run == run);
        let gone: Vec<Made> = inner
            .group(key)
            .filter(of_run)
            .map(|entry| made(&entry.task))
            .collect();
        for made in gone {
            if let Some(group) = inner.groups.get_mut(key) {
                group.remove(&made);
            }
            forget(&mut inner, &made.1);
        }
        drop(inner);
        self.changed();
    }

    /// Forgets a namespace's tasks, with their records.
    pub(crate) fn remove_namespace(&self, namespace: &NamespaceName) {
        let keys: Vec<GroupKey> = self
            .lock()
            .groups
            .keys()
            .filter(|(name, _)| name == namespace)
            .cloned()
            .collect();
        for key in keys {
            self.remove_group(&key);
        }
    }
}

/// Keeps the latest of a service's stopped tasks.
pub(super) fn forget_oldest(inner: &mut Inner, key: &GroupKey) {
    // A run's tasks are forgotten with it.
    let is_stopped = |entry: &&Entry| entry.task.status == TaskStatus::Stopped && entry.task.place.is_none();
    let stopped: Vec<Made> = inner
        .group(key)
        .filter(is_stopped)
        .map(|entry| made(&entry.task))
        .collect();
    let surplus = stopped.len().saturating_sub(STOPPED_TASKS_KEPT);
    for oldest in stopped.iter().take(surplus) {
        if let Some(made) = inner.groups.get_mut(key) {
            made.remove(oldest);
        }
        forget(inner, &oldest.1);
    }
}

fn forget(inner: &mut Inner, id: &TaskId) {
    inner.unsaved.remove(id);
    if let Some(entry) = inner.tasks.remove(id) {
        inner.forgotten.push(keys::task(&entry.task.namespace, id));
    }
}
