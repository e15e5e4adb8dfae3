//! Connections that are kept open and say nothing.

use anyhow::{Context as _, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::super::accounting::resident_mib;
use super::super::load::Held;
use super::super::{Bench, Row};
use super::row;

const CONNECTIONS: usize = 10_000;

pub(crate) fn run(bench: &Bench<'_>) -> Result<Vec<Row>> {
    raise_open_files()?;
    let stage = bench.stage()?;
    stage.apply(
        "[[route]]\nname = \"fixed\"\nhost = [\"fixed.example\"]\n\
         fixed = { status = 200, content_type = \"text/plain\", body = \"hello\\n\" }\n",
    )?;
    let target = super::super::load::Target::get(stage.server.http, "fixed.example", "/");
    bench.until_up(&target)?;
    // What is allocated once, whatever the number of connections.
    drop(bench.runtime.block_on(Held::open(&target, 64))?);
    let before = resident_mib(stage.server.id())?;
    let held = bench.runtime.block_on(Held::open(&target, CONNECTIONS))?;
    let after = resident_mib(stage.server.id())?;
    drop(held);
    let each = (after - before) * 1024.0 / CONNECTIONS as f64;
    Ok(vec![row(
        format!("memory of an idle keep-alive connection ({CONNECTIONS} of them)"),
        "≤ 20 KiB",
        format!("{each:.1} KiB"),
        each <= 20.0,
    )])
}

fn raise_open_files() -> Result<()> {
    let limits = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limits.maximum,
        maximum: limits.maximum,
    };
    setrlimit(Resource::Nofile, raised).context("cannot raise the limit of open files")
}
