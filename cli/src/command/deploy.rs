//! `wharf deploy`: read the manifest, send what the server does not have, ask for the rollout, and look on until
//! it has ended, one way or the other.

mod progress;

use std::time::Duration;

use anyhow::{Result, bail};
use futures_util::TryStreamExt as _;
use http::Method;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::time::{Instant, timeout_at};
use tokio_util::io::ReaderStream;
use wharf_control::api::types::{
    Bundle as Registered, ChangedPart, CreateDeployment, Deployment, RegisterBundle, RolloutStage,
    RolloutState,
};
use wharf_control::manifest::PackagedFile;

pub(crate) use progress::Progress;

use crate::api::{Api, Lines};
use crate::args::{self, Output};
use crate::bundle::Bundle;
use crate::output;

/// Deploy and wait.
pub(crate) async fn deploy(api: &Api, args: &args::Deploy) -> Result<()> {
    let bundle = Bundle::read(&args.path, &args.overrides)?;
    if bundle.is_job() {
        return super::jobs::deploy(api, &bundle, args.client.output).await;
    }
    let progress = Progress::shown();
    let outcome = roll_out(api, &bundle, &progress, Duration::from_secs(args.timeout)).await;
    progress.end();
    let deployment = outcome?;
    match deployment.rollout_state {
        RolloutState::Completed => {
            let said = |deployment: &Deployment| changed(deployment, args, &bundle);
            Ok(output::answer(args.client.output, &deployment, said)?)
        }
        _ => {
            // Programs get the whole of it all the same.
            if args.client.output == Output::Json {
                output::answer(args.client.output, &deployment, steady)?;
            }
            bail!(unsteady(&deployment))
        }
    }
}

pub(super) fn unsteady(deployment: &Deployment) -> String {
    let Deployment {
        id,
        service_name,
        task_definition,
        rollout_state,
        rollout_state_reason,
        ..
    } = deployment;
    if *rollout_state == RolloutState::InProgress {
        return format!(
            "the server stopped telling about the deployment {id}; `wharf describe deployment {id}` shows how it went"
        );
    }
    let reason = output::harmless(rollout_state_reason);
    let back = match (&deployment.rolled_back_by, &deployment.replaces) {
        (Some(id), Some(before)) => format!(
            "\n  {} runs again, or is about to: `wharf describe deployment {id}` shows how it goes",
            before.task_definition
        ),
        _ => String::new(),
    };
    format!(
        "{task_definition} was not deployed: {reason}{back}\n  `wharf describe service {service_name}` and `wharf logs \
         {service_name}` say more"
    )
}

fn unfinished(deployment: &Deployment) -> String {
    let Deployment { service_name, .. } = deployment;
    format!(
        "the deployment has not ended, and goes on: {}\n  `wharf describe service {service_name}` shows how it goes; \
         `--timeout` is how long to look on",
        output::harmless(&state(deployment))
    )
}

pub(super) fn steady(deployment: &Deployment) -> String {
    let what = if deployment.unchanged {
        "was running already"
    } else {
        "is running"
    };
    let tasks = if deployment.desired_count == 1 {
        "task"
    } else {
        "tasks"
    };
    let head = format!(
        "{} {what}, {} {tasks}",
        deployment.task_definition, deployment.desired_count
    );
    deployment
        .urls
        .iter()
        .fold(head, |text, url| format!("{text}\n{url}"))
}

/// That it is steady, and what else of the service the deploy changed.
fn changed(deployment: &Deployment, args: &args::Deploy, bundle: &Bundle) -> String {
    let said = deployment.changes.iter().map(|change| match change.what {
        ChangedPart::DesiredCount => {
            let why = match (bundle.scales(), args.overrides.count) {
                (true, _) => "to be within the bounds of [scaling]",
                (false, Some(_)) => "as --count says",
                (false, None) => "as the manifest says",
            };
            let count = |count: Option<u32>| count.unwrap_or_default();
            format!(
                "scaled from {} to {}, {why}",
                count(change.from),
                count(change.to)
            )
        }
        ChangedPart::Scaling if bundle.scales() => "[scaling] is as the manifest says from now on".to_owned(),
        ChangedPart::Scaling => {
            "it doesn't scale by itself any more: the manifest has no [scaling]".to_owned()
        }
        ChangedPart::Deployment => "[deployment] is as the manifest says from now on".to_owned(),
    });
    said.fold(steady(deployment), |text, change| format!("{text}\n{change}"))
}

