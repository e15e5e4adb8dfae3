//! `wharf run`: a job as if it ran here. Its output is ours, its exit code is ours, Ctrl-C stops it.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use futures_util::future::try_join_all;
use http::Method;
use wharf_control::api::types::{LogLine, LogStream, RunTask, StopTask, Task, TaskList, TaskOverrides};
use wharf_runtime::{Bytes, CpuUnits};

use super::deploy::{Progress, upload};
use crate::api::{Api, ApiError, Lines, escape};
use crate::args::{self, Output, Overrides};
use crate::bundle::Bundle;
use crate::exit::{self, Usage};
use crate::output;

/// Run a job to its end.
pub(crate) async fn run(api: &Api, args: &args::Run) -> Result<ExitCode> {
    let request = request(api, args).await?;
    let started: TaskList = api.send(Method::POST, &api.path(&["tasks"]), &request).await?;
    let follow = try_join_all(
        started
            .tasks
            .iter()
            .map(|task| follow(api, task, args.client.output)),
    );
    let ended = tokio::select! {
        ended = follow => ended?,
        () = stop_on_interrupt(api, &started.tasks) => bail!("interrupted twice: the tasks may still be stopping"),
    };
    match ended.iter().find(|task| task.exit_code != Some(0)) {
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

/// A path that exists is bundled and sent; anything else has to be a definition's name.
async fn request(api: &Api, args: &args::Run) -> Result<RunTask> {
    let path = Path::new(&args.job);
    if path.exists() {
        // A run has its own count; a job's manifest has none.
        let typed = Overrides {
            count: None,
            ..args.overrides.clone()
        };
        let bundle = Bundle::read(path, &typed)?;
        let progress = Progress::on_terminal();
        let registered = upload(api, &bundle, &progress).await;
        progress.end();
        let digest = registered?.digest;
        let overrides = TaskOverrides {
            args: words(args),
            ..TaskOverrides::default()
        };
        let manifest = Some(bundle.manifest_json()?);
        return Ok(RunTask {
            bundle: Some(digest),
            manifest,
            overrides,
            count: args.overrides.count,
            ..RunTask::default()
        });
    }
    if args.job.contains(['/', '.']) {
        return Err(Usage(format!("{} does not exist", args.job)).into());
    }
    let overrides = overrides(&args.overrides, words(args));
    Ok(RunTask {
        task_definition: Some(args.job.clone()),
        overrides,
        count: args.overrides.count,
        ..RunTask::default()
    })
}

fn words(args: &args::Run) -> Option<Vec<String>> {
    (!args.args.is_empty()).then(|| args.args.clone())
}

fn overrides(typed: &Overrides, args: Option<Vec<String>>) -> TaskOverrides {
    TaskOverrides {
        args,
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

/// Stream a task's output until it has stopped; its last state.
async fn follow(api: &Api, task: &Task, format: Output) -> Result<Task> {
    let family = task.task_definition.split(':').next().unwrap_or_default();
    let path = format!(
        "{}?task={}&follow=true",
        api.path(&["logs", family]),
        escape(&task.task_id)
    );
    let mut lines: Lines<LogLine> = api.lines(&path).await?;
    while let Some(line) = lines.next().await? {
        print(&line, format).context("cannot write the job's output")?;
    }
    let stopped = stopped(api, &task.task_id).await?;
    if format == Output::Json {
        output::say(output::json_line(&stopped))?;
    }
    Ok(stopped)
}

/// The log ends when the task has; its record may follow a moment later.
async fn stopped(api: &Api, id: &str) -> Result<Task, ApiError> {
    let mut states: Lines<Task> = api
        .lines(&format!("{}?follow=true", api.path(&["tasks", id])))
        .await?;
    let mut last = None;
    while let Some(task) = states.next().await? {
        last = Some(task);
    }
    match last {
        Some(task) => Ok(task),
        None => api.get(&api.path(&["tasks", id])).await,
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

/// The first Ctrl-C stops the tasks, whose end is then awaited as ever; the second ends this.
#[expect(clippy::print_stderr, reason = "standard output is the job's")]
async fn stop_on_interrupt(api: &Api, tasks: &[Task]) {
    if tokio::signal::ctrl_c().await.is_err() {
        return std::future::pending().await;
    }
    eprintln!("stopping; Ctrl-C again leaves without waiting");
    let body = StopTask {
        reason: Some("interrupted at `wharf run`".to_owned()),
    };
    for task in tasks {
        let stopped: Result<Task, ApiError> = api
            .send(Method::POST, &api.path(&["tasks", &task.task_id, "stop"]), &body)
            .await;
        if let Err(error) = stopped {
            eprintln!("{}: {}", task.task_id, exit::told(&error.into()));
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
