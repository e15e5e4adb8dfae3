//! Deployments under load: how long an update takes, whether a request is lost, how soon a broken one is undone.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::super::load::{Outcome, Target, at_rate_until};
use super::super::{Bench, Row, Stage, component};
use super::row;

/// Tasks of the service.
const TASKS: u32 = 10;
/// Requests a second meanwhile.
const RATE: u32 = 1000;
/// Updates in a row.
const UPDATES: u32 = 10;
/// From the end of one update to the next: what an update leaves behind comes to its end under load as well.
const APART: Duration = Duration::from_millis(500);
/// Longer than a way back takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a canary gets of the requests, in percent.
const CANARY: u32 = 10;
/// What both revisions are asked: easy for one, too much CPU for the other.
const QUESTION: &str = "/?n=10000000";
/// How often it is looked whether the old revision is back.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

pub(crate) fn run(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let stage = bench.stage()?;
    write_manifest(&stage, "hello", 0, "")?;
    deploy(&stage)?;
    let target = stage.target("roll", QUESTION);
    bench.until_up(&target)?;

    let (took, load) = under_load(bench, &target, || {
        let mut longest = Duration::ZERO;
        for update in 1..=UPDATES {
            write_manifest(&stage, "hello", update, "")?;
            let begin = Instant::now();
            deploy(&stage)?;
            longest = longest.max(begin.elapsed());
            bench.pause(APART)?;
        }
        Ok(longest)
    })?;
    let mut rows = vec![
        row(
            format!("rolling update of {TASKS} tasks under {RATE} req/s, the longest of {UPDATES}"),
            "≤ 5 s",
            seconds(took),
            took <= Duration::from_secs(5),
        ),
        lost(&format!("failed requests during {UPDATES} updates"), &load),
    ];

    let (took, load) = under_load(bench, &target, || {
        // No status passes: it never becomes healthy.
        let health = "[health]\npath = \"/\"\ncodes = \"599\"\n";
        write_manifest(&stage, "hello", UPDATES + 1, health)?;
        undone(&stage)
    })?;
    rows.push(soon_undone("broken revision detected and rolled back", took));
    rows.push(lost("failed requests on the old revision meanwhile", &load));
    rows.extend(canary(bench, &stage, &target)?);
    Ok(rows)
}

/// A revision that passes its checks and fails its requests: only those that the canary gets tell.
fn canary(bench: &Bench<'_>, stage: &Stage, target: &Target) -> Result<[Row; 2]> {
    let (took, load) = under_load(bench, target, || {
        let deployment = format!("[deployment]\nstrategy = \"canary\"\nstep = {CANARY}\nbake = \"1m\"\n");
        write_manifest(stage, "crunch", UPDATES + 2, &deployment)?;
        undone(stage)
    })?;
    let all = load.failed + load.answered;
    Ok([
        soon_undone("broken canary detected and rolled back", took),
        row(
            "failed requests meanwhile, the canary's",
            format!("≤ {CANARY} %"),
            format!(
                "{:.1} % ({} of {all})",
                load.failed as f64 * 100.0 / all as f64,
                load.failed
            ),
            load.failed > 0 && load.failed * 100 <= all * u64::from(CANARY),
        ),
    ])
}

/// Deploys what is to fail; how long until the revision before is back.
fn undone(stage: &Stage) -> Result<Duration> {
    let begin = Instant::now();
    ensure!(deploy(stage).is_err(), "a broken revision was deployed");
    until_back(stage, begin)?;
    Ok(begin.elapsed())
}

fn soon_undone(what: &str, took: Duration) -> Row {
    row(what, "≤ 10 s", seconds(took), took <= Duration::from_secs(10))
}

fn write_manifest(stage: &Stage, guest: &str, version: u32, more: &str) -> Result<()> {
    let component = component(guest);
    let text = format!(
        "name = \"roll\"\n[task]\ncomponent = {component:?}\nmemory = \"16MiB\"\ncpu_timeout = \"10ms\"\n\
         env = {{ VERSION = \"{version}\" }}\n[service]\ncount = {TASKS}\n{more}"
    );
    Ok(std::fs::write(stage.data.path().join("roll.toml"), text)?)
}

fn deploy(stage: &Stage) -> Result<()> {
    let manifest = stage.data.path().join("roll.toml").display().to_string();
    let output = stage.server.output(&["deploy", &manifest])?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "it was not deployed: {said}");
    Ok(())
}

/// Waits until the deployment that undoes the broken one has ended.
fn until_back(stage: &Stage, begin: Instant) -> Result<()> {
    loop {
        let output = stage
            .server
            .output(&["describe", "service", "roll", "--output", "json"])?;
        let described: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let newest = described.pointer("/deployments/0").context("no deployments")?;
        let state = newest.get("rolloutState").and_then(serde_json::Value::as_str);
        if newest.get("rollbackOf").is_some() && state == Some("COMPLETED") {
            return Ok(());
        }
        ensure!(begin.elapsed() < PATIENCE, "it is not rolled back: {newest}");
        std::thread::park_timeout(LOOK_AGAIN);
    }
}

/// Does something while requests come, and what came of them.
fn under_load<T: Send>(
    bench: &Bench<'_>,
    target: &Target,
    during: impl FnOnce() -> Result<T> + Send,
) -> Result<(T, Outcome)> {
    let (over, is_over) = tokio::sync::oneshot::channel::<()>();
    std::thread::scope(|scope| {
        let done = scope.spawn(|| {
            let done = during();
            drop(over);
            done
        });
        let over = async {
            // Dropped, which says as much.
            let _ = is_over.await;
        };
        let load = bench.runtime.block_on(at_rate_until(target, RATE, over))?;
        let done = done.join().map_err(|_| anyhow::anyhow!("it panicked"))?;
        Ok((done?, load))
    })
}

fn lost(what: &str, load: &Outcome) -> Row {
    row(
        what,
        "0",
        format!("{} of {}", load.failed, load.failed + load.answered),
        load.failed == 0,
    )
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
