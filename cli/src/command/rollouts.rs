//! `wharf rollback`, `wharf abort`, `wharf pause` and `wharf continue`.

use std::time::Duration;

use anyhow::{Result, bail};
use http::Method;
use tokio::time::Instant;
use wharf_control::api::types::{Deployment, RollBack, RolloutState, ScheduleStatus};

use super::deploy::{Progress, follow, steady, unsteady};
use super::jobs;
use crate::api::{Api, ApiError};
use crate::args::{self, Output};
use crate::output::{self, name};

/// Bring a service back to an earlier revision, and wait until it is there.
pub(crate) async fn rollback(api: &Api, args: &args::Rollback) -> Result<()> {
    let ask = RollBack { revision: args.to };
    let path = api.path(&["services", &args.name, "rollback"]);
    let begun: Deployment = api.send(Method::POST, &path, &ask).await?;
    let ended = look_on(api, begun, args.timeout).await?;
    if ended.rollout_state == RolloutState::Completed {
        return Ok(output::answer(args.client.output, &ended, steady)?);
    }
    if args.client.output == Output::Json {
        output::answer(args.client.output, &ended, steady)?;
    }
    bail!(unsteady(&ended))
}

/// Give up the deployment in progress, and wait until the service is back.
pub(crate) async fn abort(api: &Api, args: &args::Abort) -> Result<()> {
    let ended: Deployment = intervene(api, &args.name, "abort").await?;
    if let Some(id) = &ended.rolled_back_by {
        let back: Deployment = api.get(&api.path(&["deployments", id])).await?;
        let back = look_on(api, back, args.timeout).await?;
        if back.rollout_state != RolloutState::Completed {
            bail!(unsteady(&back));
        }
    }
    output::answer(args.client.output, &ended, |ended| match &ended.replaces {
        Some(before) if ended.rolled_back_by.is_some() => format!(
            "{}: aborted, {} is running",
            ended.task_definition, before.task_definition
        ),
        _ => format!(
            "{}: aborted; nothing ran before it, so nothing runs",
            ended.task_definition
        ),
    })?;
    Ok(())
}

/// Hold the deployment in progress; of what is no service but a job, the schedule.
pub(crate) async fn pause(api: &Api, args: &args::Pause) -> Result<()> {
    let held: Deployment = match intervene(api, &args.name, "pause").await {
        Err(error) if error.is_not_found() => {
            return jobs::set_schedule(api, args, ScheduleStatus::Paused, error).await;
        }
        held => held?,
    };
    output::answer(args.client.output, &held, |held| {
        format!(
            "{}: paused in {}; `wharf continue {}` lets it go on",
            held.task_definition,
            name(&held.stage),
            held.service_name
        )
    })?;
    Ok(())
}

/// Let the deployment or the schedule go on that is held.
pub(crate) async fn resume(api: &Api, args: &args::Pause) -> Result<()> {
    let goes_on: Deployment = match intervene(api, &args.name, "continue").await {
        Err(error) if error.is_not_found() => {
            return jobs::set_schedule(api, args, ScheduleStatus::Active, error).await;
        }
        goes_on => goes_on?,
    };
    output::answer(args.client.output, &goes_on, |goes_on| {
        format!(
            "{}: goes on with {}; `wharf describe deployment {}` shows how it goes",
            goes_on.task_definition,
            name(&goes_on.stage),
            goes_on.id
        )
    })?;
    Ok(())
}

async fn intervene(api: &Api, service: &str, what: &str) -> Result<Deployment, ApiError> {
    let path = api.path(&["services", service, what]);
    api.send(Method::POST, &path, &()).await
}

async fn look_on(api: &Api, begun: Deployment, seconds: u64) -> Result<Deployment> {
    let progress = Progress::shown();
    let until = Instant::now() + Duration::from_secs(seconds);
    let ended = follow(api, begun, &progress, until).await;
    progress.end();
    ended
}
