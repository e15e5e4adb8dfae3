//! `wharf describe job` and `wharf describe run`: runs, and what came of each attempt.

use wharf_control::api::types::{Attempt, JobDescription, Run};

use super::{events, fields, overrides};
use crate::command::jobs::next_run;
use crate::output::{self, harmless, name};

pub(super) fn job(all: &JobDescription) -> String {
    let job = &all.job;
    let schedule = job.schedule.as_ref();
    let mut text = fields(&[
        ("Job", job.job_name.clone()),
        ("Namespace", job.namespace.clone()),
        (
            "Schedule",
            schedule.map_or_else(
                || "none: it runs when `wharf run` says so".to_owned(),
                |schedule| format!("{} ({})", schedule.expression, schedule.time_zone),
            ),
        ),
        (
            "Status",
            schedule
                .map(|schedule| name(&schedule.status))
                .unwrap_or_default(),
        ),
        (
            "Runs",
            schedule
                .map(|schedule| schedule.task_definition.clone())
                .unwrap_or_default(),
        ),
        (
            "Overlap",
            schedule
                .map(|schedule| name(&schedule.concurrency_policy))
                .unwrap_or_default(),
        ),
        (
            "Starts within",
            schedule
                .and_then(|schedule| schedule.starting_deadline_ms)
                .map(output::milliseconds)
                .unwrap_or_default(),
        ),
        ("Next run", schedule.map(next_run).unwrap_or_default()),
        ("Created", output::time(job.created_at)),
    ]);
    if !all.runs.is_empty() {
        text.push_str(&format!("\n\nRuns\n{}", runs_table(&all.runs)));
    }
    text.push_str(&events(&all.events));
    text
}

fn runs_table(runs: &[Run]) -> String {
    let header = [
        "RUN",
        "RUNS",
        "STATE",
        "SUCCEEDED",
        "ACTIVE",
        "FAILED ATTEMPTS",
        "EXIT",
        "AGE",
        "REASON",
    ];
    output::table(
        header,
        runs.iter().map(|run| {
            [
                run.name.clone(),
                run.task_definition.clone(),
                name(&run.state),
                format!("{} of {}", run.succeeded_count, run.count),
                run.active_count.to_string(),
                run.failed_attempts.to_string(),
                code(run.exit_code),
                output::age(run.created_at),
                harmless(run.reason.as_deref().unwrap_or_default()),
            ]
        }),
    )
}

pub(super) fn run(run: &Run) -> String {
    let mut text = fields(&[
        ("Run", run.name.clone()),
        ("Namespace", run.namespace.clone()),
        ("Runs", run.task_definition.clone()),
        ("State", name(&run.state)),
        ("Reason", harmless(run.reason.as_deref().unwrap_or_default())),
        (
            "Exit code",
            run.exit_code.map(|code| code.to_string()).unwrap_or_default(),
        ),
        (
            "Tasks",
            format!(
                "{} of {} succeeded, {} active, {} at once; {} attempts failed, {} retries each",
                run.succeeded_count,
                run.count,
                run.active_count,
                run.parallelism,
                run.failed_attempts,
                run.retries
            ),
        ),
        (
            "Deadline",
            run.deadline_ms.map(output::milliseconds).unwrap_or_default(),
        ),
        ("Overrides", overrides(&run.overrides)),
        ("Due", run.due_at.map(output::time).unwrap_or_default()),
        ("Created", output::time(run.created_at)),
        ("Ended", run.ended_at.map(output::time).unwrap_or_default()),
    ]);
    if !run.attempts.is_empty() {
        text.push_str(&format!("\n\nAttempts\n{}", attempts_table(&run.attempts)));
        text.push_str(&format!(
            "\n\n`wharf logs {} --task ID` shows what one wrote",
            run.job_name
        ));
    }
    text
}

fn attempts_table(attempts: &[Attempt]) -> String {
    let header = ["INDEX", "ATTEMPT", "TASK", "STATE", "EXIT", "REASON"];
    output::table(
        header,
        attempts.iter().map(|attempt| {
            let reason = attempt.stopped_reason.as_ref().or(attempt.reason.as_ref());
            [
                attempt.index.to_string(),
                attempt.attempt.to_string(),
                attempt.short_id.clone(),
                name(&attempt.last_status),
                code(attempt.exit_code),
                harmless(reason.map(String::as_str).unwrap_or_default()),
            ]
        }),
    )
}

fn code(code: Option<i32>) -> String {
    code.map_or_else(|| "-".to_owned(), |code| code.to_string())
}
