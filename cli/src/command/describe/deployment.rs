//! A deployment, and a service's list of them.

use wharf_control::api::types::{Deployment, RevisionFigures};

use super::fields;
use crate::output::{self, cpu_time, harmless, name};

pub(super) fn table(deployments: &[Deployment]) -> String {
    let header = [
        "DEPLOYMENT",
        "RUNS",
        "STATE",
        "DESIRED",
        "HEALTHY",
        "FAILED",
        "AGE",
        "REASON",
    ];
    output::table(
        header,
        deployments.iter().map(|deployment| {
            [
                deployment.id.clone(),
                deployment.task_definition.clone(),
                name(&deployment.rollout_state),
                deployment.desired_count.to_string(),
                deployment.healthy_count.to_string(),
                deployment.failed_tasks.to_string(),
                output::age(deployment.created_at),
                harmless(&deployment.rollout_state_reason),
            ]
        }),
    )
}

pub(super) fn text(deployment: &Deployment) -> String {
    let paused = if deployment.paused { ", paused" } else { "" };
    let replaces = deployment.replaces.as_ref();
    fields(&[
        ("Deployment", deployment.id.clone()),
        ("Service", deployment.service_name.clone()),
        ("Runs", deployment.task_definition.clone()),
        ("State", name(&deployment.rollout_state)),
        ("Reason", harmless(&deployment.rollout_state_reason)),
        ("Strategy", deployment.strategy.clone()),
        ("Stage", format!("{}{paused}", name(&deployment.stage))),
        ("New", figures(&deployment.figures)),
        ("Old", replaces.map(figures).unwrap_or_default()),
        ("Rollback of", deployment.rollback_of.clone().unwrap_or_default()),
        (
            "Rolled back by",
            deployment.rolled_back_by.clone().unwrap_or_default(),
        ),
        (
            "Tasks",
            format!(
                "{} desired, {} running, {} healthy, {} pending, {} failed",
                deployment.desired_count,
                deployment.running_count,
                deployment.healthy_count,
                deployment.pending_count,
                deployment.failed_tasks
            ),
        ),
        ("URL", deployment.urls.join(" ")),
        ("Created", output::time(deployment.created_at)),
        ("Updated", output::time(deployment.updated_at)),
    ])
}

/// `hello:3, 5 % of the requests: 120 answered, 2 of them 5xx (1.7 %), p99 3.2 ms, 1.2 s CPU`
fn figures(of: &RevisionFigures) -> String {
    let weight = of.weight.map(|weight| format!(", {weight} % of the requests"));
    let percent = match of.requests {
        0 => 0.0,
        requests => 100.0 * of.errors as f64 / requests as f64,
    };
    let p99 = of.p99_ms.map(|ms| format!(", p99 {ms:.1} ms"));
    format!(
        "{}{}: {} answered, {} of them 5xx ({percent:.1} %){}, {} CPU",
        of.task_definition,
        weight.unwrap_or_default(),
        of.requests,
        of.errors,
        p99.unwrap_or_default(),
        cpu_time(of.cpu_used_ms)
    )
}
