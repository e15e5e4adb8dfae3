//! A quiet service beside spinning ones.

use std::time::Duration;

use anyhow::Result;

use super::super::load::at_rate;
use super::super::{Bench, Row, example};
use super::{millis, row};

const RATE: u32 = 100;
const SPINNERS: usize = 3;

pub(crate) fn run(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let stage = bench.stage()?;
    stage.server.wharf(&["deploy", &example("hello")])?;
    for number in 0..SPINNERS {
        stage.deploy(&format!("spin-{number}"), "crunch", 256, "64MiB")?;
    }
    let hello = stage.target("hello", "/");
    bench.until_up(&hello)?;
    let mut alone = bench.runtime.block_on(at_rate(&hello, RATE, bench.seconds()))?;
    let spinning: Vec<_> = (0..SPINNERS)
        .map(|number| bench.hold(&stage.target(&format!("spin-{number}"), "/spin"), 1))
        .collect();
    bench.pause(Duration::from_secs(1))?;
    let mut beside = bench.runtime.block_on(at_rate(&hello, RATE, bench.seconds()))?;
    drop(spinning);
    let (before, after) = (alone.quantile(0.99), beside.quantile(0.99));
    let allowed = (before * 3).max(before + Duration::from_millis(5));
    let failed = alone.failed + beside.failed;
    Ok(vec![row(
        format!("hello's p99 at {RATE} req/s beside {SPINNERS} spinning tasks of 256"),
        format!("≤ {} (alone {}), no errors", millis(allowed), millis(before)),
        format!("{}, {failed} errors", millis(after)),
        after <= allowed && failed == 0,
    )])
}
