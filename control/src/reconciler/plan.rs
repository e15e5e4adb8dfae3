//! The reconciler's pure core: what a service shall be and what is seen of it, to what is to be done.
//!
//! Nothing here waits, reads a clock or touches the world. The plan is made anew from the whole state
//! each time (level-triggered), so an action that got lost is planned again, and one that is planned
//! twice changes nothing: each is stated against what was observed.

mod crew;
mod retire;
mod rollout;
mod shares;
mod stopwatch;
mod takers;
mod verdict;

use std::time::Duration;

use tokio::time::Instant;

use self::crew::{Crew, maintain, number, stop, stop_replaced, stop_surplus};
use crate::manifest::{Bounds, DeploymentSpec};
use crate::model::{Compared, Pace, Stage};
use crate::names::{Revision, TaskId};

pub use self::shares::shares;
pub use self::stopwatch::Stopwatch;
pub use self::takers::{Takes, stops};

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
    /// Within which it is kept while no deployment is in progress.
    pub bounds: Bounds,
    /// The deployment in progress.
    pub rollout: Option<Rollout>,
    /// Whether the service was deleted.
    pub presence: Presence,
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
    /// In which way it goes, and when it is given up.
    pub spec: DeploymentSpec,
    /// What is being done.
    pub stage: Stage,
    /// The new revision's share of the requests, in percent, where shares are shifted.
    pub share: u32,
    /// Whether it goes on.
    pub pace: Pace,
    /// How long the stage has lasted, under whatever server; pauses left out.
    pub clock: Stopwatch,
    /// How long this process has seen of it; pauses left out.
    pub watched: Stopwatch,
    /// Whether servers before this one saw some of it.
    pub taken_up: TakenUp,
    /// How many of its tasks failed.
    pub failed_tasks: u32,
    /// Why the last of them did.
    pub last_failure: String,
    /// What was seen of both revisions since the stage began.
    pub seen: Compared,
}

impl Rollout {
    /// One whose stage begins.
    pub fn begin(spec: DeploymentSpec, stage: Stage, share: u32, now: Instant) -> Self {
        Self {
            spec,
            stage,
            share,
            pace: Pace::Going,
            clock: Stopwatch::start(now),
            watched: Stopwatch::start(now),
            taken_up: TakenUp::No,
            failed_tasks: 0,
            last_failure: String::new(),
            seen: Compared::default(),
        }
    }

    /// Holds it, or lets it go on.
    pub fn keep_pace(&mut self, pace: Pace, now: Instant) {
        self.pace = pace;
        self.clock.keep_pace(pace, now);
        self.watched.keep_pace(pace, now);
    }

    /// Whether requests are shared between the revisions by weight.
    fn shifts(&self) -> bool {
        self.spec.strategy.shifts()
    }

    /// How long the stage may last, if it is no bake. Its tasks had to begin anew with a server: they have a quarter more
    /// time, once, however many servers there were.
    fn deadline(&self) -> Duration {
        let deadline = self.spec.deadline;
        match self.taken_up {
            TakenUp::No => deadline,
            TakenUp::Yes => deadline + deadline / 4,
        }
    }

    /// How long a bake lasts whose tasks are well: in one go, or, where no server saw that much of it, altogether. One
    /// restart leaves time for a whole one.
    pub fn bake_is_over(&self, now: Instant) -> bool {
        self.watched.elapsed(now) >= self.spec.bake || self.clock.elapsed(now) >= self.longest_bake()
    }

    fn longest_bake(&self) -> Duration {
        self.spec.bake * 2 + self.spec.deadline
    }

    /// Whether the stage has had its time. Of a bake, who is well when the time to look on is over ends it; who is not
    /// has the time of a stage to recover.
    fn is_overdue(&self, now: Instant) -> bool {
        let deadline = self.spec.deadline;
        match self.stage {
            Stage::Bake => {
                self.watched.elapsed(now) >= self.spec.bake + deadline
                    || self.clock.elapsed(now) >= self.longest_bake() + deadline
            }
            _ => self.clock.elapsed(now) >= self.deadline(),
        }
    }
}

