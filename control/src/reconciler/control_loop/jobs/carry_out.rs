//! What follows once a job's decisions are durable.

use super::super::{ControlLoop, ServiceKey};
use super::intent::{Intent, Start};
use super::watched::WatchedRun;
use crate::model::stored::Record as _;
use crate::model::{Group, TaskStatus, keys};
use crate::store::{Expect, StoreError, StoreRevision};
use crate::tasks::Order;
use crate::tasks::registry::{Entry, Saved};

impl ControlLoop {
    pub(super) fn carry_out(&mut self, intent: Intent, revision: StoreRevision) {
        let Intent {
            key,
            job,
            runs,
            starts,
            forgotten,
            words,
            ..
        } = intent;
        if let Some(watched) = self.jobs.watched.get_mut(&key) {
            if let Some(job) = job {
                watched.job = job;
                watched.revision = revision;
                watched.held = None;
            }
            for run in runs {
                let blueprint = watched
                    .runs
                    .remove(&run.number)
                    .and_then(|before| before.blueprint);
                let blueprint = blueprint.filter(|_| !run.is_over());
                watched.runs.insert(
                    run.number,
                    WatchedRun {
                        run,
                        revision,
                        blueprint,
                    },
                );
            }
            for number in &forgotten {
                watched.runs.remove(number);
            }
        }
        let group = (key.0.clone(), Group::Job(key.1.clone()));
        for number in forgotten {
            self.parts.registry.remove_run(&group, number);
        }
        for word in words {
            self.parts.events.tell(word);
        }
        for start in starts {
            self.begin_task(start);
        }
        // Who follows a run sees how it ended.
        self.parts.registry.changed();
    }

    /// The task is recorded; it runs, or waits.
    fn begin_task(&mut self, Start { order, room }: Start) {
        let entry = Entry::new(order.task.clone(), Some(order.blueprint.clone()));
        self.parts.registry.adopt(entry, Saved::Yes);
        match room {
            Ok(room) => self.drive(order, room),
            Err((on, reason)) => self.keep_waiting(&order, on, reason),
        }
    }

    /// A job's task that waited has room now: that it may run is durable before it does.
    pub(in super::super) async fn note_activation(&self, order: &Order) -> Result<(), StoreError> {
        if order.task.place.is_none() {
            return Ok(());
        }
        let mut task = order.task.clone();
        task.status = TaskStatus::Activating;
        let key = keys::task(&task.namespace, &task.id);
        self.parts.store.put_if(&key, Expect::Any, task.encode()).await?;
        self.parts
            .registry
            .update(&task.id, |entry| entry.task.status = TaskStatus::Activating);
        Ok(())
    }

    /// It could not be written that the task may run, so it doesn't: the job's next plan tries again.
    pub(in super::super) fn place_later(&mut self, order: &Order, error: StoreError) {
        let key: ServiceKey = (order.task.namespace.clone(), order.task.group.name().clone());
        self.waiting.remove(&order.task.id);
        self.try_job_later(&key, &error.into());
    }
}
