//! `wharf jobs` and `wharf cancel`; and `wharf deploy` of a job, which is to have it run by its schedule.

use anyhow::{Result, bail};
use http::Method;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use wharf_control::api::types::{
    CancelRun, CreateDeployment, Job, JobDescription, JobList, JobSchedule, LastRun, Run, RunState,
    ScheduleStatus, UpdateJob,
};

use super::deploy::{Progress, upload};
use crate::api::{Api, ApiError};
use crate::args::{self, Output};
use crate::bundle::Bundle;
use crate::output;

/// The namespace's jobs.
pub(crate) async fn jobs(api: &Api, args: &args::Jobs) -> Result<()> {
    let list: JobList = api.get(&api.path(&["jobs"])).await?;
    let nothing = format!(
        "no jobs in namespace `{}`: `wharf run PATH` runs one, `wharf deploy PATH` one with a schedule",
        args.scope.namespace
    );
    output::list(args.client.output, &list, &list.jobs, jobs_table, &nothing)?;
    Ok(())
}

fn jobs_table(jobs: &[Job]) -> String {
    let header = [
        "JOB",
        "SCHEDULE",
        "TIME ZONE",
        "STATUS",
        "NEXT RUN",
        "ACTIVE",
        "LAST RUN",
        "AGE",
    ];
    output::table(header, jobs.iter().map(job_row))
}

fn job_row(job: &Job) -> [String; 8] {
    let schedule = job.schedule.as_ref();
    let dash = || "-".to_owned();
    let of_schedule = |text: fn(&JobSchedule) -> String| schedule.map_or_else(dash, text);
    [
        job.job_name.clone(),
        of_schedule(|schedule| schedule.expression.clone()),
        of_schedule(|schedule| schedule.time_zone.clone()),
        of_schedule(|schedule| output::name(&schedule.status)),
        of_schedule(next_run),
        job.active_runs.to_string(),
        job.last_run.as_ref().map_or_else(dash, last_run),
        job.last_run
            .as_ref()
            .map_or_else(dash, |run| output::age(run.created_at)),
    ]
}

fn last_run(run: &LastRun) -> String {
    format!("{} {}", run.number, output::name(&run.state))
}

/// The next time, by the schedule's own clocks.
pub(crate) fn next_run(schedule: &JobSchedule) -> String {
    match schedule.next_run_at {
        Some(time) => local(time, &schedule.time_zone),
        None => "-".to_owned(),
    }
}

fn local(time: Timestamp, zone: &str) -> String {
    match TimeZone::get(zone) {
        Ok(zone) => time.to_zoned(zone).strftime("%Y-%m-%d %H:%M %:z").to_string(),
        // The server knows a zone that this machine doesn't.
        Err(_) => output::time(time),
    }
}

/// Cancel one run, or all of a job's that go on.
pub(crate) async fn cancel(api: &Api, args: &args::Cancel) -> Result<()> {
    let job = args.run.job.as_str();
    let numbers = match args.run.number {
        Some(number) => vec![number],
        None => active(api, job).await?,
    };
    if numbers.is_empty() {
        bail!("no run of {job} goes on: `wharf describe job {job}` shows those that have ended");
    }
    for number in numbers {
        let run = cancel_run(api, job, number, args.reason.clone()).await?;
        output::answer(args.client.output, &run, |run| match run.state {
            RunState::InProgress => format!(
                "{0}: stopping; `wharf describe run {0}` shows how it goes",
                run.name
            ),
            state => format!("{}: {}", run.name, output::name(&state)),
        })?;
    }
    Ok(())
}

async fn active(api: &Api, job: &str) -> Result<Vec<u64>> {
    let described: JobDescription = api.get(&api.path(&["jobs", job])).await?;
    let runs = described.runs.iter().rev();
    let active = runs.filter(|run| run.state == RunState::InProgress);
    Ok(active.map(|run| run.number).collect())
}

/// Ask for a run to end.
pub(crate) async fn cancel_run(api: &Api, job: &str, number: u64, reason: Option<String>) -> Result<Run> {
    let path = api.path(&["jobs", job, "runs", &number.to_string(), "cancel"]);
    Ok(api.send(Method::POST, &path, &CancelRun { reason }).await?)
}

/// Suspend a job's schedule, or have it go on; `no_service` is what is wrong if there is no job of the name either.
pub(crate) async fn set_schedule(
    api: &Api,
    args: &args::Pause,
    status: ScheduleStatus,
    no_service: ApiError,
) -> Result<()> {
    let path = api.path(&["jobs", &args.name]);
    let job: Job = match api.send(Method::PATCH, &path, &UpdateJob { status }).await {
        Err(error) if error.is_not_found() => return Err(no_service.into()),
        job => job?,
    };
    output::answer(args.client.output, &job, |job| match status {
        ScheduleStatus::Paused => format!("{}: paused; `wharf continue {0}` has it run again", job.job_name),
        ScheduleStatus::Active => {
            let next = job.schedule.as_ref().map(next_run).unwrap_or_default();
            format!("{}: goes on; next run: {next}", job.job_name)
        }
    })?;
    Ok(())
}

/// Have a job run by its schedule.
pub(crate) async fn deploy(api: &Api, bundle: &Bundle, format: Output) -> Result<()> {
    let progress = Progress::shown();
    let deployed = send(api, bundle, &progress).await;
    progress.end();
    output::answer(format, &deployed?, scheduled)?;
    Ok(())
}

async fn send(api: &Api, bundle: &Bundle, progress: &Progress) -> Result<Job> {
    let request = CreateDeployment {
        bundle: upload(api, bundle, progress).await?.digest,
        manifest: bundle.manifest_json()?,
    };
    api.send(Method::PUT, &api.path(&["jobs", bundle.name()]), &request)
        .await
        .map_err(|error| bundle.refused(error))
}

fn scheduled(job: &Job) -> String {
    let Some(schedule) = &job.schedule else {
        return format!("{}: it has no schedule", job.job_name);
    };
    let what = match job.unchanged {
        true => "was scheduled already",
        false => "is scheduled",
    };
    let head = format!(
        "{} {what}: {} ({})",
        schedule.task_definition, schedule.expression, schedule.time_zone
    );
    match schedule.status {
        ScheduleStatus::Active => format!("{head}\nnext run: {}", next_run(schedule)),
        ScheduleStatus::Paused => format!(
            "{head}\npaused: `wharf continue {}` has it run again",
            job.job_name
        ),
    }
}
