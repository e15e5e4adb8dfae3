//! The reconciler's pure core: what a service shall be and what is seen of it, to what is to be done.
//!
//! Nothing here waits, reads a clock or touches the world. The plan is made anew from the whole state
//! each time (level-triggered), so an action that got lost is planned again, and one that is planned
//! twice changes nothing: each is stated against what was observed.

mod retire;

use std::time::Duration;

use tokio::time::Instant;

use crate::names::{Revision, TaskId};

/// A deployment that got nowhere for this long fails.
pub const DEPLOYMENT_DEADLINE: Duration = Duration::from_secs(5 * 60);

/// Failed tasks after which a deployment fails, whatever its size (ECS: 3, then half the desired count,
/// at most 200).
pub const FEWEST_FAILED_TASKS: u32 = 3;

/// Failed tasks after which the largest deployment fails (ECS: 200).
pub const MOST_FAILED_TASKS: u32 = 200;

/// What a service shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// How many tasks there shall be.
    pub count: u32,
    /// How many tasks the stable revision keeps while it is being replaced.
    pub stable_count: u32,
    /// What they shall run.
    pub goal: Option<Revision>,
    /// What they ran when all was well.
    pub stable: Option<Revision>,
    /// The deployment in progress.
    pub rollout: Option<Rollout>,
    /// Whether the service was deleted.
    pub presence: Presence,
}

impl Desired {
    /// How many tasks of a revision there shall be, as long as there shall be any.
    pub fn count_of(&self, revision: Revision) -> u32 {
        match self.stable {
            Some(stable) if stable == revision && self.goal != self.stable => self.stable_count,
            _ => self.count,
        }
    }
}

/// Whether a service shall be there at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It shall.
    Kept,
    /// It was deleted.
    Deleted,
}

/// A deployment in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// Since when it is watched (by this process).
    pub since: Instant,
    /// How many of its tasks failed.
    pub failed_tasks: u32,
    /// Why the last of them did.
    pub last_failure: String,
}

/// What is seen of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Its tasks that are not STOPPED, in the order of their making.
    pub tasks: Vec<ObservedTask>,
    /// Places whose task failed and that may be filled again later.
    pub vacancies: Vec<Vacancy>,
}

/// A task that is not STOPPED.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedTask {
    /// Its id.
    pub id: TaskId,
    /// What it runs.
    pub revision: Revision,
    /// How it is.
    pub phase: Phase,
}

/// How a task is, as far as planning goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// PENDING for something that others hold or a person needs to give.
    Blocked {
        /// What it waits for.
        on: Blocker,
        /// In words.
        reason: String,
    },
    /// On its way to RUNNING, or RUNNING and not known to be healthy.
    Starting,
    /// RUNNING and healthy.
    Healthy,
    /// RUNNING and not to have requests, but left to recover.
    Unready,
    /// RUNNING and to be replaced.
    Unhealthy,
    /// RUNNING and healthy, and a person stopped it: it takes requests until another does, for so long at most.
    Retiring {
        /// Until then.
        until: Instant,
    },
    /// Told to stop and not gone yet.
    Leaving,
}

/// What a PENDING task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocker {
    /// CPU or memory of the host.
    Capacity,
    /// A secret.
    Secret,
}

/// A place in the service whose task failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vacancy {
    /// What the failed task ran.
    pub revision: Revision,
    /// When its successor may start.
    pub not_before: Instant,
    /// Failures in a row of this place.
    pub restarts: u32,
    /// Why the last one failed.
    pub last_reason: String,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make a task of the revision; in a place that had failures, with their history.
    Start {
        /// What it runs.
        revision: Revision,
        /// The place it fills.
        vacancy: Option<Vacancy>,
    },
    /// Stop a task.
    Stop {
        /// Which.
        task: TaskId,
        /// Why.
        why: StopWhy,
    },
    /// The deployment is done: the revision is the stable one.
    Complete,
    /// The deployment is given up: back to the stable revision.
    Fail {
        /// Why.
        reason: String,
    },
    /// The service was deleted and nothing of it is left: forget it.
    Remove,
    /// Plan again at this moment, if nothing happens before.
    WakeAt(Instant),
}

/// Why the reconciler stops a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopWhy {
    /// There are more than there shall be.
    ScaledIn,
    /// A newer deployment took its place.
    Replaced,
    /// Its deployment failed.
    DeploymentFailed,
    /// It is unhealthy.
    Unhealthy,
    /// The service was deleted.
    Deleted,
    /// A person asked for it before.
    Asked,
}

