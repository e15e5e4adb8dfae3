//! `wharf run`: a job as if it ran here. Its output is ours, its exit code is ours, and what ends us stops it.

mod interrupts;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use futures_util::future::{try_join, try_join_all};
use http::Method;
use wharf_control::api::types::{
    LogLine, LogStream, RunTask, StopTask, Task, TaskList, TaskOverrides, TaskStatus,
};
use wharf_runtime::{Bytes, CpuUnits};

use interrupts::Interrupts;

use super::deploy::{Progress, upload};
use crate::api::{Api, ApiError, Lines, escape};
use crate::args::{self, Output, Overrides};
use crate::bundle::Bundle;
use crate::exit::{self, Usage};
use crate::output;

/// Run a job to its end.
pub(crate) async fn run(api: &Api, args: &args::Run) -> Result<ExitCode> {
    let request = request(api, args).await?;
    let mut interrupts = Interrupts::listen().context("cannot listen for signals")?;
    let path = api.path(&["tasks"]);
    let started: TaskList = tokio::select! {
        started = api.send(Method::POST, &path, &request) => started?,
        () = interrupts.twice() => bail!("interrupted twice: whether the server runs the job is not known"),
    };
    let tasks = &started.tasks;
    let follow = try_join_all(tasks.iter().map(|task| follow(api, task, args.client.output)));
    let ended = tokio::select! {
        ended = follow => ended,
        () = stop_on_interrupt(api, tasks, &mut interrupts) => {
            bail!("interrupted twice: the tasks may still be stopping")
        }
    };
    if ended.as_ref().is_err_and(|error| error.is::<Unwritable>()) {
        stop(api, tasks, "nobody reads its output at `wharf run` any more").await;
    }
    match ended?.iter().find(|task| task.exit_code != Some(0)) {
        None => Ok(ExitCode::SUCCESS),
        Some(task) => failed(task),
    }
}

/// A task that ended by itself has a code; any other has a reason.
fn failed(task: &Task) -> Result<ExitCode> {
    match (task.exit_code, &task.stopped_reason) {
        (Some(code), _) => Ok(exit::of_job(code)),
        (None, Some(reason)) => bail!("{}: {}", task.task_id, output::harmless(reason)),
        (None, None) => bail!("{} stopped without an exit code", task.task_id),
    }
}

/// A path that exists is bundled and sent; anything else has to be a definition's name. What is typed over it is
/// this run's only.
async fn request(api: &Api, args: &args::Run) -> Result<RunTask> {
    args.overrides
        .typed()
        .check()
        .map_err(|error| Usage(error.to_string()))?;
    let run = RunTask {
        overrides: overrides(args),
        count: args.overrides.count,
        ..RunTask::default()
    };
    let path = Path::new(&args.job);
    if path.exists() {
        let bundle = Bundle::read(path, &Overrides::default())?;
        let progress = Progress::on_terminal();
        let registered = upload(api, &bundle, &progress).await;
        progress.end();
        return Ok(RunTask {
            bundle: Some(registered?.digest),
            manifest: Some(bundle.manifest_json()?),
            ..run
        });
    }
    if args.job.contains(['/', '.']) {
        return Err(Usage(format!("{} does not exist", args.job)).into());
    }
    Ok(RunTask {
        task_definition: Some(args.job.clone()),
        ..run
    })
}

fn overrides(args: &args::Run) -> TaskOverrides {
    let typed = &args.overrides;
    TaskOverrides {
        args: (!args.args.is_empty()).then(|| args.args.clone()),
        environment: typed
            .env
            .iter()
            .map(|env| (env.name.to_string(), env.value.clone()))
            .collect(),
        secrets: typed
            .secret
            .iter()
            .map(|secret| (secret.name.to_string(), secret.reference.to_string()))
            .collect(),
        cpu: typed.cpu.map(CpuUnits::get),
        memory_bytes: typed.memory.map(Bytes::get),
    }
}

