//! All tasks there are and the latest that were, in memory: the observed state.
//!
//! The control loop writes it, the API reads it. It is a copy of what the store will hold after the next
//! batch, with what can't be stored: the live task and its usage.

mod entry;
mod forget;
mod unsaved;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

pub(crate) use self::entry::{Driven, Entry, Failure, Saved};
pub use self::forget::STOPPED_TASKS_KEPT;
use self::forget::forget_oldest;
pub(crate) use self::unsaved::Unsaved;
use crate::model::{Compared, DeploymentId, Group, Task, TaskStatus};
use crate::names::{NamespaceName, TaskId};
use crate::scaling::Shown;

/// The fewest digits of an id that are shown for it.
const FEWEST_DIGITS: usize = 8;

/// Whose tasks: a namespace's service or job.
pub type GroupKey = (NamespaceName, Group);

/// A task by the time of its making: ids are random.
type Made = (Timestamp, TaskId);

/// All tasks.
#[derive(Default)]
pub struct Registry {
    inner: Mutex<Inner>,
    changes: watch::Sender<u64>,
    scaling: Shown,
}

#[derive(Default)]
struct Inner {
    tasks: BTreeMap<TaskId, Entry>,
    groups: HashMap<GroupKey, BTreeSet<Made>>,
    /// Tasks whose record the store doesn't have yet.
    unsaved: BTreeSet<TaskId>,
    /// Keys of records that shall go.
    forgotten: Vec<String>,
    /// How deployments in progress are getting on.
    rollouts: HashMap<DeploymentId, Progress>,
}

/// How a deployment in progress is getting on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many of its tasks failed.
    pub failed_tasks: u32,
    /// What it waits for, or why the last task failed.
    pub note: String,
    /// What was seen of both revisions so far.
    pub figures: Compared,
}

impl Registry {
    /// A task with its usage as of now.
    pub fn task(&self, id: &TaskId) -> Option<Task> {
        self.lock().tasks.get(id).map(snapshot)
    }

    /// The only task of a namespace whose id begins with `prefix`.
    ///
    /// # Errors
    /// How many there are instead.
    pub fn find(&self, namespace: &NamespaceName, prefix: &str) -> Result<Task, usize> {
        let inner = self.lock();
        let from = inner
            .tasks
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let found: Vec<&Entry> = from
            .take_while(|(id, _)| id.as_str().starts_with(prefix))
            .map(|(_, entry)| entry)
            .filter(|entry| entry.task.namespace == *namespace)
            .collect();
        match found.as_slice() {
            [entry] => Ok(snapshot(entry)),
            other => Err(other.len()),
        }
    }

    /// The beginning of a task's id that no other task's has, of those that are known now.
    pub fn short(&self, id: &TaskId) -> String {
        let inner = self.lock();
        let before = (Bound::Unbounded, Bound::Excluded(id.as_str()));
        let after = (Bound::Excluded(id.as_str()), Bound::Unbounded);
        let neighbours = [
            inner.tasks.range::<str, _>(before).next_back(),
            inner.tasks.range::<str, _>(after).next(),
        ];
        let alike = neighbours.into_iter().flatten().map(|(other, _)| {
            let pairs = id.as_str().bytes().zip(other.as_str().bytes());
            pairs.take_while(|(a, b)| a == b).count()
        });
        let digits = alike.max().map_or(0, |alike| alike + 1).max(FEWEST_DIGITS);
        id.as_str().chars().take(digits).collect()
    }

    /// A group's tasks, oldest first, with their usage as of now.
    pub fn of_group(&self, key: &GroupKey) -> Vec<Task> {
        let inner = self.lock();
        inner.group(key).map(snapshot).collect()
    }

    /// A namespace's tasks, oldest first, with their usage as of now.
    pub fn of_namespace(&self, namespace: &NamespaceName) -> Vec<Task> {
        let inner = self.lock();
        let of_namespace = inner
            .tasks
            .values()
            .filter(|entry| entry.task.namespace == *namespace);
        let mut tasks: Vec<Task> = of_namespace.map(snapshot).collect();
        tasks.sort_by_cached_key(made);
        tasks
    }

    /// The tasks that have their place on the host, with their usage as of now.
    pub fn placed(&self) -> Vec<Task> {
        let has_place =
            |entry: &Entry| entry.driven == Driven::Yes && entry.task.status != TaskStatus::Stopped;
        self.visit_all(|entry| has_place(entry).then(|| snapshot(entry)))
    }

    /// The tasks that wait for their place, oldest first.
    pub fn waiting(&self) -> Vec<Task> {
        let waits = |entry: &Entry| entry.driven == Driven::No && entry.task.status != TaskStatus::Stopped;
        let mut waiting = self.visit_all(|entry| waits(entry).then(|| entry.task.clone()));
        waiting.sort_by_cached_key(made);
        waiting
    }

