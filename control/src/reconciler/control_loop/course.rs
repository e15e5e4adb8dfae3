//! The course of a deployment in progress: what the loop keeps of it besides its record.
//!
//! Figures are counted by the gateway per revision, for as long as it runs; here they are told apart by when the
//! deployment and its stage began. A process that starts counts anew, and a bake begins anew with it. How long a stage has
//! lasted is in its record, so that servers that end too soon to see its end come to one together.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use wharf_gateway::Tally;

use crate::model::{Compared, Deployment, Figures, Pace, Task};
use crate::names::{Revision, TaskId};
use crate::reconciler::plan::{Rollout, Stopwatch, TakenUp};

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
    /// How long the stage had lasted when tasks that wait began to.
    waiting: HashMap<TaskId, Duration>,
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
    /// The course of a deployment that this process sees for the first time, at `time` of the clock.
    pub(super) fn begin(deployment: &Deployment, now: Instant, time: Timestamp) -> Self {
        let spec = deployment.spec.clone();
        let mut rollout = Rollout::begin(spec, deployment.stage, deployment.share, now);
        rollout.failed_tasks = deployment.failed_tasks;
        rollout.clock = Stopwatch::resume(deployment.stage_lasted(time), now);
        // Until something is written down of it for the first time, it is as good as new.
        if !deployment.stage_lasted.is_zero() {
            rollout.taken_up = TakenUp::Yes;
        }
        let mut course = Self {
            rollout,
            last_failed: None,
            figures: Compared::default(),
            begun: None,
            stage_begun: None,
            looked: None,
            waiting: HashMap::new(),
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
            self.rollout.watched = Stopwatch::start(now);
            self.rollout.taken_up = TakenUp::No;
            self.waiting
                .values_mut()
                .for_each(|since| *since = Duration::ZERO);
            self.rollout.seen = Compared::default();
            self.stage_begun = None;
            self.looked = None;
        }
        self.keep_pace(deployment.pace, now);
    }

    fn keep_pace(&mut self, pace: Pace, now: Instant) {
        if self.rollout.pace != pace {
            self.rollout.keep_pace(pace, now);
        }
    }

    /// When it is to be written down again how long the stage has lasted.
    pub(super) fn counted_next(&self, written: &Deployment, now: Instant) -> Option<Instant> {
        let (clock, every) = (&self.rollout.clock, written.counted_every());
        let taken_back = written.stage_lasted.saturating_sub(clock.elapsed(now));
        match taken_back >= every {
            true => Some(now),
            false => clock.reaches(written.stage_lasted + every),
        }
    }

    /// A task waits for its place.
    pub(super) fn begin_wait(&mut self, task: &TaskId, now: Instant) {
        let lasted = self.rollout.clock.elapsed(now);
        self.waiting.entry(task.clone()).or_insert(lasted);
    }

    /// A task that waited came to its place: what it waited is no time in which it could have become healthy.
    pub(super) fn end_wait(&mut self, task: &TaskId, now: Instant) {
        if let Some(lasted) = self.waiting.remove(task) {
            self.rollout.clock.set_back(lasted, now);
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
