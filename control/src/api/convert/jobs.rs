//! Jobs and runs as they are said.

use std::time::Duration;

use jiff::Timestamp;

use super::{overridden, task, wire};
use crate::manifest::{ConcurrencyPolicy, ScheduleSpec};
use crate::model::{Job, Run, RunState, Schedule, ScheduleStatus, Stopped, Task, TaskStatus};
use crate::tasks::Registry;

/// What a job is seen with besides its record.
#[derive(Debug, Default)]
pub(in crate::api) struct Beside<'a> {
    /// Its runs, oldest first.
    pub(in crate::api) runs: &'a [Run],
    /// When it is due.
    pub(in crate::api) spec: Option<ScheduleSpec>,
    /// What time it is.
    pub(in crate::api) now: Timestamp,
}

pub(in crate::api) fn job(job: &Job, beside: &Beside<'_>) -> wire::Job {
    let active = beside.runs.iter().filter(|run| !run.is_over()).count();
    let spec = beside.spec.as_ref();
    wire::Job {
        job_name: job.name.to_string(),
        namespace: job.namespace.to_string(),
        schedule: job
            .schedule
            .as_ref()
            .zip(spec)
            .map(|(held, spec)| schedule(job, held, spec, beside.now)),
        active_runs: u32::try_from(active).unwrap_or(u32::MAX),
        last_run: beside.runs.last().map(|run| wire::LastRun {
            number: run.number.0,
            state: state(run.state),
            created_at: run.created_at,
            ended_at: run.ended_at,
        }),
        unchanged: false,
        created_at: job.created_at,
    }
}

fn schedule(job: &Job, held: &Schedule, spec: &ScheduleSpec, now: Timestamp) -> wire::JobSchedule {
    let is_active = held.status == ScheduleStatus::Active;
    wire::JobSchedule {
        task_definition: format!("{}:{}", job.name, held.revision),
        status: match held.status {
            ScheduleStatus::Active => wire::ScheduleStatus::Active,
            ScheduleStatus::Paused => wire::ScheduleStatus::Paused,
        },
        expression: spec.cron.expression().to_owned(),
        time_zone: spec.cron.zone().name().to_owned(),
        concurrency_policy: match spec.concurrency_policy {
            ConcurrencyPolicy::Allow => wire::ConcurrencyPolicy::Allow,
            ConcurrencyPolicy::Forbid => wire::ConcurrencyPolicy::Forbid,
            ConcurrencyPolicy::Replace => wire::ConcurrencyPolicy::Replace,
        },
        starting_deadline_ms: spec.starting_deadline.map(milliseconds),
        next_run_at: spec.cron.next_after(now.max(held.decided)).filter(|_| is_active),
    }
}

pub(in crate::api) fn schedule_status(status: wire::ScheduleStatus) -> ScheduleStatus {
    match status {
        wire::ScheduleStatus::Active => ScheduleStatus::Active,
        wire::ScheduleStatus::Paused => ScheduleStatus::Paused,
    }
}

/// A run, and the tasks of its job, oldest first.
pub(in crate::api) fn run(registry: &Registry, run: &Run, tasks: &[Task]) -> wire::Run {
    let is_own = |task: &&Task| task.place.is_some_and(|place| place.run == run.number);
    let own: Vec<&Task> = tasks.iter().filter(is_own).collect();
    let attempts: Vec<wire::Attempt> = own.iter().filter_map(|task| attempt(registry, task)).collect();
    let ended = own.iter().filter(|task| task.status == TaskStatus::Stopped);
    let succeeded = ended
        .clone()
        .filter(|task| task.stopped.as_ref().is_some_and(Stopped::is_success));
    let counted = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let (ended, succeeded) = (ended.count(), succeeded.count());
    let cancelling = run.cancelled.as_ref().map(|cancelled| cancelled.reason.clone());
    wire::Run {
        name: run.name(),
        job_name: run.job.to_string(),
        number: run.number.0,
        namespace: run.namespace.to_string(),
        task_definition: run.definition.to_string(),
        state: state(run.state),
        reason: run.reason.clone().or(cancelling),
        exit_code: run.exit_code,
        due_at: run.due,
        count: run.spec.count,
        parallelism: run.spec.parallelism,
        retries: run.spec.retries,
        deadline_ms: run.spec.deadline.map(milliseconds),
        succeeded_count: counted(succeeded),
        active_count: counted(attempts.len().saturating_sub(ended)),
        failed_attempts: counted(ended.saturating_sub(succeeded)),
        overrides: overridden(run.overrides.clone()),
        created_at: run.created_at,
        ended_at: run.ended_at,
        attempts,
    }
}

fn attempt(registry: &Registry, of: &Task) -> Option<wire::Attempt> {
    let place = of.place?;
    // What it waited for is nothing any more.
    let is_over = of.status == TaskStatus::Stopped;
    let shown = task(registry, of.clone());
    Some(wire::Attempt {
        index: place.index,
        attempt: place.attempt,
        task_id: shown.task_id,
        short_id: shown.short_id,
        last_status: shown.last_status,
        reason: shown.reason.filter(|_| !is_over),
        stop_code: shown.stop_code,
        stopped_reason: shown.stopped_reason,
        exit_code: shown.exit_code,
        started_at: shown.started_at,
        stopped_at: shown.stopped_at,
    })
}

fn state(state: RunState) -> wire::RunState {
    match state {
        RunState::InProgress => wire::RunState::InProgress,
        RunState::Succeeded => wire::RunState::Succeeded,
        RunState::Failed => wire::RunState::Failed,
        RunState::Cancelled => wire::RunState::Cancelled,
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
