//! `wharf run`: a job as if it ran here. Its output is ours, its exit code is ours, and what ends us cancels it.

pub(super) mod interrupts;
#[cfg(test)]
mod tests;
mod told;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http::Method;
use wharf_control::api::types::{Attempt, LogLine, LogStream, Run, RunJob, RunState, TaskOverrides};
use wharf_runtime::{Bytes, CpuUnits};

use interrupts::Interrupts;
use told::Told;

use super::deploy::{Progress, upload};
use super::jobs::cancel_run;
use crate::api::{Api, Lines, escape};
use crate::args::{self, Output, Overrides};
use crate::bundle::Bundle;
use crate::exit::{self, Usage};
use crate::output;

/// Run a job to its end, and end as it did.
pub(crate) async fn run(api: &Api, args: &args::Run) -> Result<ExitCode> {
    outcome(&to_its_end(api, args).await?)
}

/// Run a job to its end, and show what it writes.
pub(super) async fn to_its_end(api: &Api, args: &args::Run) -> Result<Run> {
    let (request, bundle) = request(api, args).await?;
    let refused = |error| match &bundle {
        Some(bundle) => bundle.refused(error),
        None => match args.overrides.blamed(error) {
            Ok(typed) => typed.into(),
            Err(other) => other.into(),
        },
    };
    let mut interrupts = Interrupts::listen().context("cannot listen for signals")?;
    let path = api.path(&["runs"]);
    let begun: Run = tokio::select! {
        begun = api.send(Method::POST, &path, &request) => begun.map_err(refused)?,
        () = interrupts.twice() => bail!("interrupted twice: whether the server runs the job is not known"),
    };
    let ended = tokio::select! {
        ended = follow(api, &begun, args.client.output) => ended,
        () = cancel_on_interrupt(api, &begun, &mut interrupts) => {
            bail!("interrupted twice: {} may still be stopping", begun.name)
        }
    };
    match ended {
        Ok(run) => Ok(run),
        Err(error) if error.is::<Unwritable>() => {
            cancel(api, &begun, "nobody reads its output at `wharf run` any more").await;
            Err(error)
        }
        // Run again, it would run twice.
        Err(error) => bail!("{}\n  the reason: {error:#}", unseen(&begun)),
    }
}

/// What is said of a run whose end was not seen.
fn unseen(run: &Run) -> String {
    let name = &run.name;
    format!(
        "{name} was begun, and goes on when the server does: `wharf describe run {name}` shows how it went, `wharf logs {}` \
         what it wrote",
        run.job_name
    )
}

/// A run that has not succeeded ends with the code of a task that failed, where one has one, and else with its reason.
fn outcome(run: &Run) -> Result<ExitCode> {
    match (run.state, run.exit_code, &run.reason) {
        (RunState::Succeeded, ..) => Ok(ExitCode::SUCCESS),
        (RunState::InProgress, ..) => bail!("the server stopped telling about it: {}", unseen(run)),
        (_, Some(code), _) if code != 0 => Ok(exit::of_job(code)),
        (_, _, Some(reason)) => bail!("{}: {}", run.name, output::harmless(reason)),
        (_, _, None) => bail!("{} ended without an exit code", run.name),
    }
}

/// A path that exists is bundled and sent, and is to blame for what is refused; anything else has to be a definition's name.
/// What is typed over it is this run's only.
async fn request(api: &Api, args: &args::Run) -> Result<(RunJob, Option<Bundle>)> {
    args.overrides
        .typed()
        .check()
        .map_err(|error| Usage(error.to_string()))?;
    let run = RunJob {
        overrides: overrides(args),
        count: args.overrides.count,
        ..RunJob::default()
    };
    let path = Path::new(&args.job);
    if path.exists() {
        let bundle = Bundle::read(path, &Overrides::default())?;
        let progress = Progress::on_terminal();
        let registered = upload(api, &bundle, &progress).await;
        progress.end();
        let run = RunJob {
            bundle: Some(registered?.digest),
            manifest: Some(bundle.manifest_json()?),
            ..run
        };
        return Ok((run, Some(bundle.overridden(&args.overrides)?)));
    }
    if args.job.contains(['/', '.']) {
        return Err(Usage(format!("{} does not exist", args.job)).into());
    }
    let run = RunJob {
        task_definition: Some(args.job.clone()),
        ..run
    };
    Ok((run, None))
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

/// Look on until the run has ended, streaming each attempt's output as it begins; the run's last state.
async fn follow(api: &Api, begun: &Run, format: Output) -> Result<Run> {
    let path = api.path(&["jobs", &begun.job_name, "runs", &begun.number.to_string()]);
    let mut states: Lines<Run> = api.lines(&format!("{path}?follow=true")).await?;
    let mut told = Told::default();
    let mut outputs = FuturesUnordered::new();
    let mut last = begun.clone();
    let mut goes_on = true;
    while goes_on || !outputs.is_empty() {
        tokio::select! {
            state = states.next(), if goes_on => match state? {
                Some(run) => {
                    let new = told.tell(&run);
                    outputs.extend(new.into_iter().map(|attempt| output(api, begun, attempt, format)));
                    last = run;
                }
                None => goes_on = false,
            },
            Some(ended) = outputs.next() => ended?,
        }
    }
    if format == Output::Json {
        output::say(output::json_line(&last)).map_err(Unwritable)?;
    }
    Ok(last)
}

/// Stream what an attempt writes, until it has stopped.
async fn output(api: &Api, run: &Run, attempt: Attempt, format: Output) -> Result<()> {
    let path = format!(
        "{}?task={}&follow=true",
        api.path(&["logs", &run.job_name]),
        escape(&attempt.task_id)
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

/// The first signal cancels the run, whose end is then awaited as ever; the second ends this.
#[expect(clippy::print_stderr, reason = "standard output is the job's")]
async fn cancel_on_interrupt(api: &Api, run: &Run, interrupts: &mut Interrupts) {
    interrupts.once().await;
    eprintln!("stopping; Ctrl-C again leaves without waiting");
    cancel(api, run, "interrupted at `wharf run`").await;
    interrupts.twice().await;
}

#[expect(clippy::print_stderr, reason = "standard output is the job's")]
async fn cancel(api: &Api, run: &Run, reason: &str) {
    let cancelled = cancel_run(api, &run.job_name, run.number, Some(reason.to_owned())).await;
    if let Err(error) = cancelled {
        eprintln!("{}: {}", run.name, exit::told(&error));
    }
}
