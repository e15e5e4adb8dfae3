//! What is said of a job's runs.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;

use crate::jobs::cron::Cron;
use crate::manifest::{ConcurrencyPolicy, ScheduleSpec, show_duration};
use crate::model::{Run, RunState};
use crate::names::Family;

/// Why a task of a run that fails is stopped.
pub(super) const OTHER_FAILED: &str = "Another task of its run failed";

pub(super) fn due(run: &Run, cron: &Cron, due: Timestamp, missed_since: Option<Timestamp>) -> String {
    let mut text = format!(
        "(job {}) (run {}) begins: it was due at {}",
        run.job,
        run.number,
        shown(cron, due)
    );
    if let Some(since) = missed_since {
        // Writing to a String can't fail.
        let _ = write!(
            text,
            ", and stands for all that were missed since {}",
            shown(cron, since)
        );
    }
    text.push('.');
    text
}

pub(super) fn missed(job: &Family, spec: &ScheduleSpec, due: Timestamp) -> String {
    let deadline = spec.starting_deadline.map(show_duration).unwrap_or_default();
    let due = shown(&spec.cron, due);
    format!(
        "(job {job}) missed the run that was due at {due}: it could not begin within its starting deadline, {deadline}."
    )
}

pub(super) fn held(job: &Family, spec: &ScheduleSpec, due: Timestamp) -> String {
    let due = shown(&spec.cron, due);
    let why = match spec.concurrency_policy {
        ConcurrencyPolicy::Forbid => "a run goes on, and its concurrency policy is forbid",
        ConcurrencyPolicy::Allow | ConcurrencyPolicy::Replace => "as many runs go on as a job may have",
    };
    format!("(job {job}) the run that was due at {due} waits: {why}.")
}

pub(super) fn replaced(cron: &Cron, due: Timestamp) -> String {
    format!("replaced by the run that was due at {}", shown(cron, due))
}

pub(super) fn overdue(length: Duration) -> String {
    format!(
        "Its run had not ended after {}, its deadline",
        show_duration(length)
    )
}

pub(super) fn ended(run: &Run) -> String {
    let how = match run.state {
        RunState::InProgress => "goes on",
        RunState::Succeeded => "succeeded",
        RunState::Failed => "failed",
        RunState::Cancelled => "was cancelled",
    };
    let head = format!("(job {}) (run {}) {how}", run.job, run.number);
    match &run.reason {
        Some(reason) => format!("{head}: {reason}."),
        None => format!("{head}."),
    }
}

fn shown(cron: &Cron, time: Timestamp) -> String {
    cron.local(time).to_string()
}
