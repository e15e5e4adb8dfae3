//! How tasks end with the server: told to, when it stops in order; without a word, when it didn't.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::reports::key_of;
use super::{ControlLoop, ServiceKey, wording};
use crate::model::{DesiredStatus, Group, StopCode, Stopped, Task, TaskStatus};
use crate::names::{NamespaceName, TaskId};
use crate::tasks::registry::{Driven, Entry, Saved};

/// Why a task ended that the store has as running while the server starts.
const LOST: &str = "server restarted";

/// Why a task ended when the server was stopped.
const TOLD: &str = "server stopped";

/// Tasks that a server before this one had, by whose they are and why they ended.
pub(super) type Lost = BTreeMap<(NamespaceName, Group, String), Vec<TaskId>>;

/// A task that the store has as running ran in a process that is gone. A job's that it has as waiting has not run, and
/// may: before it is activated, that is written down.
pub(super) fn end_of_a_lost_task(task: &mut Task, now: Timestamp) -> Saved {
    let never_ran = task.place.is_some()
        && task.status < TaskStatus::Activating
        && task.desired == DesiredStatus::Running;
    if task.status == TaskStatus::Stopped || never_ran {
        return Saved::Yes;
    }
    task.status = TaskStatus::Stopped;
    task.desired = DesiredStatus::Stopped;
    task.reason = None;
    task.stopped_at = Some(now);
    let reason = LOST.to_owned();
    task.stopped.get_or_insert(Stopped {
        code: StopCode::TerminationNotice,
        reason,
        exit_code: None,
    });
    Saved::No
}

impl ControlLoop {
    /// Tells what tasks a server before this one had: of a service in one go where they ended alike, of a job each.
    pub(super) fn say_lost(&self, lost: Lost) {
        for ((namespace, group, why), tasks) in lost {
            let key = (namespace, group.name().clone());
            let is_known = match &group {
                Group::Service(_) => self.services.contains_key(&key),
                Group::Job(_) => self.jobs.is_known(&key),
            };
            if !is_known {
                // It was deleted, with all that was told of it.
                continue;
            }
            let at_once = match group {
                Group::Service(_) => tasks.len(),
                Group::Job(_) => 1,
            };
            for some in tasks.chunks(at_once) {
                self.say(&key, wording::stopped(&group, some, &why));
            }
        }
    }

    /// Stops every task, waits until all are gone, and writes it down.
    pub(super) async fn shut_down(mut self) {
        let alive = |entry: &Entry| {
            // A job's task that waits may do so over the next start.
            let can_wait = entry.task.place.is_some() && entry.driven == Driven::No;
            (entry.task.status != TaskStatus::Stopped && !can_wait).then(|| entry.task.id.clone())
        };
        // What waits is not given the room that becomes free.
        self.waiting.clear();
        let mut draining: BTreeMap<ServiceKey, Vec<TaskId>> = BTreeMap::new();
        for id in self.parts.registry.visit_all(alive) {
            if let Some(target) = self.target_of(&id)
                && let Some(key) = self.parts.registry.look(&id, |entry| key_of(&entry.task))
            {
                draining.entry(key).or_default().push(target);
            }
            self.stop_task(&id, StopCode::TerminationNotice, TOLD.to_owned());
        }
        for (key, targets) in draining {
            self.say(&key, wording::draining(&key.1, &targets));
        }
        while self.driven > 0 {
            let Some(report) = self.reports.recv().await else {
                break;
            };
            self.take_report(report).await;
        }
        if let Err(error) = self.save_all_counts().await {
            tracing::error!(%error, "can't write how many tasks there were to be");
        }
        if let Err(error) = self.save().await {
            tracing::error!(%error, "can't write the tasks' last states");
        }
    }
}