/// Whether a stage began under another server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenUp {
    /// This one saw all of it.
    No,
    /// It did.
    Yes,
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
    /// Whether requests come to it where its phase doesn't say so.
    pub takes: Takes,
    /// Why it isn't well, where it is RUNNING and that is known.
    pub ill: Option<String>,
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
    /// RUNNING, and a person stopped it: it takes requests until another does, for so long at most.
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
    /// The deployment comes to another stage, or shifts the share of the requests.
    Advance {
        /// What is done now.
        stage: Stage,
        /// The new revision's share of the requests, in percent.
        share: u32,
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
        (Presence::Kept, Some(rollout)) => rollout::plan(desired, rollout, observed, now),
        (Presence::Kept, None) => plan_steady(desired, observed, now),
    };
    actions.extend(retire::release(desired, observed, &actions, now));
    actions
}

/// How many failed tasks end a deployment of `count` tasks. ECS: half of them, within bounds.
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
    if desired.stable != Some(goal) {
        return plan_halted(desired, goal, observed, now);
    }
    let crew = Crew::of(goal, observed);
    let mut actions = maintain(&crew, desired.count, desired.bounds, now);
    actions.extend(stop_left(&crew, desired.count, observed));
    actions
}

/// Stops what a deployment left that could be brought neither forth nor back: its healthy tasks have the requests until
/// those of `crew` are there.
fn stop_left(crew: &Crew<'_>, count: u32, observed: &Observed) -> Vec<Action> {
    let healthy = number(observed.tasks.iter().filter(|task| task.phase == Phase::Healthy));
    let spare = healthy.saturating_sub(count);
    // Where the host has no room for both, one goes first; the next when that one's successor has proved itself, and the
    // last not at all.
    let is_first_to_go = spare == 0
        && healthy > 1
        && crew.blocked_on(Blocker::Capacity) > 0
        && crew.vacant() == 0
        && crew
            .tasks()
            .all(|task| matches!(task.phase, Phase::Healthy | Phase::Blocked { .. }))
        && observed.tasks.iter().all(|task| task.phase != Phase::Leaving);
    let left = observed
        .tasks
        .iter()
        .filter(|task| task.revision != crew.revision);
    stop_replaced(
        left,
        spare.max(u32::from(is_first_to_go)),
        StopWhy::DeploymentFailed,
    )
}

/// A deployment failed and shall not be rolled back: what is healthy stays, only the old revision is started.
fn plan_halted(desired: &Desired, goal: Revision, observed: &Observed, now: Instant) -> Vec<Action> {
    let failed = Crew::of(goal, observed);
    let unwell = failed.tasks().filter(|task| {
        matches!(
            task.phase,
            Phase::Blocked { .. } | Phase::Starting | Phase::Unready | Phase::Unhealthy
        )
    });
    let mut actions: Vec<Action> = unwell.map(|task| stop(task, StopWhy::DeploymentFailed)).collect();
    actions.extend(stop_surplus(
        &failed,
        failed.healthy().saturating_sub(desired.count),
    ));
    let mut kept = vec![goal];
    if let Some(stable) = desired.stable {
        let crew = Crew::of(stable, observed);
        let wanted = desired.count.saturating_sub(failed.healthy()).max(crew.hopeful());
        actions.extend(maintain(
            &crew,
            wanted.min(desired.count.max(desired.stable_count)),
            desired.bounds,
            now,
        ));
        kept.push(stable);
    }
    actions.extend(stop_all_but(&kept, observed, StopWhy::DeploymentFailed));
    actions
}

fn stop_all_but(kept: &[Revision], observed: &Observed, why: StopWhy) -> Vec<Action> {
    let others = observed
        .tasks
        .iter()
        .filter(|task| !kept.contains(&task.revision));
    others
        .filter(|task| task.phase != Phase::Leaving)
        .map(|task| crew::stop_for(task, why))
        .collect()
}

#[cfg(test)]
mod tests;
