//! CPU shares of spinning tasks, from the operating system's accounting and the tasks' own.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::super::accounting::share_during;
use super::super::{Bench, Row, Stage};
use super::row;

/// Time for a spinning task to use up the burst it had saved while idle.
const SETTLE: Duration = Duration::from_secs(1);

pub(crate) fn run(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let stage = bench.stage()?;
    let mut rows = Vec::new();

    stage.deploy("crunch", "crunch", 256, "64MiB")?;
    let spinning = bench.hold(&stage.target("crunch", "/spin"), 2);
    bench.pause(SETTLE)?;
    let (share, ()) = share_during(stage.server.id(), || bench.pause(bench.seconds()))?;
    drop(spinning);
    rows.push(share_row(
        "cpu = 256, spinning: share of a vCPU, whole process",
        share,
        0.25,
    ));
    stage.server.wharf(&["delete", "crunch"])?;

    stage.deploy("small", "crunch", 128, "64MiB")?;
    stage.deploy("large", "crunch", 512, "64MiB")?;
    let spinning = (
        bench.hold(&stage.target("small", "/spin"), 2),
        bench.hold(&stage.target("large", "/spin"), 2),
    );
    bench.pause(SETTLE)?;
    let (begin, before) = (
        Instant::now(),
        (cpu_used(&stage, "small")?, cpu_used(&stage, "large")?),
    );
    bench.pause(bench.seconds())?;
    let (after, wall) = (
        (cpu_used(&stage, "small")?, cpu_used(&stage, "large")?),
        begin.elapsed(),
    );
    drop(spinning);
    let share = |after: f64, before: f64| (after - before) / wall.as_secs_f64();
    rows.push(share_row(
        "cpu = 128 beside 512, spinning: its share",
        share(after.0, before.0),
        0.125,
    ));
    rows.push(share_row(
        "cpu = 512 beside 128, spinning: its share",
        share(after.1, before.1),
        0.5,
    ));
    Ok(rows)
}

/// CPU seconds the service's task has used, by its own account.
fn cpu_used(stage: &Stage, service: &str) -> Result<f64> {
    let output = stage.server.output(&["ps", "--output", "json"])?;
    let text = String::from_utf8(output.stdout)?;
    let list: serde_json::Value = serde_json::from_str(&text).context("`wharf ps` printed no JSON")?;
    let tasks = list
        .get("tasks")
        .unwrap_or(&list)
        .as_array()
        .context("no list of tasks")?;
    let group = format!("service:{service}");
    let task = tasks
        .iter()
        .find(|task| task.get("group").and_then(|name| name.as_str()) == Some(&group));
    let used = task
        .and_then(|task| task.get("cpuUsedMs"))
        .and_then(serde_json::Value::as_f64);
    Ok(used.with_context(|| format!("no CPU figure of {service} in {text}"))? / 1000.0)
}

fn share_row(what: &str, share: f64, wanted: f64) -> Row {
    let off = share / wanted - 1.0;
    row(
        what,
        format!("{wanted} ± 12 %"),
        format!("{share:.3} ({:+.1} %)", off * 100.0),
        off.abs() <= 0.12,
    )
}
