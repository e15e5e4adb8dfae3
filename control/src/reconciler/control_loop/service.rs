//! One service: its plan, and what the plan's actions do.

use std::collections::HashMap;

use tokio::time::Instant;

use super::deployment::{Ending, Look};
use super::watched::{Records, Stale, Steady, Watched};
use super::{ControlLoop, LoopError, MAX_ROUNDS, ServiceKey, wording};
use crate::events;
use crate::model::stored::Record as _;
use crate::model::{Deployment, Group, Service, StopCode, keys};
use crate::names::{FamilyRevision, Revision, TaskId};
use crate::reconciler::plan::{self, Action, Observed, Phase, Vacancy};
use crate::store::{Expect, StoreError, Transaction};
use crate::tasks::registry::Entry;

/// Whether what was done asks for another plan.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progressed {
    No,
    Yes,
}

impl ControlLoop {
    /// Plans the service and does what the plan says, until there is nothing left but waiting.
    pub(super) async fn reconcile(&mut self, key: &ServiceKey) -> Result<(), LoopError> {
        for _ in 0..MAX_ROUNDS {
            if self
                .services
                .get(key)
                .is_none_or(|watched| watched.stale == Stale::Yes)
            {
                self.load(key).await?;
                self.expose_service(key);
            }
            self.place_waiting(key).await;
            let Some(watched) = self.services.get_mut(key) else {
                return Ok(());
            };
            let observed = watched.observe(&self.parts.registry);
            self.look(key, Look::IfDue);
            self.put_shares(key, &observed);
            if self.save_progress(key).await? {
                continue;
            }
            let Some(watched) = self.services.get(key) else {
                return Ok(());
            };
            let actions = plan::plan(&watched.desired(), &observed, Instant::now());
            self.note(key, &observed);
            self.bridge(key, &observed, &actions);
            if self.apply(key, actions).await? == Progressed::No {
                self.announce_steady(key, &observed);
                return Ok(());
            }
        }
        tracing::warn!(namespace = %key.0, service = %key.1, "the service's plan doesn't settle");
        self.wake(key, Instant::now() + super::RETRY_AFTER);
        Ok(())
    }

    /// Reads the service's records; forgets it if they are gone.
    pub(super) async fn load(&mut self, key: &ServiceKey) -> Result<(), LoopError> {
        let Some(entry) = self.parts.store.get(&keys::service(&key.0, &key.1)).await? else {
            self.services.remove(key);
            self.settle_scaling(key);
            return Ok(());
        };
        let service = Service::decode(&entry)?;
        let mut blueprints = HashMap::new();
        for revision in [service.goal, service.stable].into_iter().flatten() {
            let known = self
                .services
                .get(key)
                .and_then(|watched| watched.blueprints.get(&revision));
            let blueprint = match known {
                Some(known) => known.clone(),
                None => {
                    let id = FamilyRevision {
                        family: key.1.clone(),
                        revision,
                    };
                    self.parts.blueprints.load(&key.0, &id).await?
                }
            };
            blueprints.insert(revision, blueprint);
        }
        let deployment = match &service.rollout {
            Some(id) => self.tracked(key, id).await?,
            None => None,
        };
        self.forget_progress(self.services.get(key), &service);
        let before = self.services.remove(key);
        let records = Records {
            service,
            revision: entry.revision,
            deployment,
            blueprints,
            read_at: self.parts.clock.now(),
        };
        self.services.insert(key.clone(), Watched::new(records, before));
        self.settle_scaling(key);
        Ok(())
    }

    async fn apply(&mut self, key: &ServiceKey, actions: Vec<Action>) -> Result<Progressed, LoopError> {
        let (mut started, mut stopping) = (Vec::new(), Vec::new());
        let mut progressed = Progressed::No;
        for action in actions {
            tracing::debug!(namespace = %key.0, service = %key.1, ?action, "decided");
            match action {
                Action::WakeAt(at) => {
                    self.wake(key, at);
                    continue;
                }
                Action::Start { revision, vacancy } => started.extend(self.start(key, revision, vacancy)),
                Action::Stop { task, why } => {
                    let seen = self.parts.registry.task(&task).and_then(|task| task.reason);
                    let reason = wording::stopped_reason(&key.1, why, seen.as_deref());
                    stopping.extend(self.target_of(&task));
                    self.stop_task(&task, StopCode::ServiceSchedulerInitiated, reason);
                }
                Action::Advance { stage, share } => self.advance(key, stage, share).await?,
                Action::Complete => self.end_rollout(key, Ending::Completed).await?,
                Action::Fail { reason } => self.end_rollout(key, Ending::Failed(reason)).await?,
                Action::Remove => self.remove(key).await?,
            }
            progressed = Progressed::Yes;
        }
        if progressed == Progressed::Yes
            && let Some(watched) = self.services.get_mut(key)
            && watched.steady == Steady::Announced
        {
            watched.steady = Steady::No;
        }
        if !started.is_empty() {
            self.say(key, wording::started(&key.1, &started));
        }
        if !stopping.is_empty() {
            self.say(key, wording::draining(&key.1, &stopping));
        }
        Ok(progressed)
    }

