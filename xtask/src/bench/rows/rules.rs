//! What many rules cost: a request, and their replacement under load.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value, json};

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

/// Many rules against few: the request that the last of them matches.
pub(crate) fn many(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let (few, many) = (bench.stage()?, bench.stage()?);
    send(few.server.api, &change(&few, FEW, "one")?)?;
    send(many.server.api, &change(&many, MANY, "one")?)?;
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
    send(stage.server.api, &change(&stage, MANY, "one")?)?;
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
    // Ends with the rules that it began with.
    let rounds = [change(stage, MANY, "two")?, change(stage, MANY, "one")?];
    let (load, replaced) = std::thread::scope(|scope| {
        let replacing = scope.spawn(|| {
            let mut replaced = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                for change in &rounds {
                    replaced.push(send(stage.server.api, change));
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

/// What a client sends the API to replace all rules. Half of them are by host, half by path under one host, so that both
/// kinds of index are used. Made before it is sent: another machine would do that.
fn change(stage: &Stage, count: usize, body: &str) -> Result<Vec<u8>> {
    let routes: Vec<Value> = (1..=count)
        .map(|index| {
            let mut route = Map::new();
            if index % 2 == 0 {
                route.insert("host".into(), json!([format!("h{index}.example")]));
            } else {
                route.insert("host".into(), json!(["paths.example"]));
                route.insert("path".into(), json!([format!("/p{index}/*")]));
            }
            route.insert("name".into(), json!(format!("r{index}")));
            route.insert("priority".into(), json!(index));
            let fixed = json!({ "status": 200, "content_type": "text/plain", "body": body });
            route.insert("fixed".into(), fixed);
            Value::Object(route)
        })
        .collect();
    let body = json!({ "objects": { "route": routes } }).to_string();
    let token = std::fs::read_to_string(stage.data.path().join("admin-token"))?;
    let head = format!(
        "POST /v1/namespaces/default/apply HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        stage.server.api,
        token.trim(),
        body.len()
    );
    Ok([head.into_bytes(), body.into_bytes()].concat())
}

/// Sends a change, and says how long it took from being checked until it was in force, in milliseconds.
fn send(api: SocketAddr, change: &[u8]) -> Result<f64> {
    let mut stream = TcpStream::connect(api)?;
    stream.write_all(change)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("the API's answer has no end of a head")?;
    ensure!(
        head.starts_with("HTTP/1.1 200"),
        "the API refused the rules: {answer}"
    );
    in_force_after(body)
}

/// Requests that the last rule but one matches, by its path.
fn last(stage: &Stage, count: usize) -> Target {
    let path = format!("/p{}/x", count - 1);
    Target::get(stage.server.http, "paths.example", &path)
}

/// What the API says of the time from a checked change to its being in force, in milliseconds.
fn in_force_after(said: &str) -> Result<f64> {
    let said: Value = serde_json::from_str(said)?;
    let millis = said
        .get("inForceAfterMs")
        .and_then(serde_json::Value::as_f64)
        .context("the API does not say how long it took")?;
    ensure!(millis >= 0.0 && Duration::from_secs_f64(millis / 1000.0) < Duration::from_secs(60));
    Ok(millis)
}
