//! A server with one service and nothing to do.

use anyhow::Result;

use super::super::accounting::{resident_mib, share_during};
use super::super::{Bench, Row, example};
use super::row;

pub(crate) fn run(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let stage = bench.stage()?;
    stage.server.wharf(&["deploy", &example("hello")])?;
    bench.until_up(&stage.target("hello", "/"))?;
    let server = stage.server.id();
    let (share, ()) = share_during(server, || bench.pause(bench.seconds()))?;
    let resident = resident_mib(server)?;
    Ok(vec![
        row(
            "idle with one service: resident memory",
            "≤ 80 MiB",
            format!("{resident:.1} MiB"),
            resident <= 80.0,
        ),
        row(
            "idle with one service: CPU (its health check included)",
            "≤ 0.5 % of a core",
            format!("{:.2} %", share * 100.0),
            share <= 0.005,
        ),
    ])
}
