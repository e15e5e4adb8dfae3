//! One service: its plan, and what the plan's actions do.

use std::collections::HashMap;

use jiff::Timestamp;
use tokio::time::Instant;

use super::watched::{Stale, Steady, Watched};
use super::{ControlLoop, LoopError, MAX_ROUNDS, ServiceKey, wording};
use crate::model::stored::Record as _;
use crate::model::{Deployment, Group, RolloutState, Service, StopCode, keys};
use crate::names::{FamilyRevision, Revision, TaskId};
use crate::reconciler::plan::{self, Action, Observed, Phase, Vacancy};
use crate::store::{Expect, StoreError, Transaction};
use crate::tasks::registry::{Entry, Progress};

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
                self.expose();
            }
            self.place_waiting(key).await;
            let Some(watched) = self.services.get_mut(key) else {
                return Ok(());
            };
            let observed = watched.observe(&self.parts.registry);
            let actions = plan::plan(&watched.desired(), &observed, Instant::now());
            self.note(key, &observed);
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
        let before = self.services.remove(key);
        let ended = before.as_ref().and_then(|before| before.service.rollout.clone());
        if let Some(ended) = ended
            .as_ref()
            .filter(|ended| service.rollout.as_ref() != Some(ended))
        {
            self.parts.registry.note_progress(ended, None);
            if let Some(next) = &service.rollout {
                self.say(key, wording::superseded(&key.1, ended, next));
            }
        }
        if let Some(begins) = service
            .rollout
            .as_ref()
            .filter(|next| ended.as_ref() != Some(next))
        {
            let runs = service.goal.map(|goal| format!("{}:{goal}", key.1));
            let (namespace, service) = (&key.0, &key.1);
            tracing::info!(%namespace, %service, deployment = %begins, runs, "deployment begins");
        }
        let watched = Watched::new(service, &entry, blueprints, before);
        self.services.insert(key.clone(), watched);
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

    async fn end_rollout(&mut self, key: &ServiceKey, ending: Ending) -> Result<(), LoopError> {
        let Some(watched) = self.services.get(key) else {
            return Ok(());
        };
        let Some(id) = watched.service.rollout.clone() else {
            return Ok(());
        };
        let failed_tasks = watched.rollout.as_ref().map_or(0, |rollout| rollout.failed_tasks);
        let mut service = watched.service.clone();
        service.rollout = None;
        match &ending {
            Ending::Completed => {
                service.stable = service.goal;
                service.stable_count = service.count;
            }
            Ending::Failed(_) => {
                service.goal = service.stable;
                service.count = service.stable_count;
            }
        }
        let service_key = keys::service(&key.0, &key.1);
        let deployment_key = keys::deployment(&key.0, &key.1, &id);
        let mut transaction = Transaction::new()
            .expect(&service_key, Expect::Revision(watched.revision))
            .put(&service_key, service.encode());
        if let Some(entry) = self.parts.store.get(&deployment_key).await? {
            let ended = ending.record(Deployment::decode(&entry)?, failed_tasks);
            transaction = transaction.put(&deployment_key, ended.encode());
        }
        self.mark_stale(key);
        match self.parts.store.commit(transaction).await {
            Ok(_) => {}
            // Somebody changed the service meanwhile: it is read again and planned anew.
            Err(StoreError::Conflict { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        self.parts.registry.note_progress(&id, None);
        let message = match &ending {
            Ending::Completed => wording::completed(&key.1, &id),
            Ending::Failed(reason) => wording::failed(&key.1, &id, reason),
        };
        self.say(key, message);
        Ok(())
    }

    /// Forgets a deleted service whose tasks are gone, with all that belongs to it.
    async fn remove(&mut self, key: &ServiceKey) -> Result<(), LoopError> {
        let Some(watched) = self.services.get(key) else {
            return Ok(());
        };
        let service_key = keys::service(&key.0, &key.1);
        let transaction = Transaction::new()
            .expect(&service_key, Expect::Revision(watched.revision))
            .delete(&service_key)
            .delete_prefix(keys::service_deployments(&key.0, &key.1))
            .delete_prefix(keys::family(&key.0, &key.1));
        self.mark_stale(key);
        match self.parts.store.commit(transaction).await {
            Ok(_) => {}
            Err(StoreError::Conflict { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        self.services.remove(key);
        self.expose();
        self.parts.executor.forget(&key.0, &key.1);
        self.parts
            .registry
            .remove_group(&(key.0.clone(), Group::Service(key.1.clone())));
        self.parts.events.remove(&key.0, &key.1);
        Ok(())
    }

    /// Lets the API see what a deployment in progress waits for.
    fn note(&self, key: &ServiceKey, observed: &Observed) {
        let Some(watched) = self.services.get(key) else {
            return;
        };
        let (Some(id), Some(rollout)) = (&watched.service.rollout, &watched.rollout) else {
            return;
        };
        let waiting = observed.tasks.iter().find_map(|task| match &task.phase {
            Phase::Blocked { reason, .. } => Some(reason.clone()),
            _ => None,
        });
        let note = waiting.unwrap_or_else(|| rollout.last_failure.clone());
        let progress = Progress {
            failed_tasks: rollout.failed_tasks,
            note,
        };
        if self.parts.registry.progress(id).as_ref() != Some(&progress) {
            self.parts.registry.note_progress(id, Some(progress));
        }
    }

    fn announce_steady(&mut self, key: &ServiceKey, observed: &Observed) {
        let Some(watched) = self.services.get_mut(key) else {
            return;
        };
        let all_healthy = observed.tasks.iter().all(|task| task.phase == Phase::Healthy);
        let complete = usize::try_from(watched.service.count) == Ok(observed.tasks.len());
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

/// How a rollout ends.
enum Ending {
    Completed,
    Failed(String),
}

impl Ending {
    fn record(&self, deployment: Deployment, failed_tasks: u32) -> Deployment {
        let (state, reason) = match self {
            Self::Completed => (
                RolloutState::Completed,
                format!("deployment {} completed", deployment.id),
            ),
            Self::Failed(reason) => (RolloutState::Failed, reason.clone()),
        };
        Deployment {
            state,
            reason,
            failed_tasks,
            updated_at: Timestamp::now(),
            ..deployment
        }
    }
}
