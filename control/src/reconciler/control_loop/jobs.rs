//! Jobs in the loop: those that something happened to, or whose time has come, are planned, some together, and what was
//! decided is durable before any of it is done.
//!
//! What a plan comes to is an [`Intent`]: one transaction, and what follows once it is committed. So a run is never begun
//! twice, nor is a task: a crash before the commit leaves nothing, and one after it leaves a record that says that the
//! task may have run.

mod carry_out;
mod intent;
mod resync;
mod watched;
mod wording;

use std::collections::{BTreeSet, HashMap};

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::time::Instant;

use self::intent::Intent;
use self::watched::WatchedJob;
use super::watched::Stale;
use super::{ControlLoop, LoopError, RETRY_AFTER, ServiceKey};
use crate::jobs::plan::{self, Action};
use crate::model::stored::readable;
use crate::model::{Group, Job, keys};
use crate::store::StoreError;

/// Jobs that are planned and written together: a thousand that are due at once share the disk's flushes, and what else
/// there is to do comes in between.
const JOBS_AT_ONCE: usize = 32;

/// The jobs the loop looks after.
#[derive(Default)]
pub(super) struct Jobs {
    watched: HashMap<ServiceKey, WatchedJob>,
    /// Jobs to plan.
    dirty: BTreeSet<ServiceKey>,
    /// When which job is planned again; one moment each.
    wakes: BTreeSet<(Timestamp, ServiceKey)>,
    /// Who waits until a job was looked at.
    asking: HashMap<ServiceKey, Vec<oneshot::Sender<()>>>,
}

impl Jobs {
    /// The job's records changed; `seen` is told when that was looked at.
    pub(super) fn ask(&mut self, key: ServiceKey, seen: oneshot::Sender<()>) {
        self.mark_stale(&key);
        self.asking.entry(key.clone()).or_default().push(seen);
        self.dirty.insert(key);
    }

    /// Plans the job with the next turn.
    pub(super) fn look_at(&mut self, key: ServiceKey) -> bool {
        self.dirty.insert(key)
    }

    /// What the job's tasks were said to wait for last.
    pub(super) fn last_blocked(&mut self, key: &ServiceKey) -> Option<&mut Option<String>> {
        self.watched.get_mut(key).map(|watched| &mut watched.last_blocked)
    }

    /// Whether there is such a job.
    pub(super) fn is_known(&self, key: &ServiceKey) -> bool {
        self.watched.contains_key(key)
    }

    fn mark_stale(&mut self, key: &ServiceKey) {
        if let Some(watched) = self.watched.get_mut(key) {
            watched.stale = Stale::Yes;
        }
    }

    /// Plans the job again at `at`, instead of at any other moment.
    fn wake(&mut self, key: &ServiceKey, at: Option<Timestamp>) {
        let Some(watched) = self.watched.get_mut(key) else {
            return;
        };
        if let Some(before) = std::mem::replace(&mut watched.wake, at) {
            self.wakes.remove(&(before, key.clone()));
        }
        self.wakes.extend(at.map(|at| (at, key.clone())));
    }

    fn forget(&mut self, key: &ServiceKey) {
        self.wake(key, None);
        self.watched.remove(key);
    }

    fn answer(&mut self, key: &ServiceKey) {
        for seen in self.asking.remove(key).unwrap_or_default() {
            // Who asked may have gone.
            let _ = seen.send(());
        }
    }
}

impl ControlLoop {
    /// Takes over the jobs that the store holds, and forgets tasks of runs it doesn't hold any more.
    pub(super) async fn recover_jobs(&mut self) -> Result<(), LoopError> {
        for entry in self.parts.store.list(keys::JOBS).await?.entries {
            let Some(job) = readable::<Job>(&entry) else {
                continue;
            };
            let key = (job.namespace, job.name);
            match self.load_job(&key).await {
                Ok(()) => self.forget_orphans(&key),
                // It is tried again when it is planned.
                Err(error) => {
                    tracing::error!(namespace = %key.0, job = %key.1, %error, "can't load the job");
                }
            }
            self.jobs.dirty.insert(key);
        }
        Ok(())
    }

