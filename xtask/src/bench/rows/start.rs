//! A start with many services in the store.

use std::time::Instant;

use anyhow::Result;

use super::super::{Bench, Row};
use super::row;
use crate::server::Server;

const SERVICES: usize = 200;

pub(crate) fn run(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let stage = bench.stage()?;
    println!("deploying {SERVICES} services …");
    for number in 0..SERVICES {
        stage.deploy(&format!("many-{number}"), "hello", 64, "32MiB")?;
    }
    let data = stage.data;
    stage.server.stop()?;
    let seconds = bench.median(|| {
        let begin = Instant::now();
        let server = Server::start(&bench.wharf, data.path())?;
        for number in 0..SERVICES {
            let host = format!("many-{number}.localhost");
            bench.until_up(&super::Target::get(server.http, &host, "/"))?;
        }
        let taken = begin.elapsed().as_secs_f64();
        server.stop()?;
        Ok(taken)
    })?;
    let what = format!("start with {SERVICES} services in the store → all answer");
    Ok(vec![row(
        what,
        "≤ 3 s",
        format!("{seconds:.2} s"),
        seconds <= 3.0,
    )])
}