/// Stream a task's output, and what it waits for before there is any, until it has stopped; its last state.
async fn follow(api: &Api, task: &Task, format: Output) -> Result<Task> {
    let (stopped, ()) = try_join(states(api, task), output(api, task, format)).await?;
    if format == Output::Json {
        output::say(output::json_line(&stopped)).map_err(Unwritable)?;
    }
    Ok(stopped)
}

async fn output(api: &Api, task: &Task, format: Output) -> Result<()> {
    let family = task.task_definition.split(':').next().unwrap_or_default();
    let path = format!(
        "{}?task={}&follow=true",
        api.path(&["logs", family]),
        escape(&task.task_id)
    );
    let mut lines: Lines<LogLine> = api.lines(&path).await?;
    while let Some(line) = lines.next().await? {
        print(&line, format).map_err(Unwritable)?;
    }
    Ok(())
}

/// The job's output has nowhere to go.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the job's output")]
struct Unwritable(#[source] io::Error);

/// Look on until the task has stopped. Until it runs, each state that has a reason is said, and then how the wait
/// went on; a job that needn't wait is as silent as any program.
#[expect(clippy::print_stderr, reason = "standard output is the job's")]
async fn states(api: &Api, task: &Task) -> Result<Task> {
    let path = format!("{}?follow=true", api.path(&["tasks", &task.task_id]));
    let mut states: Lines<Task> = api.lines(&path).await?;
    let (mut last, mut waited, mut said) = (None, false, String::new());
    while let Some(task) = states.next().await? {
        let begins = matches!(
            task.last_status,
            TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Activating
        );
        let text = state(&task);
        if (begins && task.reason.is_some() || waited) && text != said {
            eprintln!("{text}");
            said = text;
        }
        waited = begins && (waited || task.reason.is_some());
        last = Some(task);
    }
    match last {
        Some(task) => Ok(task),
        // It ended before it was looked at.
        None => Ok(api.get(&api.path(&["tasks", &task.task_id])).await?),
    }
}

/// `job report-01234567 is PENDING: there is no secret …`
fn state(task: &Task) -> String {
    let family = task.task_definition.split(':').next().unwrap_or_default();
    let text = format!(
        "job {family}-{} is {}",
        task.short_id,
        output::name(&task.last_status)
    );
    match &task.reason {
        Some(reason) => format!("{text}: {}", output::harmless(reason)),
        None => text,
    }
}

/// Each stream goes where the job sent it; what the system says joins standard error.
fn print(line: &LogLine, format: Output) -> io::Result<()> {
    if format == Output::Json {
        return writeln!(io::stdout(), "{}", output::json_line(line));
    }
    match line.stream {
        LogStream::Stdout => writeln!(io::stdout(), "{}", super::follow::for_reader(&line.message)),
        LogStream::Stderr => writeln!(io::stderr(), "{}", super::follow::for_reader(&line.message)),
        LogStream::System => writeln!(
            io::stderr(),
            "wharf: {}",
            super::follow::for_reader(&line.message)
        ),
    }
}

/// The first signal stops the tasks, whose end is then awaited as ever; the second ends this.
#[expect(clippy::print_stderr, reason = "standard output is the job's")]
async fn stop_on_interrupt(api: &Api, tasks: &[Task], interrupts: &mut Interrupts) {
    interrupts.once().await;
    eprintln!("stopping; Ctrl-C again leaves without waiting");
    stop(api, tasks, "interrupted at `wharf run`").await;
    interrupts.twice().await;
}

#[expect(clippy::print_stderr, reason = "standard output is the job's")]
async fn stop(api: &Api, tasks: &[Task], reason: &str) {
    let body = StopTask {
        reason: Some(reason.to_owned()),
    };
    for task in tasks {
        let stopped: Result<Task, ApiError> = api
            .send(Method::POST, &api.path(&["tasks", &task.task_id, "stop"]), &body)
            .await;
        if let Err(error) = stopped {
            eprintln!("{}: {}", task.task_id, exit::told(&error.into()));
        }
    }
}