    /// When jobs are looked at: at once, or when the first of them is due.
    pub(super) fn next_job(&self) -> Option<Instant> {
        if !self.jobs.dirty.is_empty() {
            return Some(Instant::now());
        }
        let (first, _) = self.jobs.wakes.first()?;
        Some(self.parts.clock.look_at(*first))
    }

    /// Has the jobs planned whose moment has come.
    pub(super) fn take_due_jobs(&mut self) {
        let now = self.parts.clock.now();
        while self.jobs.wakes.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, key)) = self.jobs.wakes.pop_first() else {
                break;
            };
            self.jobs.wake(&key, None);
            self.jobs.dirty.insert(key);
        }
    }

    /// Plans some of the jobs there are to plan, writes what was decided, and does it.
    pub(super) async fn reconcile_jobs(&mut self) {
        let mut intents = Vec::new();
        for _ in 0..JOBS_AT_ONCE {
            let Some(key) = self.jobs.dirty.pop_first() else {
                break;
            };
            match self.intend(&key).await {
                Ok(Some(intent)) => intents.push(intent),
                Ok(None) => self.jobs.answer(&key),
                Err(error) => self.try_job_later(&key, &error),
            }
        }
        if intents.is_empty() {
            return;
        }
        // A run that has ended has no tasks that the store takes for running.
        let saved = match intents.iter().any(Intent::ends_runs) {
            true => self.save().await,
            false => Ok(()),
        };
        if let Err(error) = saved {
            let error = LoopError::from(error);
            for intent in intents {
                self.try_job_later(&intent.key, &error);
            }
            return;
        }
        let commits = intents.iter_mut().map(Intent::take_transaction);
        let outcomes = join_all(commits.map(|transaction| self.parts.store.commit(transaction))).await;
        for (intent, outcome) in intents.into_iter().zip(outcomes) {
            let key = intent.key.clone();
            match outcome {
                Ok(revision) => self.carry_out(intent, revision),
                // Somebody changed the job meanwhile: it is read again and planned anew.
                Err(StoreError::Conflict { .. }) => self.jobs.mark_stale(&key),
                Err(error) => {
                    self.try_job_later(&key, &error.into());
                    continue;
                }
            }
            self.jobs.dirty.insert(key);
        }
    }

    /// Plans a job; what is to be written, if anything.
    async fn intend(&mut self, key: &ServiceKey) -> Result<Option<Intent>, LoopError> {
        if self
            .jobs
            .watched
            .get(key)
            .is_none_or(|watched| watched.stale == Stale::Yes)
        {
            self.load_job(key).await?;
        }
        self.place_waiting_job(key).await?;
        let Some(watched) = self.jobs.watched.get(key) else {
            return Ok(None);
        };
        let now = self.parts.clock.now();
        let runs = watched.observe(&self.parts.registry);
        let actions = plan::plan(watched.due().as_ref(), &runs, now);
        let wakes = actions.iter().filter_map(|action| match action {
            Action::WakeAt(at) => Some(*at),
            _ => None,
        });
        let wake = wakes.min();
        self.jobs.wake(key, wake);
        self.write_down(key, actions, now).await
    }

    fn try_job_later(&mut self, key: &ServiceKey, error: &LoopError) {
        tracing::error!(namespace = %key.0, job = %key.1, %error, "can't look after the job; it is tried again");
        self.jobs.answer(key);
        let again = self
            .parts
            .clock
            .now()
            .checked_add(RETRY_AFTER)
            .unwrap_or(Timestamp::MAX);
        self.jobs.mark_stale(key);
        match self.jobs.watched.contains_key(key) {
            true => self.jobs.wake(key, Some(again)),
            // There is nothing to hang a moment on but itself.
            false => self.jobs.wakes.extend([(again, key.clone())]),
        }
    }

    /// Tasks whose runs are gone: the server ended between forgetting a run and its tasks.
    fn forget_orphans(&mut self, key: &ServiceKey) {
        let Some(watched) = self.jobs.watched.get(key) else {
            return;
        };
        let group = (key.0.clone(), Group::Job(key.1.clone()));
        let orphaned = self.parts.registry.visit(&group, |entry| {
            let run = entry.task.place?.run;
            (!watched.runs.contains_key(&run)).then_some(run)
        });
        for run in BTreeSet::from_iter(orphaned) {
            self.parts.registry.remove_run(&group, run);
        }
    }
}
