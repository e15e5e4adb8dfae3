//! CPU per request beside `wasmtime serve`: the same component, the same load, in turn.

use std::net::SocketAddr;

use anyhow::Result;

use super::super::load::Target;
use super::super::peer::{WasmtimeServe, wasmtime};
use super::super::{Bench, Row, component, median};
use super::edge::micros_per_request;
use super::row;

pub(crate) fn run(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let stage = bench.stage()?;
    // A whole machine's worth of CPU: this is about the cost of a request, not about the cap.
    stage.deploy("hello", "hello", 2048, "256MiB")?;
    let peer = WasmtimeServe::start(&wasmtime()?, &component("hello"))?;
    let (ours, theirs) = (target(stage.server.http), target(peer.address));
    bench.until_up(&ours)?;
    bench.until_up(&theirs)?;
    let (mut us, mut them) = (Vec::new(), Vec::new());
    // In turn, so that whatever else the machine does falls on both.
    for _ in 0..bench.options.repeat {
        us.push(micros_per_request(bench, stage.server.id(), &ours)?);
        them.push(micros_per_request(bench, peer.id(), &theirs)?);
    }
    let (us, them) = (median(&mut us), median(&mut them));
    Ok(vec![row(
        "CPU per request, hello, fresh instance, log on, against `wasmtime serve`",
        "≤ 0.6 ×",
        format!("{:.2} × ({us:.1} µs against {them:.1} µs)", us / them),
        us <= 0.6 * them,
    )])
}

fn target(address: SocketAddr) -> Target {
    Target::get(address, "hello.localhost", "/")
}
