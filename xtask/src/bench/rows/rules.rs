//! What many rules cost: a request, and their replacement under load.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::super::load::{Outcome, Target, at_rate};
use super::super::{Bench, Row, Stage, median};
use super::edge::micros_per_request;
use super::row;

const FEW: usize = 10;
const MANY: usize = 10_000;

/// Requests a second while rules are replaced.
const RATE: u32 = 500;

/// From one replacement to the next.
const APART: Duration = Duration::from_secs(1);

/// How low the client ranks that sends the rules: it stands for another machine, and takes no core from the server.
const CLIENT_NICENESS: i32 = 19;

/// Many rules against few: the request that the last of them matches.
pub(crate) fn many(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let (few, many) = (bench.stage()?, bench.stage()?);
    few.apply(&rules(FEW, "one"))?;
    many.apply(&rules(MANY, "one"))?;
    let (few_target, many_target) = (last(&few, FEW), last(&many, MANY));
    bench.until_up(&few_target)?;
    bench.until_up(&many_target)?;
    let (mut with_few, mut with_many) = (Vec::new(), Vec::new());
    for _ in 0..bench.options.repeat {
        with_few.push(micros_per_request(bench, few.server.id(), &few_target)?);
        with_many.push(micros_per_request(bench, many.server.id(), &many_target)?);
    }
    let (with_few, with_many) = (median(&mut with_few), median(&mut with_many));
    Ok(vec![row(
        format!("CPU per request with {MANY} rules, against {FEW}"),
        "≤ 1.15 ×",
        format!(
            "{:.2} × ({with_many:.1} µs against {with_few:.1} µs)",
            with_many / with_few
        ),
        with_many <= 1.15 * with_few,
    )])
}

/// Replaces all of them while requests come.
pub(crate) fn swap(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let stage = bench.stage()?;
    stage.apply(&rules(MANY, "one"))?;
    let target = last(&stage, MANY);
    bench.until_up(&target)?;
    let (mut before, mut beside) = (Vec::new(), Vec::new());
    let (mut took, mut lost) = (Vec::new(), 0);
    // In turn, so that whatever else the machine does falls on both.
    for _ in 0..bench.options.repeat {
        let mut quiet = bench.runtime.block_on(at_rate(&target, RATE, bench.seconds()))?;
        let mut load = beside_swaps(bench, &stage, &target, &mut took)?;
        lost += quiet.failed + load.failed;
        before.push(quiet.quantile(0.99).as_secs_f64());
        beside.push(load.quantile(0.99).as_secs_f64());
    }
    let rounds = took.len();
    let (swap, before, beside) = (median(&mut took), median(&mut before), median(&mut beside));
    Ok(vec![
        row(
            format!("swapping {MANY} rules under load"),
            "≤ 100 ms",
            format!("{swap:.0} ms"),
            swap <= 100.0,
        ),
        row("requests lost meanwhile", "0", lost.to_string(), lost == 0),
        row(
            format!("p99 meanwhile, with {rounds} of them a second apart"),
            "≤ 1.2 × without",
            format!(
                "{:.2} × ({:.1} ms against {:.1} ms)",
                beside / before,
                beside * 1e3,
                before * 1e3
            ),
            beside <= 1.2 * before,
        ),
    ])
}

/// What becomes of requests while rules are replaced, and how long each time `took`, in milliseconds.
fn beside_swaps(bench: &Bench<'_>, stage: &Stage, target: &Target, took: &mut Vec<f64>) -> Result<Outcome> {
    let is_over = AtomicBool::new(false);
    let (load, replaced) = std::thread::scope(|scope| {
        let replacing = scope.spawn(|| {
            // Of this thread and of what it starts; refused, both compete as equals.
            let _ = rustix::process::nice(CLIENT_NICENESS);
            let mut replaced = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                // Ends with the text that it began with.
                for round in ["two", "one"] {
                    let said = stage.apply(&rules(MANY, round));
                    replaced.push(said.and_then(|said| in_force_after(&said)));
                    std::thread::park_timeout(APART);
                }
            }
            replaced
        });
        let load = bench.runtime.block_on(at_rate(target, RATE, bench.seconds()));
        is_over.store(true, Ordering::Relaxed);
        (load, replacing.join())
    });
    let replaced = replaced.map_err(|_| anyhow::anyhow!("the replacing broke down"))?;
    for swap in replaced {
        took.push(swap?);
    }
    load
}

/// Half of them by host, half by path under one host, so that both kinds of index are used.
fn rules(count: usize, body: &str) -> String {
    let mut text = String::new();
    for index in 1..=count {
        let condition = if index % 2 == 0 {
            format!("host = [\"h{index}.example\"]")
        } else {
            format!("host = [\"paths.example\"]\npath = [\"/p{index}/*\"]")
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "[[route]]\nname = \"r{index}\"\npriority = {index}\n{condition}\n\
             fixed = {{ status = 200, content_type = \"text/plain\", body = \"{body}\" }}"
        );
    }
    text
}

/// Requests that the last rule but one matches, by its path.
fn last(stage: &Stage, count: usize) -> Target {
    let path = format!("/p{}/x", count - 1);
    Target::get(stage.server.http, "paths.example", &path)
}

/// What `wharf apply` says of the time from a checked change to its being in force, in milliseconds.
fn in_force_after(said: &str) -> Result<f64> {
    let said: serde_json::Value = serde_json::from_str(said)?;
    let millis = said
        .get("inForceAfterMs")
        .and_then(serde_json::Value::as_f64)
        .context("`wharf apply` does not say how long it took")?;
    ensure!(millis >= 0.0 && Duration::from_secs_f64(millis / 1000.0) < Duration::from_secs(60));
    Ok(millis)
}
