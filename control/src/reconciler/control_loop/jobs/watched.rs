//! What the loop keeps of a job: its records, and what its runs' tasks are made from.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::super::watched::Stale;
use super::super::{ControlLoop, LoopError, ServiceKey};
use crate::blueprint::{Blueprint, BlueprintError};
use crate::jobs::plan::{Attempt, Due, Failure, ObservedRun, Phase};
use crate::manifest::ScheduleSpec;
use crate::model::stored::Record as _;
use crate::model::{
    DesiredStatus, Group, Job, Run, RunNumber, ScheduleStatus, StopCode, Stopped, Task, TaskStatus, keys,
};
use crate::names::{FamilyRevision, Revision};
use crate::store::StoreRevision;
use crate::tasks::registry::{Entry, Registry};

/// A job the loop looks after.
pub(super) struct WatchedJob {
    pub(super) job: Job,
    /// The transaction that wrote the record, to notice others' writes.
    pub(super) revision: StoreRevision,
    /// What the schedule runs.
    pub(super) scheduled: Option<Scheduled>,
    pub(super) runs: BTreeMap<RunNumber, WatchedRun>,
    pub(super) stale: Stale,
    pub(super) wake: Option<Timestamp>,
    /// The time that was said to have to wait.
    pub(super) held: Option<Timestamp>,
    pub(super) last_blocked: Option<String>,
}

/// The revision that a schedule runs.
pub(super) struct Scheduled {
    pub(super) revision: Revision,
    pub(super) spec: ScheduleSpec,
    pub(super) blueprint: Arc<Blueprint>,
}

/// One run of it.
pub(super) struct WatchedRun {
    pub(super) run: Run,
    pub(super) revision: StoreRevision,
    /// What its tasks are made from, once one was.
    pub(super) blueprint: Option<Arc<Blueprint>>,
}

impl WatchedJob {
    /// The schedule, if it is in force.
    pub(super) fn due(&self) -> Option<Due> {
        let schedule = self.job.schedule.as_ref()?;
        let is_active = schedule.status == ScheduleStatus::Active;
        let spec = self.scheduled.as_ref().filter(|_| is_active)?.spec.clone();
        Some(Due {
            spec,
            decided: schedule.decided,
        })
    }

    pub(super) fn observe(&self, registry: &Registry) -> Vec<ObservedRun> {
        let group = (self.job.namespace.clone(), Group::Job(self.job.name.clone()));
        let mut attempts: BTreeMap<RunNumber, Vec<Attempt>> = BTreeMap::new();
        for (run, attempt) in registry.visit(&group, observe_task) {
            attempts.entry(run).or_default().push(attempt);
        }
        let runs = self.runs.values().map(|WatchedRun { run, .. }| ObservedRun {
            number: run.number,
            spec: run.spec.clone(),
            created_at: run.created_at,
            ended_at: run.ended_at,
            cancelled: run.cancelled.clone(),
            attempts: attempts.remove(&run.number).unwrap_or_default(),
        });
        runs.collect()
    }
}

fn observe_task(entry: &Entry) -> Option<(RunNumber, Attempt)> {
    let place = entry.task.place?;
    let attempt = Attempt {
        task: entry.task.id.clone(),
        index: place.index,
        number: place.attempt,
        phase: phase(&entry.task),
    };
    Some((place.run, attempt))
}

fn phase(task: &Task) -> Phase {
    let stopped = task.stopped.as_ref();
    match (task.status, task.desired) {
        (TaskStatus::Stopped, _) if stopped.is_some_and(Stopped::is_success) => Phase::Succeeded,
        (TaskStatus::Stopped, _) => Phase::Failed(Failure {
            at: task.stopped_at.unwrap_or(task.created_at),
            reason: stopped.map_or_else(String::new, |stopped| stopped.reason.clone()),
            exit_code: stopped.and_then(|stopped| stopped.exit_code),
        }),
        (_, DesiredStatus::Stopped) => Phase::Leaving,
        _ => Phase::Going,
    }
}