/// What brings `observed` nearer to `desired`.
pub fn plan(desired: &Desired, observed: &Observed, now: Instant) -> Vec<Action> {
    let mut actions = match (desired.presence, &desired.rollout) {
        (Presence::Deleted, _) => return plan_removal(observed),
        (Presence::Kept, Some(rollout)) => plan_rollout(desired, rollout, observed, now),
        (Presence::Kept, None) => plan_steady(desired, observed, now),
    };
    actions.extend(retire::release(desired, observed, &actions, now));
    actions
}

/// How many failed tasks end a deployment of `count` tasks.
pub fn failed_tasks_allowed(count: u32) -> u32 {
    count.div_ceil(2).clamp(FEWEST_FAILED_TASKS, MOST_FAILED_TASKS)
}

fn plan_removal(observed: &Observed) -> Vec<Action> {
    if observed.tasks.is_empty() {
        return vec![Action::Remove];
    }
    stop_all_but(&[], observed, StopWhy::Deleted)
}

fn plan_steady(desired: &Desired, observed: &Observed, now: Instant) -> Vec<Action> {
    // Without a deployment in progress, what isn't of the goal is what a failed one left.
    let Some(goal) = desired.goal else {
        return stop_all_but(&[], observed, StopWhy::DeploymentFailed);
    };
    let mut actions = maintain(&Crew::of(goal, observed), desired.count, now);
    actions.extend(stop_all_but(&[goal], observed, StopWhy::DeploymentFailed));
    actions
}

fn plan_rollout(desired: &Desired, rollout: &Rollout, observed: &Observed, now: Instant) -> Vec<Action> {
    let Some(goal) = desired.goal else {
        return plan_steady(desired, observed, now);
    };
    let crew = Crew::of(goal, observed);
    let healthy = crew.healthy();
    if let Some(reason) = failure(desired, rollout, &crew, now) {
        return vec![Action::Fail { reason }];
    }
    let mut actions = maintain(&crew, desired.count, now);
    let mut kept = vec![goal];
    if let Some(stable) = desired.stable.filter(|_| healthy < desired.count) {
        // The old ones stay, as many as they were, until the new ones are healthy; where both don't fit,
        // each new healthy one makes room for the next.
        let before = desired.count_of(stable);
        let stay = if crew.blocked_on(Blocker::Capacity) > 0 {
            before.min(desired.count).saturating_sub(healthy)
        } else {
            before
        };
        actions.extend(maintain(&Crew::of(stable, observed), stay, now));
        kept.push(stable);
    }
    actions.extend(stop_all_but(&kept, observed, StopWhy::Replaced));
    let alone = observed.tasks.iter().all(|task| task.revision == goal);
    if healthy >= desired.count && alone {
        actions.push(Action::Complete);
    }
    // Without a revision to go back to, a task that waits may wait: nothing is gained by giving up.
    if desired.stable.is_some() || crew.blocked().is_none() {
        actions.push(Action::WakeAt(rollout.since + DEPLOYMENT_DEADLINE));
    }
    actions
}

/// Why a deployment is to be given up, if it is.
fn failure(desired: &Desired, rollout: &Rollout, crew: &Crew<'_>, now: Instant) -> Option<String> {
    if rollout.failed_tasks >= failed_tasks_allowed(desired.count) {
        return Some(format!(
            "tasks failed to start or to become healthy, {} of them; the last: {}",
            rollout.failed_tasks, rollout.last_failure
        ));
    }
    let overdue = now.saturating_duration_since(rollout.since) >= DEPLOYMENT_DEADLINE;
    if !overdue || crew.healthy() >= desired.count {
        return None;
    }
    let minutes = DEPLOYMENT_DEADLINE.as_secs() / 60;
    let healthy = format!(
        "{} of {} tasks became healthy in {minutes} minutes",
        crew.healthy(),
        desired.count
    );
    match crew.blocked() {
        Some(_) if desired.stable.is_none() => None,
        Some(reason) => Some(format!("{healthy}; {reason}")),
        None if rollout.last_failure.is_empty() => Some(healthy),
        None => Some(format!("{healthy}; the last failure: {}", rollout.last_failure)),
    }
}

/// The tasks and vacancies of one revision.
struct Crew<'a> {
    revision: Revision,
    tasks: Vec<&'a ObservedTask>,
    vacancies: Vec<&'a Vacancy>,
}