    /// Makes a task; it is placed with the next round.
    fn start(&mut self, key: &ServiceKey, revision: Revision, vacancy: Option<Vacancy>) -> Option<TaskId> {
        let watched = self.services.get_mut(key)?;
        let blueprint = watched.blueprints.get(&revision)?.clone();
        let mut task = blueprint.new_task(Group::Service(key.1.clone()));
        task.deployment = watched.service.rollout.clone();
        if let Some(vacancy) = vacancy {
            if let Some(at) = watched.vacancies.iter().position(|other| *other == vacancy) {
                watched.vacancies.remove(at);
            }
            task.restarts = vacancy.restarts;
            task.last_reason = Some(vacancy.last_reason);
        }
        let id = task.id.clone();
        self.parts.registry.insert(Entry::new(task, Some(blueprint)));
        Some(id)
    }

    /// Forgets a deleted service whose tasks are gone, with all that belongs to it alone: a job of its family, which every
    /// run makes, needs the definitions, and goes on writing to the same log and events.
    async fn remove(&mut self, key: &ServiceKey) -> Result<(), LoopError> {
        let Some(watched) = self.services.get(key) else {
            return Ok(());
        };
        let rollout = watched.service.rollout.clone();
        let service_key = keys::service(&key.0, &key.1);
        let job_key = keys::job(&key.0, &key.1);
        let is_shared = self.parts.store.get(&job_key).await?.is_some();
        // What waits to be written is removed with the rest: a server that dies in between leaves nothing to the next
        // service of this name.
        self.parts.events.flush().await;
        let mut transaction = Transaction::new()
            .expect(&service_key, Expect::Revision(watched.revision))
            .delete(&service_key);
        if !is_shared {
            transaction = transaction
                .expect(&job_key, Expect::Absent)
                .delete_prefix(keys::family(&key.0, &key.1));
            transaction = events::removal(transaction, &key.0, &key.1);
        }
        let deployments = keys::service_deployments(&key.0, &key.1);
        for entry in self.parts.store.list(&deployments).await?.entries {
            transaction = Deployment::decode(&entry)?.forget(transaction);
        }
        self.mark_stale(key);
        match self.parts.store.commit(transaction).await {
            Ok(_) => {}
            Err(StoreError::Conflict { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        self.services.remove(key);
        self.settle_scaling(key);
        self.expose_service(key);
        if let Some(rollout) = rollout {
            self.parts.registry.note_progress(&rollout, None);
        }
        self.parts
            .registry
            .remove_group(&(key.0.clone(), Group::Service(key.1.clone())));
        match is_shared {
            true => self.say(key, wording::deleted(&key.1)),
            false => {
                self.parts.executor.forget(&key.0, &key.1).await;
                self.parts.events.remove(&key.0, &key.1).await;
            }
        }
        Ok(())
    }

    fn announce_steady(&mut self, key: &ServiceKey, observed: &Observed) {
        let Some(watched) = self.services.get_mut(key) else {
            return;
        };
        let all_healthy = observed.tasks.iter().all(|task| task.phase == Phase::Healthy);
        let complete = usize::try_from(watched.desired().count) == Ok(observed.tasks.len());
        // After a first deployment that failed there is nothing to be steady.
        let runs = watched.service.goal.is_some();
        let calm = runs && all_healthy && complete && watched.service.rollout.is_none();
        match (calm, watched.steady) {
            (true, Steady::No | Steady::Impaired) => {
                watched.steady = Steady::Announced;
                watched.last_blocked = None;
                self.say(key, wording::steady(&key.1));
            }
            (false, Steady::Announced) => watched.steady = Steady::No,
            _ => {}
        }
    }
}
