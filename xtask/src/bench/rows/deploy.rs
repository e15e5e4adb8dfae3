//! From `wharf deploy` to the first answer.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::super::{Bench, Row, Stage, example, median};
use super::{millis, row};

pub(crate) fn run(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let (mut cold, mut known) = (Vec::new(), Vec::new());
    for _ in 0..bench.options.repeat {
        // A data directory that has never seen the component, and then one that has.
        let stage = bench.stage()?;
        cold.push(deploy(bench, &stage)?);
        stage.server.wharf(&["delete", "hello"])?;
        known.push(deploy(bench, &stage)?);
    }
    let (cold, known) = (median(&mut cold), median(&mut known));
    let show = |seconds| millis(Duration::from_secs_f64(seconds));
    Ok(vec![
        row(
            "deploy hello → first 200, with compilation",
            "≤ 1 s",
            show(cold),
            cold <= 1.0,
        ),
        row(
            "deploy hello → first 200, component known",
            "≤ 150 ms",
            show(known),
            known <= 0.15,
        ),
    ])
}

fn deploy(bench: &Bench<'_>, stage: &Stage) -> Result<f64> {
    let begin = Instant::now();
    stage.server.wharf(&["deploy", &example("hello")])?;
    bench.until_up(&stage.target("hello", "/"))?;
    Ok(begin.elapsed().as_secs_f64())
}