impl<'a> Crew<'a> {
    fn of(revision: Revision, observed: &'a Observed) -> Self {
        Self {
            revision,
            tasks: observed
                .tasks
                .iter()
                .filter(|task| task.revision == revision)
                .collect(),
            vacancies: observed
                .vacancies
                .iter()
                .filter(|v| v.revision == revision)
                .collect(),
        }
    }

    fn count(&self, counts: impl Fn(&Phase) -> bool) -> u32 {
        let number = self.tasks.iter().filter(|task| counts(&task.phase)).count();
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    fn healthy(&self) -> u32 {
        self.count(|phase| *phase == Phase::Healthy)
    }

    fn blocked_on(&self, what: Blocker) -> u32 {
        self.count(|phase| matches!(phase, Phase::Blocked { on, .. } if *on == what))
    }

    fn blocked(&self) -> Option<&'a str> {
        self.tasks.iter().find_map(|task| match &task.phase {
            Phase::Blocked { reason, .. } => Some(reason.as_str()),
            _ => None,
        })
    }
}

/// Keeps `count` tasks of a revision.
fn maintain(crew: &Crew<'_>, count: u32, now: Instant) -> Vec<Action> {
    let hopeful =
        crew.count(|phase| !matches!(phase, Phase::Unhealthy | Phase::Retiring { .. } | Phase::Leaving));
    let mut actions = stop_surplus(crew, hopeful.saturating_sub(count));
    actions.extend(stop_unhealthy(crew, count));
    actions.extend(start_missing(crew, count.saturating_sub(hopeful), now));
    actions
}

/// Starts `missing` tasks: those in the places of failed ones when their time has come.
fn start_missing(crew: &Crew<'_>, missing: u32, now: Instant) -> Vec<Action> {
    let mut waiting = crew.vacancies.iter().map(|vacancy| (*vacancy).clone());
    let places = (0..missing).map(|_| match waiting.next() {
        Some(vacancy) if vacancy.not_before > now => Action::WakeAt(vacancy.not_before),
        vacancy => Action::Start {
            revision: crew.revision,
            vacancy,
        },
    });
    places.collect()
}

/// Stops `surplus` tasks: those that wait first, then the ones on their way, then the youngest.
fn stop_surplus(crew: &Crew<'_>, surplus: u32) -> Vec<Action> {
    let rank = |task: &ObservedTask| match task.phase {
        Phase::Blocked { .. } => Some(0),
        Phase::Starting | Phase::Unready => Some(1),
        Phase::Healthy => Some(2),
        Phase::Unhealthy | Phase::Retiring { .. } | Phase::Leaving => None,
    };
    let mut ranked: Vec<(u8, &ObservedTask)> = crew
        .tasks
        .iter()
        .rev()
        .filter_map(|task| Some((rank(task)?, *task)))
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    let surplus = usize::try_from(surplus).unwrap_or(usize::MAX);
    ranked
        .iter()
        .take(surplus)
        .map(|(_, task)| stop(task, StopWhy::ScaledIn))
        .collect()
}

/// Stops the unhealthy tasks that healthy ones have replaced, and those whose room their successors need;
/// the oldest first.
fn stop_unhealthy(crew: &Crew<'_>, count: u32) -> Vec<Action> {
    let unhealthy = crew.count(|phase| *phase == Phase::Unhealthy);
    let stay = count
        .saturating_sub(crew.healthy())
        .saturating_sub(crew.blocked_on(Blocker::Capacity));
    let leave = usize::try_from(unhealthy.saturating_sub(stay)).unwrap_or(usize::MAX);
    let candidates = crew.tasks.iter().filter(|task| task.phase == Phase::Unhealthy);
    candidates
        .take(leave)
        .map(|task| stop(task, StopWhy::Unhealthy))
        .collect()
}

fn stop_all_but(kept: &[Revision], observed: &Observed, why: StopWhy) -> Vec<Action> {
    let others = observed
        .tasks
        .iter()
        .filter(|task| !kept.contains(&task.revision));
    others
        .filter(|task| task.phase != Phase::Leaving)
        .map(|task| match (why, &task.phase) {
            // Of a failed deployment, it is what it failed of.
            (StopWhy::DeploymentFailed, Phase::Unhealthy) => stop(task, StopWhy::Unhealthy),
            _ => stop(task, why),
        })
        .collect()
}

fn stop(task: &ObservedTask, why: StopWhy) -> Action {
    Action::Stop {
        task: task.id.clone(),
        why,
    }
}

#[cfg(test)]
mod tests;
