//! How tasks end with the server: told to, when it stops in order; without a word, when it didn't.

use jiff::Timestamp;

use super::ControlLoop;
use crate::model::{DesiredStatus, StopCode, Stopped, Task, TaskStatus};
use crate::tasks::registry::{Driven, Entry, Saved};

/// Why a task ended that the store has as running while the server starts.
const LOST: &str = "server restarted";

/// Why a task ended when the server was stopped.
const TOLD: &str = "server stopped";

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
    /// Stops every task, waits until all are gone, and writes it down.
    pub(super) async fn shut_down(mut self) {
        let alive = |entry: &Entry| {
            // A job's task that waits may do so over the next start.
            let can_wait = entry.task.place.is_some() && entry.driven == Driven::No;
            (entry.task.status != TaskStatus::Stopped && !can_wait).then(|| entry.task.id.clone())
        };
        // What waits is not given the room that becomes free.
        self.waiting.clear();
        for id in self.parts.registry.visit_all(alive) {
            self.stop_task(&id, StopCode::TerminationNotice, TOLD.to_owned());
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
