//! What the store doesn't have yet: taken by each batch, and given back if it can't be written.

use super::{Inner, Registry, snapshot};
use crate::model::{DesiredStatus, Task, TaskStatus};

/// What the next batch writes.
#[derive(Debug, Default)]
pub(crate) struct Unsaved {
    pub(crate) tasks: Vec<Task>,
    pub(crate) forgotten: Vec<String>,
}

impl Registry {
    /// Whether there is something for the next batch.
    pub(crate) fn has_unsaved(&self) -> bool {
        let inner = self.lock();
        !inner.unsaved.is_empty() || !inner.forgotten.is_empty()
    }

    /// Has the next batch write the tasks whose usage is not what was written last.
    pub(crate) fn note_usage(&self) {
        let mut inner = self.lock();
        let Inner { tasks, unsaved, .. } = &mut *inner;
        let live = tasks
            .iter()
            .filter_map(|(id, entry)| Some((id, entry, entry.live.as_ref()?)));
        let changed = live.filter(|(_, entry, live)| !live.usage().is_recorded_as(&entry.task.usage));
        unsaved.extend(changed.map(|(id, ..)| id.clone()));
    }

    /// What the store doesn't have yet. Given back with [`Registry::put_back`] if it can't be written.
    pub(crate) fn take_unsaved(&self) -> Unsaved {
        let mut inner = self.lock();
        let ids = std::mem::take(&mut inner.unsaved);
        let tasks = ids.iter().filter_map(|id| {
            let entry = inner.tasks.get_mut(id)?;
            entry.task = snapshot(entry);
            (!is_recorded(&entry.task)).then(|| entry.task.clone())
        });
        let tasks = tasks.collect();
        Unsaved {
            tasks,
            forgotten: std::mem::take(&mut inner.forgotten),
        }
    }

    /// Takes back what couldn't be written, for the next batch.
    pub(crate) fn put_back(&self, unsaved: Unsaved) {
        let mut inner = self.lock();
        for task in unsaved.tasks {
            if inner.tasks.contains_key(&task.id) {
                inner.unsaved.insert(task.id);
            }
        }
        inner.forgotten.extend(unsaved.forgotten);
    }
}

/// Whether the store has all that matters of a task: a job's that has not run was written when it was made, and is
/// written again before it may run. A batch on its way to the disk meanwhile would undo that: it would then be taken for
/// one that has never run, and run again after a crash.
fn is_recorded(task: &Task) -> bool {
    task.place.is_some() && task.desired == DesiredStatus::Running && task.status < TaskStatus::Activating
}