/// Send it and look on until the rollout has ended.
pub(super) async fn roll_out(
    api: &Api,
    bundle: &Bundle,
    progress: &Progress,
    patience: Duration,
) -> Result<Deployment> {
    let digest = upload(api, bundle, progress).await?.digest;
    let request = CreateDeployment {
        bundle: digest,
        manifest: bundle.manifest_json()?,
    };
    let created: Deployment = api
        .send(Method::POST, &api.path(&["deployments"]), &request)
        .await
        .map_err(|error| bundle.refused(error))?;
    follow(api, created, progress, Instant::now() + patience).await
}

/// Send what is missing and have it made a bundle; validation and compilation happen there.
pub(crate) async fn upload(api: &Api, bundle: &Bundle, progress: &Progress) -> Result<Registered> {
    for blob in bundle.blobs() {
        let path = api.path(&["blobs", blob.digest.as_ref()]);
        if !api.exists(&path).await? {
            send(api, &path, blob, progress).await?;
        }
    }
    progress.say(&format!("{}: compiling", bundle.name()));
    let request = RegisterBundle {
        component: bundle.component_digest(),
        files: bundle.mounts(),
    };
    api.send(Method::POST, &api.path(&["bundles"]), &request)
        .await
        .map_err(|error| bundle.refused(error))
}

async fn send(api: &Api, path: &str, blob: &PackagedFile, progress: &Progress) -> Result<()> {
    let name = &blob.path;
    let bar = progress.uploading(
        &format!("uploading {name} ({})", output::bytes(blob.size)),
        blob.size,
    );
    let file = tokio::fs::File::open(&blob.host).await?;
    let frames = ReaderStream::new(file).map_ok(move |chunk| {
        bar.inc(chunk.len() as u64);
        Frame::data(chunk)
    });
    let sent = api
        .upload(path, StreamBody::new(frames).boxed_unsync(), blob.size)
        .await;
    progress.uploaded();
    Ok(sent?)
}

/// Look on until the rollout has ended or our patience has, saying each thing that is new.
pub(super) async fn follow(
    api: &Api,
    created: Deployment,
    progress: &Progress,
    until: Instant,
) -> Result<Deployment> {
    let (unchanged, changes) = (created.unchanged, created.changes.clone());
    let mut last = created;
    let mut said = String::new();
    let path = format!("{}?follow=true", api.path(&["deployments", &last.id]));
    let mut states: Lines<Deployment> = api.lines(&path).await?;
    while last.rollout_state == RolloutState::InProgress {
        let now = state(&last);
        if now != said {
            progress.say(&now);
            said = now;
        }
        match timeout_at(until, states.next()).await {
            Ok(next) => match next? {
                Some(deployment) => last = deployment,
                None => break,
            },
            Err(_) => bail!(unfinished(&last)),
        }
    }
    // What the deploy came to is in the answer to it alone.
    Ok(Deployment {
        unchanged,
        changes,
        ..last
    })
}

fn state(deployment: &Deployment) -> String {
    let Deployment {
        task_definition,
        running_count,
        healthy_count,
        desired_count,
        ..
    } = deployment;
    let mut text = format!("{task_definition}: {}", stage(deployment));
    text.push_str(&format!(
        "{running_count} running, {healthy_count} healthy of {desired_count}"
    ));
    if let RolloutStage::BakeTime = deployment.stage {
        let figures = &deployment.figures;
        text.push_str(&format!(
            ", {} of {} requests failed",
            figures.errors, figures.requests
        ));
    }
    if deployment.failed_tasks > 0 {
        text.push_str(&format!(", {} failed", deployment.failed_tasks));
    }
    // That it is in progress is what every line here says.
    let reason = &deployment.rollout_state_reason;
    if !reason.is_empty() && !reason.ends_with("in progress") {
        text.push_str(&format!(": {}", output::harmless(reason)));
    }
    text
}

/// What is being done, where that isn't just starting tasks.
fn stage(deployment: &Deployment) -> String {
    let weight = deployment.figures.weight;
    let what = match (deployment.stage, weight) {
        (RolloutStage::ScaleUp, _) => String::new(),
        (RolloutStage::ScaleDown, _) => "stopping what runs, ".to_owned(),
        (RolloutStage::BakeTime, None) => "watched, ".to_owned(),
        (RolloutStage::BakeTime, Some(weight)) => format!("{weight} % of the requests, watched, "),
        (RolloutStage::CleanUp, _) => "all requests, ".to_owned(),
    };
    match deployment.paused {
        true => format!("paused, {what}"),
        false => what,
    }
}
