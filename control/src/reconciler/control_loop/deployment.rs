//! A deployment's way through its stages to its end: each step is durable before it is in force.

use std::time::Duration;

use tokio::time::Instant;

use super::course::{Reading, Readings};
use super::watched::{Tracked, Watched};
use super::{ControlLoop, LoopError, ServiceKey};
use crate::events::{Word, rollout, settings};
use crate::model::stored::Record as _;
use crate::model::{Deployment, DeploymentId, Group, RolloutState, Service, Stage, keys};
use crate::names::Revision;
use crate::reconciler::plan::{self, Observed, Phase};
use crate::store::{Expect, StoreError, Transaction};
use crate::tasks::registry::Progress;

/// How often the figures of a deployment in progress are read.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How many lines of a failed task the event has that tells of it.
const LAST_LINES: usize = 5;

/// The longest of these lines, in bytes: all of them fit into an event.
const LONGEST_LINE: usize = 500;

/// No deployment begins, and nothing is told.
const NOTHING_MORE: (Option<&Deployment>, Vec<Word>) = (None, Vec::new());

/// How a rollout ends.
pub(super) enum Ending {
    Completed,
    Failed(String),
}

/// When figures are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// If it was long enough ago.
    IfDue,
    /// In any case.
    Now,
}

impl ControlLoop {
    /// A deployment's record.
    pub(super) async fn tracked(
        &self,
        key: &ServiceKey,
        id: &DeploymentId,
    ) -> Result<Option<Tracked>, LoopError> {
        let entry = self
            .parts
            .store
            .get(&keys::deployment(&key.0, &key.1, id))
            .await?;
        let Some(entry) = entry else { return Ok(None) };
        Ok(Some(Tracked {
            record: Deployment::decode(&entry)?,
            revision: entry.revision,
        }))
    }

    /// What was seen of a deployment that was in progress and isn't any more is in its record.
    pub(super) fn forget_progress(&self, before: Option<&Watched>, service: &Service) {
        let was = before.and_then(|before| before.service.rollout.as_ref());
        if let Some(ended) = was
            && service.rollout.as_ref() != Some(ended)
        {
            self.parts.registry.note_progress(ended, None);
        }
    }

    /// Puts the shares of the requests in force, if they differ.
    pub(super) fn put_shares(&mut self, key: &ServiceKey, observed: &Observed) {
        let Some(watched) = self.services.get_mut(key) else {
            return;
        };
        let shares = plan::shares(&watched.desired(), observed);
        if watched.shares.as_ref() != Some(&shares) {
            self.parts.executor.share(&key.0, &key.1, &shares);
            watched.shares = Some(shares);
        }
    }

    /// Reads the figures of a deployment in progress.
    pub(super) fn look(&mut self, key: &ServiceKey, look: Look) {
        let now = Instant::now();
        let parts = &self.parts;
        let Some(watched) = self.services.get_mut(key) else {
            return;
        };
        let (Some(course), Some(tracked)) = (&mut watched.course, &watched.deployment) else {
            return;
        };
        let recent = |at: Instant| now.saturating_duration_since(at) < LOOK_EVERY;
        let rollout = &course.rollout;
        // What comes after a bake is decided by all of it.
        let bake_ends = rollout.stage == Stage::Bake && rollout.bake_is_over(now);
        if look == Look::IfDue && !bake_ends && course.looked.is_some_and(recent) {
            return;
        }
        let tallies = parts.executor.tallies(&key.0, &key.1);
        let tasks = parts
            .registry
            .of_group(&(key.0.clone(), Group::Service(key.1.clone())));
        let reading = |revision: Option<Revision>| Reading::of(revision, &tallies, &tasks);
        let readings = Readings {
            new: reading(Some(tracked.record.revision)),
            old: reading(tracked.record.before),
        };
        course.look(&readings, now);
    }

    /// Lets the API see how a deployment in progress is getting on.
    pub(super) fn note(&self, key: &ServiceKey, observed: &Observed) {
        let Some(watched) = self.services.get(key) else {
            return;
        };
        let (Some(id), Some(course)) = (&watched.service.rollout, &watched.course) else {
            return;
        };
        let waiting = observed.tasks.iter().find_map(|task| match &task.phase {
            Phase::Blocked { reason, .. } => Some(reason.clone()),
            _ => None,
        });
        let progress = Progress {
            failed_tasks: course.rollout.failed_tasks,
            note: waiting.unwrap_or_else(|| course.rollout.last_failure.clone()),
            figures: course.figures,
        };
        if self.parts.registry.progress(id).as_ref() != Some(&progress) {
            self.parts.registry.note_progress(id, Some(progress));
        }
    }

    /// Brings a deployment to another stage.
    pub(super) async fn advance(
        &mut self,
        key: &ServiceKey,
        stage: Stage,
        share: u32,
    ) -> Result<(), LoopError> {
        self.look(key, Look::Now);
        let Some((service, mut deployment)) = self.in_progress(key) else {
            return Ok(());
        };
        let was = deployment.clone();
        deployment.advance(stage, share, self.parts.clock.now());
        let messages = rollout::advanced(&was, &deployment).into_iter();
        let words = messages.map(|message| deployment.word(message)).collect();
        self.write(key, &service, &deployment, (None, words)).await?;
        Ok(())
    }

