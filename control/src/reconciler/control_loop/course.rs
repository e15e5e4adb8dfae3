//! The course of a deployment in progress: what the loop keeps of it besides its record.
//!
//! Figures are counted by the gateway per revision, for as long as it runs; here they are told apart by when the
//! deployment and its stage began. A process that starts counts anew, and a bake begins anew with it.

use wharf_gateway::Tally;

use tokio::time::Instant;

use crate::model::{Compared, Deployment, Figures, Pace, Stage, Task};
use crate::names::{Revision, TaskId};
use crate::reconciler::plan::{Rollout, Stopwatch};

/// The part of its deadline that a deployment has left at least when a server takes it up: while none ran, its tasks could
/// not become healthy.
const LEFT_AFTER_A_RESTART: u32 = 4;

/// A deployment in progress, as far as this process saw it.
pub(super) struct Course {
    pub(super) rollout: Rollout,
    /// The task that failed last.
    pub(super) last_failed: Option<TaskId>,
    /// What was seen since it began.
    pub(super) figures: Compared,
    /// What had been counted when it began, and when its stage did; none before the first look.
    begun: Option<Readings>,
    stage_begun: Option<Readings>,
    pub(super) looked: Option<Instant>,
}

/// What was counted of the new revision and of the old one.
#[derive(Clone, Default)]
pub(super) struct Readings {
    pub(super) new: Reading,
    pub(super) old: Reading,
}

/// What was counted of a revision.
#[derive(Clone, Default)]
pub(super) struct Reading {
    tally: Tally,
    cpu_ms: u64,
}

impl Reading {
    /// Of one revision, from what the gateway counted and what its tasks used.
    pub(super) fn of(revision: Option<Revision>, tallies: &[(Revision, Tally)], tasks: &[Task]) -> Self {
        let tally = tallies.iter().find(|(of, _)| Some(*of) == revision);
        let own = tasks
            .iter()
            .filter(|task| Some(task.definition.revision) == revision);
        Self {
            tally: tally.map(|(_, tally)| tally.clone()).unwrap_or_default(),
            cpu_ms: own.map(|task| task.usage.cpu_ms).sum(),
        }
    }

    fn since(&self, before: &Self) -> Figures {
        let tally = self.tally.since(&before.tally);
        Figures {
            requests: tally.requests,
            errors: tally.errors,
            p99_us: tally
                .p99()
                .map(|p99| u64::try_from(p99.as_micros()).unwrap_or(u64::MAX)),
            // A task's record goes with the oldest of the stopped ones.
            cpu_ms: self.cpu_ms.saturating_sub(before.cpu_ms),
        }
    }
}

impl Readings {
    fn since(&self, before: &Self) -> Compared {
        Compared {
            new: self.new.since(&before.new),
            old: self.old.since(&before.old),
        }
    }
}

impl Course {
    /// The course of a deployment that this process sees for the first time.
    pub(super) fn begin(deployment: &Deployment, now: Instant) -> Self {
        let spec = deployment.spec.clone();
        let mut rollout = Rollout::begin(spec, deployment.stage, deployment.share, now);
        rollout.failed_tasks = deployment.failed_tasks;
        if deployment.stage != Stage::Bake {
            let left = deployment.spec.deadline / LEFT_AFTER_A_RESTART;
            let most = deployment.spec.deadline.saturating_sub(left);
            rollout.clock = Stopwatch::resume(deployment.stage_lasted().min(most), now);
        }
        let mut course = Self {
            rollout,
            last_failed: None,
            figures: Compared::default(),
            begun: None,
            stage_begun: None,
            looked: None,
        };
        course.keep_pace(deployment.pace, now);
        course
    }

    /// Takes over what the record says.
    pub(super) fn follow(&mut self, deployment: &Deployment, now: Instant) {
        let (stage, share) = (deployment.stage, deployment.share);
        if (stage, share) != (self.rollout.stage, self.rollout.share) {
            (self.rollout.stage, self.rollout.share) = (stage, share);
            self.rollout.clock = Stopwatch::start(now);
            self.rollout.seen = Compared::default();
            self.stage_begun = None;
            self.looked = None;
        }
        self.keep_pace(deployment.pace, now);
    }

    fn keep_pace(&mut self, pace: Pace, now: Instant) {
        if self.rollout.pace != pace {
            self.rollout.pace = pace;
            self.rollout.clock.keep_pace(pace, now);
        }
    }

    /// A task came to its place: the time in which it may become healthy begins.
    pub(super) fn begin_deadline_anew(&mut self, now: Instant) {
        if self.rollout.stage != Stage::Bake && self.rollout.pace == Pace::Going {
            self.rollout.clock = Stopwatch::start(now);
        }
    }

    /// Takes over what is counted now.
    pub(super) fn look(&mut self, read: &Readings, now: Instant) {
        self.looked = Some(now);
        let begun = self.begun.get_or_insert_with(|| read.clone());
        self.figures = read.since(begun);
        let stage_begun = self.stage_begun.get_or_insert_with(|| read.clone());
        let mut seen = read.since(stage_begun);
        // An old revision that has hardly a request left is judged by all it had meanwhile.
        if seen.old.requests < u64::from(self.rollout.spec.tolerance.min_requests) {
            seen.old = self.figures.old;
        }
        self.rollout.seen = seen;
    }
}