    /// Tasks in the order of their making; those that are gone are left out.
    pub(crate) fn oldest_first<'a>(&self, ids: impl IntoIterator<Item = &'a TaskId>) -> Vec<TaskId> {
        let inner = self.lock();
        let known = ids.into_iter().filter_map(|id| inner.tasks.get(id));
        let made: BTreeSet<Made> = known.map(|entry| made(&entry.task)).collect();
        made.into_iter().map(|(_, id)| id).collect()
    }

    /// How services scale.
    pub fn scaling(&self) -> &Shown {
        &self.scaling
    }

    /// Counts changes of tasks: wait for the next one, then look at what is.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Tells those who wait that something they may look at has changed.
    pub fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Adds a task; its record is saved with the next batch.
    pub(crate) fn insert(&self, entry: Entry) {
        self.adopt(entry, Saved::No);
    }

    /// Adds a task, whose record the store may have.
    pub(crate) fn adopt(&self, entry: Entry, saved: Saved) {
        let mut inner = self.lock();
        let (id, key) = (entry.task.id.clone(), key_of(&entry.task));
        inner.groups.entry(key).or_default().insert(made(&entry.task));
        if saved == Saved::No {
            tell(&entry.task);
            inner.unsaved.insert(id.clone());
        }
        inner.tasks.insert(id, entry);
        drop(inner);
        self.changed();
    }

    /// Changes a task; its record is saved with the next batch.
    pub(crate) fn update<T>(&self, id: &TaskId, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let mut inner = self.lock();
        let entry = inner.tasks.get_mut(id)?;
        let before = entry.task.status;
        let answer = change(entry);
        let is_stopped = entry.task.status == TaskStatus::Stopped;
        if entry.task.status != before {
            tell(&entry.task);
        }
        let key = key_of(&entry.task);
        inner.unsaved.insert(id.clone());
        if is_stopped && before != TaskStatus::Stopped {
            forget_oldest(&mut inner, &key);
        }
        drop(inner);
        self.changed();
        Some(answer)
    }

    /// Looks at a task.
    pub(crate) fn look<T>(&self, id: &TaskId, look: impl FnOnce(&Entry) -> T) -> Option<T> {
        self.lock().tasks.get(id).map(look)
    }

    /// Looks at a group's tasks, oldest first.
    pub(crate) fn visit<T>(&self, key: &GroupKey, look: impl FnMut(&Entry) -> Option<T>) -> Vec<T> {
        self.lock().group(key).filter_map(look).collect()
    }

    /// Looks at all tasks, in no order.
    pub(crate) fn visit_all<T>(&self, look: impl FnMut(&Entry) -> Option<T>) -> Vec<T> {
        self.lock().tasks.values().filter_map(look).collect()
    }

    /// How long requests under way were promised to have at most, of the tasks that are not STOPPED.
    pub(crate) fn longest_stop_timeout(&self) -> Option<Duration> {
        let promised = self.visit_all(|entry| match entry.task.status {
            TaskStatus::Stopped => None,
            _ => entry.blueprint.as_ref().map(|blueprint| blueprint.stop_timeout()),
        });
        promised.into_iter().max()
    }

    /// Whose tasks there are.
    pub(crate) fn groups(&self) -> Vec<GroupKey> {
        self.lock().groups.keys().cloned().collect()
    }

    /// How a deployment in progress is getting on.
    pub fn progress(&self, deployment: &DeploymentId) -> Option<Progress> {
        self.lock().rollouts.get(deployment).cloned()
    }

    /// Notes how a deployment is getting on; nothing once it has ended.
    pub(crate) fn note_progress(&self, deployment: &DeploymentId, progress: Option<Progress>) {
        let mut inner = self.lock();
        match progress {
            Some(progress) => inner.rollouts.insert(deployment.clone(), progress),
            None => inner.rollouts.remove(deployment),
        };
        drop(inner);
        self.changed();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("tasks", &self.lock().tasks.len())
            .finish()
    }
}

pub(crate) fn key_of(task: &Task) -> GroupKey {
    (task.namespace.clone(), task.group.clone())
}

/// The server's own log has each state a task comes to.
fn tell(task: &Task) {
    let stopped = task
        .stopped
        .as_ref()
        .filter(|_| task.status == TaskStatus::Stopped);
    tracing::info!(
        namespace = %task.namespace,
        group = %task.group,
        task = %task.id,
        runs = %task.definition,
        state = %task.status,
        code = stopped.map(|stopped| stopped.code.as_str()),
        reason = stopped.map(|stopped| stopped.reason.as_str()).or(task.reason.as_deref()),
        "task"
    );
}

fn snapshot(entry: &Entry) -> Task {
    let mut task = entry.task.clone();
    if let Some(live) = &entry.live {
        task.usage = live.usage();
    }
    task
}

impl Inner {
    /// A group's tasks, oldest first.
    fn group(&self, key: &GroupKey) -> impl Iterator<Item = &Entry> {
        let made = self.groups.get(key).into_iter().flatten();
        made.filter_map(|(_, id)| self.tasks.get(id))
    }
}

fn made(task: &Task) -> Made {
    (task.created_at, task.id.clone())
}

#[cfg(test)]
mod tests;