    /// Writes down how many tasks failed, if there are more, and from time to time how long the stage has lasted: whoever
    /// goes on with the deployment knows of it. Whether it was written.
    pub(super) async fn save_progress(&mut self, key: &ServiceKey) -> Result<bool, LoopError> {
        let now = Instant::now();
        let Some(watched) = self.services.get(key) else {
            return Ok(false);
        };
        let (Some(course), Some(Tracked { record, .. })) = (&watched.course, &watched.deployment) else {
            return Ok(false);
        };
        let counted_next = course.counted_next(record, now);
        if record.failed_tasks < course.rollout.failed_tasks || counted_next.is_some_and(|at| at <= now) {
            let Some((service, deployment)) = self.in_progress(key) else {
                return Ok(false);
            };
            return self.write(key, &service, &deployment, NOTHING_MORE).await;
        }
        if let Some(at) = counted_next {
            self.wake(key, at);
        }
        Ok(false)
    }

    pub(super) async fn end_rollout(&mut self, key: &ServiceKey, ending: Ending) -> Result<(), LoopError> {
        self.look(key, Look::Now);
        let Some((mut service, mut deployment)) = self.in_progress(key) else {
            return Ok(());
        };
        let (words, back) = match ending {
            Ending::Completed => {
                let reason = format!("deployment {} completed", deployment.id);
                deployment.end(RolloutState::Completed, reason);
                service.rollout = None;
                service.stable = service.goal;
                service.stable_count = service.count;
                let word = deployment.word(rollout::completed(&deployment));
                (vec![word], None)
            }
            Ending::Failed(reason) => {
                let lines = self.last_lines(key).await;
                let (was, now) = (service.clone(), self.parts.clock.now());
                let back = deployment.give_up(&mut service, (RolloutState::Failed, reason), now);
                let mut words = vec![deployment.word(rollout::failed(&deployment, &lines))];
                words.extend(back.as_ref().map(|back| back.word(rollout::begins(back))));
                words.extend(settings::changed(&was, &service, settings::GIVEN_UP));
                (words, back)
            }
        };
        let more = (back.as_ref(), words);
        if self.write(key, &service, &deployment, more).await? {
            self.parts.registry.note_progress(&deployment.id, None);
        }
        Ok(())
    }

    /// The service and its deployment in progress, with what was seen of it.
    fn in_progress(&self, key: &ServiceKey) -> Option<(Service, Deployment)> {
        let watched = self.services.get(key)?;
        let mut deployment = watched.deployment.as_ref()?.record.clone();
        if let Some(course) = &watched.course {
            deployment.failed_tasks = course.rollout.failed_tasks;
            deployment.figures = course.figures;
            deployment.stage_lasted = course.rollout.clock.elapsed(Instant::now());
            deployment.counted_at = self.parts.clock.now();
        }
        Some((watched.service.clone(), deployment))
    }

    /// Writes a service with its deployment, one that begins, and what is told of them, unless somebody changed them
    /// meanwhile: then they are read again and all is planned anew.
    async fn write(
        &mut self,
        key: &ServiceKey,
        service: &Service,
        deployment: &Deployment,
        (begins, words): (Option<&Deployment>, Vec<Word>),
    ) -> Result<bool, LoopError> {
        let Some(watched) = self.services.get(key) else {
            return Ok(false);
        };
        let service_key = keys::service(&key.0, &key.1);
        let mut transaction = Transaction::new()
            .expect(&service_key, Expect::Revision(watched.revision))
            .put(&service_key, service.encode());
        if let Some(tracked) = &watched.deployment {
            transaction = transaction.expect(tracked.record.key(), Expect::Revision(tracked.revision));
        }
        transaction = deployment.write(transaction);
        if let Some(begins) = begins {
            transaction = begins.begin(transaction);
        }
        for word in &words {
            transaction = word.put(transaction);
        }
        self.mark_stale(key);
        match self.parts.store.commit(transaction).await {
            Ok(_) => {
                for word in words {
                    self.parts.events.tell(word);
                }
                self.parts.registry.changed();
                Ok(true)
            }
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// What the task wrote last that failed last; without one, the youngest of the new revision.
    async fn last_lines(&self, key: &ServiceKey) -> Vec<String> {
        let Some(watched) = self.services.get(key) else {
            return Vec::new();
        };
        let failed = watched
            .course
            .as_ref()
            .and_then(|course| course.last_failed.clone());
        let goal = watched.service.goal;
        let group = (key.0.clone(), Group::Service(key.1.clone()));
        let task = match failed.and_then(|id| self.parts.registry.task(&id)) {
            Some(task) => Some(task),
            None => {
                let mut tasks = self.parts.registry.of_group(&group);
                tasks.retain(|task| Some(task.definition.revision) == goal);
                tasks.pop()
            }
        };
        let Some(task) = task else { return Vec::new() };
        let mut lines = self.parts.executor.last_lines(&task, LAST_LINES).await;
        for line in &mut lines {
            line.truncate(line.floor_char_boundary(LONGEST_LINE));
        }
        lines
    }
}
