//! Services that sleep: how long the first request waits, and how soon there are enough tasks for a load.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::super::load::{at_rate, once, quantile};
use super::super::{Bench, Row, Stage};
use super::{PATIENCE, millis, row};

/// First requests that are measured.
const WAKES: usize = 200;

/// Services that sleep side by side, so that one is measured while others fall asleep again.
const SERVICES: usize = 50;

/// Requests a second of the step, and how many of them each task is to have.
const STEP: u32 = 200;
const PER_TASK: u32 = 40;

/// How often it is looked whether it is so far.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The first request of a service that sleeps, its artifact compiled.
pub(crate) fn first_request(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let stage = bench.stage()?;
    for number in 0..SERVICES {
        stage.deploy_scaling(&format!("sleeper-{number}"), "idle = \"1s\"")?;
    }
    let mut took = Vec::new();
    for round in 0..WAKES {
        let name = format!("sleeper-{}", round % SERVICES);
        stage.until_asleep(&name)?;
        let target = stage.target(&name, "/");
        let begin = Instant::now();
        let status = bench.runtime.block_on(once(&target))?;
        took.push(begin.elapsed());
        ensure!(status == 200, "{name} answered {status}");
    }
    let (half, most) = (quantile(&mut took, 0.5), quantile(&mut took, 0.99));
    let what = format!("first request to a service at zero, {WAKES} times");
    Ok(vec![
        row(
            format!("{what}: p50"),
            "≤ 3 ms",
            millis(half),
            half <= Duration::from_millis(3),
        ),
        row(
            format!("{what}: p99"),
            "≤ 10 ms",
            millis(most),
            most <= Duration::from_millis(10),
        ),
    ])
}

/// From a step in load to enough tasks for it.
pub(crate) fn step(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let stage = bench.stage()?;
    let scaling = format!("max = 10\nrequests = {PER_TASK}\ncooldown_in = \"0s\"\ncooldown_out = \"0s\"");
    stage.deploy_scaling("steps", &scaling)?;
    let target = stage.target("steps", "/");
    bench.until_up(&target)?;
    let enough = u64::from(STEP.div_ceil(PER_TASK));
    let (load, took) = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            bench
                .runtime
                .block_on(at_rate(&target, STEP, Duration::from_secs(10)))
        });
        let took = stage.until("steps", |service| healthy(service) >= enough);
        (load.join(), took)
    });
    let load = load.map_err(|_| anyhow::anyhow!("the load broke down"))??;
    let took = took?;
    let what = format!("from a step to {STEP} requests a second to {enough} tasks for it");
    Ok(vec![
        row(
            what,
            "≤ 3 s",
            format!("{:.2} s", took.as_secs_f64()),
            took <= Duration::from_secs(3),
        ),
        row(
            "requests lost meanwhile",
            "0",
            load.failed.to_string(),
            load.failed == 0,
        ),
    ])
}

fn healthy(service: &Value) -> u64 {
    service["healthyCount"].as_u64().unwrap_or_default()
}

impl Stage {
    /// Deploys `hello` with this in its `[scaling]`.
    pub(super) fn deploy_scaling(&self, name: &str, scaling: &str) -> Result<()> {
        let component = super::component("hello");
        let text = format!(
            "name = {name:?}\n[task]\ncomponent = {component:?}\ncpu = 64\nmemory = \"32MiB\"\n[scaling]\n{scaling}\n"
        );
        let path = self.data.path().join(format!("{name}.toml"));
        std::fs::write(&path, text)?;
        let output = self.server.output(&["deploy", &path.display().to_string()])?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{name}: {said}");
        Ok(())
    }

    fn until_asleep(&self, name: &str) -> Result<()> {
        let is_asleep = |service: &Value| {
            let gone = service["runningCount"] == 0 && service["pendingCount"] == 0;
            gone && service.pointer("/scaling/asleep") == Some(&Value::Bool(true))
        };
        self.until(name, is_asleep).map(drop)
    }

    /// Waits until a service is so far, and says how long that took.
    fn until(&self, name: &str, is: impl Fn(&Value) -> bool) -> Result<Duration> {
        let begin = Instant::now();
        loop {
            let output = self
                .server
                .output(&["describe", "service", name, "--output", "json"])?;
            let all: Value = serde_json::from_slice(&output.stdout)?;
            if all.get("service").is_some_and(&is) {
                return Ok(begin.elapsed());
            }
            ensure!(begin.elapsed() < PATIENCE, "{name} doesn't get so far: {all}");
            std::thread::park_timeout(LOOK_AGAIN);
        }
    }
}
