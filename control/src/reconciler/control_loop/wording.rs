//! What events say, in ECS's words where ECS has them.

use std::fmt::Write as _;
use std::time::Duration;

use crate::model::{Group, Health, Place, TaskStatus};
use crate::names::{Family, ServiceName, TaskId};
use crate::reconciler::plan::StopWhy;
use crate::scaling::{self, Decided};
use crate::tasks::HealthReport;

pub(super) fn started(service: &ServiceName, tasks: &[TaskId]) -> String {
    format!(
        "(service {service}) has started {} tasks: {}.",
        tasks.len(),
        list(tasks)
    )
}

/// A job's task came to RUNNING.
pub(super) fn attempt_started(job: &Family, id: &TaskId, place: Place) -> String {
    let Place { run, index, attempt } = place;
    format!("(job {job}) (run {run}) has started attempt {attempt} at task {index}: (task {id}).")
}

pub(super) fn draining(service: &ServiceName, tasks: &[TaskId]) -> String {
    format!(
        "(service {service}) has begun draining connections on {} tasks: {}.",
        tasks.len(),
        list(tasks)
    )
}

/// Tasks are gone: one, or all that a server lost.
pub(super) fn stopped(group: &Group, tasks: &[TaskId], reason: &str) -> String {
    let (count, tasks) = (tasks.len(), list(tasks));
    match group {
        Group::Service(_) => format!(
            "({}) has stopped {count} running tasks: {tasks}. Reason: {reason}",
            who(group)
        ),
        Group::Job(_) => format!("({}) {tasks} has ended: {reason}.", who(group)),
    }
}

pub(super) fn cut_off(requests: u32) -> String {
    format!("{requests} requests were cut off when its stop_timeout was over")
}

pub(super) fn given_up(status: TaskStatus) -> String {
    format!("{status} was given up: it took too long")
}

/// A worker's task came to RUNNING.
pub(super) fn running(service: &ServiceName, task: &TaskId) -> String {
    format!("(service {service}) (task {task}) is RUNNING.")
}

pub(super) fn activating(group: &Group, task: &TaskId) -> String {
    format!("({}) (task {task}) is ACTIVATING.", who(group))
}

/// A worker's or a job's task was told to end.
pub(super) fn stopping(group: &Group, task: &TaskId) -> String {
    format!("({}) (task {task}) is STOPPING.", who(group))
}

/// A person stopped it, and it goes on until another takes its requests.
pub(super) fn retiring(service: &ServiceName, task: &TaskId, reason: &str) -> String {
    format!(
        "(service {service}) (task {task}) is to be stopped, once another takes its requests. Reason: {reason}"
    )
}

pub(super) fn registered(service: &ServiceName, task: &TaskId) -> String {
    format!("(service {service}) registered 1 targets in (target-group {service}): (task {task}).")
}

pub(super) fn deregistered(service: &ServiceName, task: &TaskId) -> String {
    format!("(service {service}) deregistered 1 targets in (target-group {service}): (task {task}).")
}

pub(super) fn impaired(service: &ServiceName, reason: &str) -> String {
    format!("(service {service}) is unable to consistently start tasks successfully. Reason: {reason}.")
}

pub(super) fn steady(service: &ServiceName) -> String {
    format!("(service {service}) has reached a steady state.")
}

/// Told to the job of the same name, whose events go on.
pub(super) fn deleted(service: &ServiceName) -> String {
    format!("(service {service}) was deleted.")
}

pub(super) fn scaled(service: &ServiceName, decided: &Decided) -> String {
    let Decided { from, to, cause, .. } = decided;
    scaling::said(service, (*from, *to), cause)
}

pub(super) fn unplaced(group: &Group, reason: &str) -> String {
    format!("({}) was unable to place a task. Reason: {reason}.", who(group))
}

pub(super) fn restart(service: &ServiceName, task: &TaskId, reason: &str, again: Again) -> String {
    let mut text = format!("(service {service}) (task {task}) failed: {reason}.");
    let seconds = again.delay.as_secs();
    // Writing to a String can't fail.
    let _ = write!(
        text,
        " A new one starts in {seconds} s (failure {} in a row).",
        again.failures
    );
    text
}

/// When a failed task's successor starts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Again {
    pub(super) delay: Duration,
    pub(super) failures: u32,
}

/// What is news about a task's health, of one that was `before`; `wherein` it is checked.
pub(super) fn health(
    service: &ServiceName,
    task: &TaskId,
    wherein: &str,
    (before, report): (Health, &HealthReport),
) -> Option<String> {
    let who = format!("(service {service}) (task {task})");
    match (before, report.health) {
        (Health::Unknown | Health::Healthy, Health::Unhealthy) => {
            let reason = report.reason.as_deref().unwrap_or("no reason was given");
            Some(format!("{who} is unhealthy{wherein} due to (reason {reason})."))
        }
        (Health::Unknown, Health::Healthy) => Some(format!("{who} is healthy{wherein}.")),
        (Health::Unhealthy, Health::Healthy) => Some(format!("{who} is healthy again{wherein}.")),
        // It is as it was; and once it is known how a task is, it stays known.
        _ => None,
    }
}

fn who(group: &Group) -> String {
    match group {
        Group::Service(name) => format!("service {name}"),
        Group::Job(family) => format!("job {family}"),
    }
}

/// A stopped task's `stoppedReason`; `ill` is why it is unhealthy, if it is.
pub(super) fn stopped_reason(service: &ServiceName, why: StopWhy, ill: Option<&str>) -> String {
    match why {
        StopWhy::ScaledIn => format!("Scaling activity initiated by (service {service})"),
        StopWhy::Replaced => "Replaced by a deployment".to_owned(),
        StopWhy::DeploymentFailed => "The deployment that started it failed".to_owned(),
        StopWhy::Unhealthy => {
            let failed = format!("Task failed health checks in (target-group {service})");
            ill.map_or(failed.clone(), |ill| format!("{failed}: {ill}"))
        }
        StopWhy::Deleted => format!("(service {service}) was deleted"),
        StopWhy::Asked => "Task stopped by a person".to_owned(),
    }
}

fn list(tasks: &[TaskId]) -> String {
    let listed: Vec<String> = tasks.iter().map(|task| format!("(task {task})")).collect();
    listed.join(" ")
}
