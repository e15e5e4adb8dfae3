//! Deployments: one rollout of a service to a revision, as the store has it.

use std::time::Duration;

use jiff::Timestamp;

use super::stored::Record as _;
use super::{DeploymentId, Pace, RolloutState, Service, Stage, keys};
use crate::manifest::{DeploymentSpec, OnFailure, Strategy};
use crate::names::{NamespaceName, Revision, ServiceName};
use crate::store::Transaction;

/// One rollout of a service to a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Names it.
    pub id: DeploymentId,
    /// Its namespace.
    pub namespace: NamespaceName,
    /// The service that is rolled.
    pub service: ServiceName,
    /// The revision it is rolled to.
    pub revision: Revision,
    /// The revision that ran when it began, and is what it is judged against.
    pub before: Option<Revision>,
    /// In which way, and when it is given up.
    pub spec: DeploymentSpec,
    /// How far it is.
    pub state: RolloutState,
    /// Why.
    pub reason: String,
    /// What is being done while it is in progress; what was done last after that.
    pub stage: Stage,
    /// The share of the requests that the revision gets, in percent, where shares are shifted.
    pub share: u32,
    /// Whether it goes on.
    pub pace: Pace,
    /// How many of its tasks failed.
    pub failed_tasks: u32,
    /// What was seen of the revision since it began, and of the one before.
    pub figures: Compared,
    /// The deployment that failed or was aborted and is undone by this one.
    pub rollback_of: Option<DeploymentId>,
    /// The deployment that undoes this one.
    pub rolled_back_by: Option<DeploymentId>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// How long its stage has lasted, until `counted_at`: while a server ran, and but for when it was held.
    pub stage_lasted: Duration,
    /// Until when that was counted.
    pub counted_at: Timestamp,
}

/// How late a server writes down that a stage goes on, and so the most that counts of a time in which none ran.
const COUNTED_EVERY: Duration = Duration::from_secs(10);

/// A short deadline is counted in so many steps at least.
const COUNTED_IN_STEPS: u32 = 8;

/// What was seen of a revision that is new, and of the one it replaces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    /// Of the new one.
    pub new: Figures,
    /// Of the old one.
    pub old: Figures,
}

/// What was seen of a revision for a while.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Requests it had an answer to, the gateway's own included.
    pub requests: u64,
    /// Those answered 5xx.
    pub errors: u64,
    /// Within what time 99 in 100 were answered, in microseconds; none without a request.
    pub p99_us: Option<u64>,
    /// CPU time it used, in milliseconds.
    pub cpu_ms: u64,
}

impl Figures {
    /// How many percent of the answers were 5xx.
    pub fn error_percent(&self) -> f64 {
        match self.requests {
            0 => 0.0,
            requests => 100.0 * self.errors as f64 / requests as f64,
        }
    }
}

impl Deployment {
    /// One that has not begun: of `service`, which is as it was before, to `revision`.
    pub fn new(service: &Service, revision: Revision, spec: DeploymentSpec, now: Timestamp) -> Self {
        let before = service.stable.filter(|stable| *stable != revision);
        // Whatever runs has to go first; without a revision before there may be remains of one that failed.
        let stage = match spec.strategy {
            Strategy::Recreate => Stage::ScaleDown,
            _ => Stage::ScaleUp,
        };
        Self {
            id: DeploymentId::generate(),
            namespace: service.namespace.clone(),
            service: service.name.clone(),
            revision,
            before,
            spec,
            state: RolloutState::InProgress,
            reason: format!("deployment of {}:{revision} in progress", service.name),
            stage,
            share: 0,
            pace: Pace::Going,
            failed_tasks: 0,
            figures: Compared::default(),
            rollback_of: None,
            rolled_back_by: None,
            created_at: now,
            updated_at: now,
            stage_lasted: Duration::ZERO,
            counted_at: now,
        }
    }

    /// Writes it for the first time: it is found by its service, and by its id alone.
    #[must_use]
    pub fn begin(&self, transaction: Transaction) -> Transaction {
        let by_id = keys::deployment_service(&self.namespace, &self.id);
        self.write(transaction).put(by_id, self.service.to_string())
    }

    /// Writes it as it is now.
    #[must_use]
    pub fn write(&self, transaction: Transaction) -> Transaction {
        transaction.put(self.key(), self.encode())
    }

    /// Removes all that is written of it.
    #[must_use]
    pub fn forget(&self, transaction: Transaction) -> Transaction {
        let by_id = keys::deployment_service(&self.namespace, &self.id);
        transaction.delete(self.key()).delete(by_id)
    }

    /// Its record's.
    pub fn key(&self) -> String {
        keys::deployment(&self.namespace, &self.service, &self.id)
    }

    /// It comes to another stage, or shifts the share of the requests.
    pub fn advance(&mut self, stage: Stage, share: u32, now: Timestamp) {
        (self.stage, self.share) = (stage, share);
        (self.stage_lasted, self.counted_at) = (Duration::ZERO, now);
        self.updated_at = now;
    }

    /// It is held from now on, or goes on.
    pub fn keep_pace(&mut self, pace: Pace, now: Timestamp) {
        self.stage_lasted = self.stage_lasted(now);
        self.counted_at = now;
        self.pace = pace;
        self.updated_at = now;
    }

    /// How long its stage has lasted, but for when it was held. While a server runs it is counted at least every
    /// [`Deployment::counted_every`], so what is longer ago than that is a time without one; and a clock that was set back
    /// counts nothing.
    pub fn stage_lasted(&self, now: Timestamp) -> Duration {
        let uncounted = match self.pace {
            Pace::Paused => Duration::ZERO,
            Pace::Going => Duration::try_from(now.duration_since(self.counted_at)).unwrap_or_default(),
        };
        self.stage_lasted + uncounted.min(self.counted_every())
    }

    /// How often it is written down how long its stage has lasted. A server that is started again and again before that is
    /// due finds it due some time: what none of them counted adds up.
    pub fn counted_every(&self) -> Duration {
        COUNTED_EVERY.min(self.spec.deadline / COUNTED_IN_STEPS)
    }

    /// It has ended.
    pub fn end(&mut self, state: RolloutState, reason: String) {
        self.state = state;
        self.reason = reason;
        self.pace = Pace::Going;
        self.updated_at = Timestamp::now();
    }

    /// It is given up, as `state` and `reason` say: `service` goes back, or stays where it is. The deployment that
    /// brings it back, if one has to.
    pub fn give_up(
        &mut self,
        service: &mut Service,
        (state, reason): (RolloutState, String),
        now: Timestamp,
    ) -> Option<Self> {
        self.end(state, reason);
        service.rollout = None;
        let stays = state == RolloutState::Failed && self.spec.on_failure == OnFailure::Halt;
        if stays || service.goal == service.stable {
            return None;
        }
        service.goal = service.stable;
        service.count = service.stable_count;
        let stable = service.stable?;
        let mut back = Self::new(service, stable, self.spec.rollback(), now);
        back.before = Some(self.revision);
        back.reason = format!(
            "rolling back from {}:{} to {}:{stable}",
            self.service, self.revision, self.service
        );
        back.rollback_of = Some(self.id.clone());
        service.rollout = Some(back.id.clone());
        self.rolled_back_by = Some(back.id.clone());
        Some(back)
    }
}
