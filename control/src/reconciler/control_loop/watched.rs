//! What the loop keeps of a service: its records, the places of its failed tasks, its rollout.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;
use wharf_gateway::FailOpen;

use super::course::Course;
use super::{ServiceKey, scaling};
use crate::blueprint::Blueprint;
use crate::manifest::Strategy;
use crate::model::{Deployment, DesiredStatus, Group, Health, Service, ServiceStatus, TaskStatus};
use crate::names::Revision;
use crate::reconciler::plan::{Desired, Observed, ObservedTask, Phase, Presence, Takes, Vacancy};
use crate::scaling::Scaler;
use crate::store::StoreRevision;
use crate::tasks::registry::{Entry, Registry};
use crate::tasks::{Remedy, Traffic};

/// A service the loop looks after.
pub(super) struct Watched {
    pub(super) service: Service,
    /// The transaction that wrote the record, to notice others' writes.
    pub(super) revision: StoreRevision,
    pub(super) blueprints: HashMap<Revision, Arc<Blueprint>>,
    pub(super) vacancies: Vec<Vacancy>,
    /// The deployment in progress, as it is recorded.
    pub(super) deployment: Option<Tracked>,
    /// Its course.
    pub(super) course: Option<Course>,
    /// The shares of the requests that are in force.
    pub(super) shares: Option<Vec<(Revision, u32)>>,
    /// Until when requests wait for a task at most, because the last one that took any was taken away.
    pub(super) bridged: Option<Instant>,
    pub(super) last_blocked: Option<String>,
    pub(super) steady: Steady,
    pub(super) stale: Stale,
    /// How many tasks it has by load, if that is asked for.
    pub(super) scaler: Option<Scaler>,
    /// The count that the store has.
    pub(super) stored_count: u32,
    /// The count that is being written.
    pub(super) count_on_its_way: Option<u32>,
}

/// A deployment's record, and the transaction that wrote it.
#[derive(Clone)]
pub(super) struct Tracked {
    pub(super) record: Deployment,
    pub(super) revision: StoreRevision,
}

/// A service's records, as they were read.
pub(super) struct Records {
    pub(super) service: Service,
    pub(super) revision: StoreRevision,
    pub(super) deployment: Option<Tracked>,
    pub(super) blueprints: HashMap<Revision, Arc<Blueprint>>,
    /// When.
    pub(super) read_at: Timestamp,
}

/// What was announced of the service last: that it is steady, or that its tasks keep failing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Steady {
    No,
    Announced,
    Impaired,
}

/// Whether the store may have something newer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stale {
    No,
    Yes,
}

impl Watched {
    pub(super) fn new(records: Records, mut before: Option<Self>) -> Self {
        let Records {
            mut service,
            revision,
            deployment,
            blueprints,
            read_at,
        } = records;
        let now = Instant::now();
        let stored_count = service.count;
        if let Some(before) = &before {
            before.keep_choice(&mut service);
        }
        let known = before
            .as_mut()
            .map(|before| (before.scaler.take(), &before.service));
        let scaler = scaling::scaler(&service, known);
        let count_on_its_way = before.as_ref().and_then(|before| before.count_on_its_way);
        let bridged = before.as_ref().and_then(|before| before.bridged);
        let same_rollout = before
            .as_ref()
            .is_some_and(|b| b.service.rollout == service.rollout);
        let same_goal = before.as_ref().is_some_and(|b| b.service.goal == service.goal);
        let (vacancies, course, last_blocked, steady, shares) = match before {
            Some(before) => (
                before.vacancies,
                before.course,
                before.last_blocked,
                before.steady,
                before.shares,
            ),
            // One that is asleep at a start is as it shall be, and nothing happened that were worth telling.
            None if scaler.as_ref().is_some_and(Scaler::is_asleep) => {
                (Vec::new(), None, None, Steady::Announced, None)
            }
            None => (Vec::new(), None, None, Steady::No, None),
        };
        let course = course.filter(|_| same_rollout);
        let course = deployment.as_ref().map(|Tracked { record, .. }| {
            let mut course = course.unwrap_or_else(|| Course::begin(record, now, read_at));
            course.follow(record, now);
            course
        });
        Self {
            // ECS: an update resets the back-off.
            vacancies: if same_goal { vacancies } else { Vec::new() },
            course,
            deployment,
            shares,
            bridged,
            last_blocked: if same_goal { last_blocked } else { None },
            steady,
            stale: Stale::No,
            revision,
            service,
            blueprints,
            scaler,
            stored_count,
            count_on_its_way,
        }
    }

    /// A count that scaling chose, and nobody changed since, outlives a look at the store that doesn't have it yet.
    fn keep_choice(&self, service: &mut Service) {
        let is_unsaved = self.service.count != self.stored_count;
        let is_ours = service.count == self.stored_count || Some(service.count) == self.count_on_its_way;
        let is_the_latest = is_ours && service.choices == self.service.choices;
        if self.scaler.is_some() && is_unsaved && is_the_latest {
            service.count = self.service.count;
            service.stable_count = self.service.stable_count;
        }
    }

    /// Whether a deployment is in progress that takes the old tasks away before the new ones are there.
    pub(super) fn is_recreated(&self) -> bool {
        let deployment = self.deployment.as_ref();
        deployment.is_some_and(|deployment| deployment.record.spec.strategy == Strategy::Recreate)
    }

