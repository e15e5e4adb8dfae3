//! What a job's schedule and runs are, and what time it is, to what is to be done.
//!
//! Nothing here waits, reads a clock or touches the world. An action that got lost is planned again; one that was
//! done changes what is observed, and isn't. Three things are decided apart: what the schedule begins ([`schedule`]),
//! what each run does next ([`run`]), and which ended runs are forgotten ([`history`]).

mod history;
mod run;
mod schedule;

use std::time::Duration;

use jiff::Timestamp;

use crate::manifest::ScheduleSpec;
use crate::model::{Cancellation, RunNumber, RunSpec, RunState};
use crate::names::TaskId;

pub use history::{MAX_STOPPED_TASKS, SEEN_FOR};
pub use run::delay;

/// Runs of a job that may go on at once, whatever its policy.
pub const MAX_ACTIVE_RUNS: usize = 100;

/// A schedule in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// When it is due, and what happens then.
    pub spec: ScheduleSpec,
    /// The latest time that was decided upon.
    pub decided: Timestamp,
}

/// What is seen of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedRun {
    /// Which.
    pub number: RunNumber,
    /// What it is to do.
    pub spec: RunSpec,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it had ended.
    pub ended_at: Option<Timestamp>,
    /// Why it is unwanted, if it is.
    pub cancelled: Option<Cancellation>,
    /// Its tasks, in the order of their making.
    pub attempts: Vec<Attempt>,
}

/// What is seen of a task of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The task.
    pub task: TaskId,
    /// Which of the run's tasks it is an attempt at.
    pub index: u32,
    /// Which attempt at it, from 1.
    pub number: u32,
    /// How it is.
    pub phase: Phase,
}

/// How an attempt is, as far as planning goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// It runs, or is on its way to.
    Going,
    /// It was told to stop and is not gone yet.
    Leaving,
    /// It ran to its end, with exit code 0.
    Succeeded,
    /// It ended in another way.
    Failed(Failure),
}

/// How an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub at: Timestamp,
    /// Why, in words.
    pub reason: String,
    /// Its exit code, if it ran to its end.
    pub exit_code: Option<i32>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make a run for a time that is due.
    Begin {
        /// When it was due.
        due: Timestamp,
        /// Since when times were missed that this run stands for too.
        missed_since: Option<Timestamp>,
    },
    /// A time was missed and it is too late for it: say so, once.
    Miss {
        /// When it was due.
        due: Timestamp,
    },
    /// A time is due and has to wait for a run to end: say so, once.
    Hold {
        /// When it was due.
        due: Timestamp,
    },
    /// The run shall end, for another to begin.
    Replace {
        /// Which.
        run: RunNumber,
        /// When the other was due.
        due: Timestamp,
    },
    /// Make a task of the run.
    Start {
        /// Which run.
        run: RunNumber,
        /// Which of its tasks.
        index: u32,
        /// Which attempt at it, from 1.
        attempt: u32,
        /// Why the attempt before failed.
        last_reason: Option<String>,
    },
    /// Stop a task.
    Stop {
        /// Which.
        task: TaskId,
        /// Why.
        why: StopWhy,
    },
    /// Nothing of the run goes on: write down how it ended.
    End {
        /// Which.
        run: RunNumber,
        /// How.
        verdict: Verdict,
    },
    /// Forget an ended run, with its tasks.
    Forget {
        /// Which.
        run: RunNumber,
    },
    /// Plan again at this moment, if nothing happens before.
    WakeAt(Timestamp),
}

/// Why a run's tasks are stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopWhy {
    /// The run was cancelled.
    Cancelled(Cancellation),
    /// Another of its tasks failed for good.
    RunFailed,
    /// Its time is up.
    Deadline(Duration),
}

/// How a run ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How.
    pub state: RunState,
    /// Why; nothing needs to be said of success.
    pub reason: Option<String>,
    /// The exit code of the task that decided it.
    pub exit_code: Option<i32>,
}

/// What brings a job to where it shall be: `due` is its schedule if it is in force, `runs` its runs by number.
pub fn plan(due: Option<&Due>, runs: &[ObservedRun], now: Timestamp) -> Vec<Action> {
    let active: Vec<&ObservedRun> = runs.iter().filter(|run| run.ended_at.is_none()).collect();
    let mut actions = due
        .map(|due| schedule::plan(due, &active, now))
        .unwrap_or_default();
    actions.extend(active.iter().flat_map(|run| run::plan(run, now)));
    actions.extend(history::plan(runs, now));
    actions
}

/// `time` and so much more, or the end of time.
fn after(time: Timestamp, length: Duration) -> Timestamp {
    time.checked_add(length).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