impl ControlLoop {
    /// Reads the job's records; forgets it if they are gone.
    pub(super) async fn load_job(&mut self, key: &ServiceKey) -> Result<(), LoopError> {
        let Some(entry) = self.parts.store.get(&keys::job(&key.0, &key.1)).await? else {
            self.jobs.forget(key);
            return Ok(());
        };
        let job = Job::decode(&entry)?;
        let listed = self.parts.store.list(&keys::job_runs(&key.0, &key.1)).await?;
        let read = listed
            .entries
            .iter()
            .map(|entry| Ok((entry.revision, Run::decode(entry)?)));
        let read: Vec<(StoreRevision, Run)> = read.collect::<Result<_, LoopError>>()?;
        // From here on nothing fails: what is watched is replaced, or stays.
        let mut before = self.jobs.watched.remove(key);
        let known = before.as_mut().and_then(|before| before.scheduled.take());
        let scheduled = self.load_scheduled(&job, known).await;
        let mut runs = BTreeMap::new();
        for (revision, run) in read {
            let known = before.as_mut().and_then(|before| before.runs.remove(&run.number));
            let blueprint = known.and_then(|known| known.blueprint).filter(|_| !run.is_over());
            runs.insert(
                run.number,
                WatchedRun {
                    run,
                    revision,
                    blueprint,
                },
            );
        }
        let (wake, held, last_blocked) = before
            .map(|before| (before.wake, before.held, before.last_blocked))
            .unwrap_or_default();
        let watched = WatchedJob {
            job,
            revision: entry.revision,
            scheduled,
            runs,
            stale: Stale::No,
            wake,
            held,
            last_blocked,
        };
        self.jobs.watched.insert(key.clone(), watched);
        Ok(())
    }

    /// What the schedule runs. One that can't be used keeps the job's runs from nothing.
    async fn load_scheduled(&self, job: &Job, known: Option<Scheduled>) -> Option<Scheduled> {
        let revision = job.schedule.as_ref()?.revision;
        if let Some(known) = known.filter(|known| known.revision == revision) {
            return Some(known);
        }
        let id = FamilyRevision {
            family: job.name.clone(),
            revision,
        };
        match self.parts.blueprints.load(&job.namespace, &id).await {
            Ok(blueprint) => {
                let spec = blueprint.job()?.schedule.clone()?;
                Some(Scheduled {
                    revision,
                    spec,
                    blueprint,
                })
            }
            Err(error) => {
                tracing::error!(namespace = %job.namespace, job = %job.name, %error, "the schedule can't be kept");
                None
            }
        }
    }

    /// What a run's tasks are made from.
    pub(super) async fn run_blueprint(
        &mut self,
        key: &ServiceKey,
        number: RunNumber,
    ) -> Result<Option<Arc<Blueprint>>, LoopError> {
        let Some(watched) = self
            .jobs
            .watched
            .get(key)
            .and_then(|watched| watched.runs.get(&number))
        else {
            return Ok(None);
        };
        if let Some(blueprint) = &watched.blueprint {
            return Ok(Some(blueprint.clone()));
        }
        let run = &watched.run;
        let blueprint = match self.parts.blueprints.load(&key.0, &run.definition).await {
            Ok(blueprint) => blueprint,
            Err(BlueprintError::Store(error)) => return Err(error.into()),
            Err(error) => return Err(LoopError::Blueprint(error)),
        };
        let blueprint = blueprint
            .overridden(&run.overrides)
            .map_err(|refusal| LoopError::Overrides {
                run: run.name(),
                reason: refusal.message,
            })?;
        if let Some(watched) = self
            .jobs
            .watched
            .get_mut(key)
            .and_then(|watched| watched.runs.get_mut(&number))
        {
            watched.blueprint = Some(blueprint.clone());
        }
        Ok(Some(blueprint))
    }

    /// Places tasks of the job that have no place and don't wait for anything known: those of before a restart.
    pub(super) async fn place_waiting_job(&mut self, key: &ServiceKey) -> Result<(), LoopError> {
        let group = (key.0.clone(), Group::Job(key.1.clone()));
        let unplaced = self.parts.registry.visit(&group, |entry| {
            let is_new = super::super::place::waits(entry) && !self.waiting.contains(&entry.task.id);
            is_new.then(|| (entry.task.id.clone(), entry.task.place, entry.blueprint.is_some()))
        });
        for (id, place, is_made) in unplaced {
            let made = match place.filter(|_| !is_made) {
                Some(place) => self.run_blueprint(key, place.run).await,
                None => Ok(None),
            };
            match made {
                Ok(None) => {}
                Ok(blueprint) => {
                    self.parts
                        .registry
                        .update(&id, |entry| entry.blueprint = blueprint);
                }
                Err(LoopError::Store(error)) => return Err(error.into()),
                Err(error) => self.stop_task(&id, StopCode::TaskFailedToStart, error.to_string()),
            }
            self.place(&id).await;
        }
        Ok(())
    }
}