    /// How many of `count` tasks there shall be now.
    fn scaled(&self, count: u32) -> u32 {
        self.scaler.as_ref().map_or(count, |scaler| scaler.desired(count))
    }

    pub(super) fn desired(&self) -> Desired {
        Desired {
            count: self.scaled(self.service.count),
            stable_count: self.scaled(self.service.stable_count),
            goal: self.service.goal,
            stable: self.service.stable,
            bounds: self.service.deployment.strategy.bounds(),
            rollout: self.course.as_ref().map(|course| course.rollout.clone()),
            presence: match self.service.status {
                ServiceStatus::Active => Presence::Kept,
                ServiceStatus::Draining => Presence::Deleted,
            },
        }
    }

    pub(super) fn observe(&mut self, registry: &Registry) -> Observed {
        let group = (
            self.service.namespace.clone(),
            Group::Service(self.service.name.clone()),
        );
        let fail_open = self.fail_open();
        let tasks = registry.visit(&group, |entry| observe_task(entry, fail_open));
        self.trim_vacancies(&tasks);
        Observed {
            tasks,
            vacancies: self.vacancies.clone(),
        }
    }

    /// Whether tasks that aren't well get requests where none is.
    fn fail_open(&self) -> FailOpen {
        let runs = self.service.runs();
        let blueprint = runs.and_then(|revision| self.blueprints.get(&revision));
        let service = blueprint.and_then(|blueprint| blueprint.service());
        service.map_or(FailOpen::default(), |service| service.group.fail_open)
    }

    /// Drops the vacancies of places that are filled: the task recovered, or there are fewer places now.
    fn trim_vacancies(&mut self, tasks: &[ObservedTask]) {
        let desired = self.desired();
        let hopeful = |revision: Revision| {
            let filled = |task: &&ObservedTask| {
                let leaves = matches!(
                    task.phase,
                    Phase::Unhealthy | Phase::Retiring { .. } | Phase::Leaving
                );
                task.revision == revision && !leaves
            };
            tasks.iter().filter(filled).count()
        };
        let mut kept: HashMap<Revision, usize> = HashMap::new();
        // From the newest: it knows most about its place.
        let mut rest: Vec<Vacancy> = self.vacancies.drain(..).rev().collect();
        rest.retain(|vacancy| {
            let count = usize::try_from(count_of(&desired, vacancy.revision)).unwrap_or(usize::MAX);
            let missing = count.saturating_sub(hopeful(vacancy.revision));
            let kept = kept.entry(vacancy.revision).or_default();
            *kept += 1;
            *kept <= missing
        });
        rest.reverse();
        self.vacancies = rest;
    }
}

/// How many tasks of a revision there may be.
fn count_of(desired: &Desired, revision: Revision) -> u32 {
    match desired.stable {
        Some(stable) if stable == revision && desired.goal != desired.stable => desired.stable_count,
        _ => desired.count,
    }
}

fn observe_task(entry: &Entry, fail_open: FailOpen) -> Option<ObservedTask> {
    Some(ObservedTask {
        id: entry.task.id.clone(),
        revision: entry.task.definition.revision,
        phase: phase(entry)?,
        takes: match (entry.traffic, fail_open) {
            (Traffic::Given, _) => Takes::Requests,
            (Traffic::Withheld, FailOpen::Open) => Takes::IfNoneIsWell,
            (Traffic::Withheld, FailOpen::Closed) => Takes::Nothing,
        },
        ill: (entry.task.health == Health::Unhealthy)
            .then(|| entry.task.reason.clone())
            .flatten(),
    })
}

fn phase(entry: &Entry) -> Option<Phase> {
    let task = &entry.task;
    Some(match (task.status, task.desired, entry.blocked) {
        (TaskStatus::Stopped, _, _) => return None,
        (TaskStatus::Running, DesiredStatus::Stopped, _) => match entry.kept_until() {
            Some(until) => Phase::Retiring { until },
            None => Phase::Leaving,
        },
        (_, DesiredStatus::Stopped, _) => Phase::Leaving,
        (status, _, Some(on)) if status < TaskStatus::Activating => Phase::Blocked {
            on,
            reason: task.reason.clone().unwrap_or_default(),
        },
        (TaskStatus::Running, _, _) => match task.health {
            Health::Unknown => Phase::Starting,
            Health::Healthy => Phase::Healthy,
            Health::Unhealthy => match entry.remedy {
                Remedy::Replace => Phase::Unhealthy,
                Remedy::Wait => Phase::Unready,
            },
        },
        (status, _, _) if status < TaskStatus::Running => Phase::Starting,
        _ => Phase::Leaving,
    })
}

/// Whether each of the service's first tasks has come to RUNNING, failed, or waits for something.
pub(super) fn was_started(registry: &Registry, key: &ServiceKey) -> bool {
    let group = (key.0.clone(), Group::Service(key.1.clone()));
    let on_its_way = |entry: &Entry| {
        let before_running = entry.task.status < TaskStatus::Running;
        (before_running && entry.blocked.is_none()).then_some(())
    };
    registry.visit(&group, on_its_way).is_empty()
}
