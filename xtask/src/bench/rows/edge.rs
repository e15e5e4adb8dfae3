//! The gateway beside nginx: the same answers, the same load, in turn.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::super::accounting::cpu_time_with_children;
use super::super::load::{Target, at_rate, saturate};
use super::super::nginx::Nginx;
use super::super::{Bench, Row, Stage, median};
use super::row;

/// Connections of the saturating load.
const CONNECTIONS: usize = 16;

/// Requests a second where latency is measured: far from saturation on any machine.
const RATE: u32 = 500;

/// How much dearer than nginx a request may be.
const AT_MOST: f64 = 1.5;

/// One server of a comparison: what it is asked, and whose CPU counts.
struct Contender {
    target: Target,
    process: u32,
    micros: Vec<f64>,
    p99: Vec<f64>,
}

impl Contender {
    fn new(address: SocketAddr, host: &str, process: u32) -> Self {
        Self {
            target: Target::get(address, host, "/"),
            process,
            micros: Vec::new(),
            p99: Vec::new(),
        }
    }

    fn measure(&mut self, bench: &Bench<'_>) -> Result<()> {
        self.micros
            .push(micros_per_request(bench, self.process, &self.target)?);
        let mut outcome = bench
            .runtime
            .block_on(at_rate(&self.target, RATE, bench.seconds()))?;
        ensure!(outcome.failed == 0, "{} requests failed", outcome.failed);
        self.p99.push(outcome.quantile(0.99).as_secs_f64());
        Ok(())
    }
}

/// `fixed` against `return 200`.
pub(crate) fn fixed(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let stage = bench.stage()?;
    stage.apply(
        "[[route]]\nname = \"fixed\"\nhost = [\"fixed.example\"]\n\
         fixed = { status = 200, content_type = \"text/plain\", body = \"hello\\n\" }\n",
    )?;
    let peer = Nginx::answering()?;
    let ours = Contender::new(stage.server.http, "fixed.example", stage.server.id());
    let theirs = Contender::new(peer.address, "fixed.example", peer.id());
    compare(bench, "fixed response", "`return 200`", ours, theirs)
}

/// Forwarding to an HTTP server outside against `proxy_pass`.
pub(crate) fn proxy(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let upstream = Nginx::answering()?;
    let stage = bench.stage()?;
    stage.apply(&format!(
        "[[target_group]]\nname = \"upstream\"\ntargets = [\"http://{}\"]\n\
         [[route]]\nname = \"proxy\"\nhost = [\"proxy.example\"]\nforward = [{{ target_group = \"upstream\" }}]\n",
        upstream.address
    ))?;
    let peer = Nginx::proxying(upstream.address)?;
    let ours = Contender::new(stage.server.http, "proxy.example", stage.server.id());
    let theirs = Contender::new(peer.address, "proxy.example", peer.id());
    compare(bench, "proxying to HTTP", "`proxy_pass`", ours, theirs)
}

fn compare(
    bench: &Bench<'_>,
    what: &str,
    peer: &str,
    mut ours: Contender,
    mut theirs: Contender,
) -> Result<Vec<Row>> {
    bench.until_up(&ours.target)?;
    bench.until_up(&theirs.target)?;
    // In turn, so that whatever else the machine does falls on both.
    for _ in 0..bench.options.repeat {
        ours.measure(bench)?;
        theirs.measure(bench)?;
    }
    let (us, them) = (median(&mut ours.micros), median(&mut theirs.micros));
    let (our_p99, their_p99) = (median(&mut ours.p99), median(&mut theirs.p99));
    // Both are fractions of a millisecond.
    let p99 = |seconds: f64| format!("{:.0} µs", seconds * 1e6);
    Ok(vec![
        row(
            format!("{what}: CPU per request, against nginx {peer}"),
            format!("≤ {AT_MOST} ×"),
            format!("{:.2} × ({us:.1} µs against {them:.1} µs)", us / them),
            us <= AT_MOST * them,
        ),
        row(
            format!("{what}: p99 at {RATE} req/s"),
            format!("≤ {AT_MOST} ×"),
            format!(
                "{:.2} × ({} against {})",
                our_p99 / their_p99,
                p99(our_p99),
                p99(their_p99)
            ),
            our_p99 <= AT_MOST * their_p99,
        ),
    ])
}

/// CPU time of a server for one request, under as much load as a few connections can make.
pub(super) fn micros_per_request(bench: &Bench<'_>, server: u32, target: &Target) -> Result<f64> {
    // Not the first second: pools and branch predictors warm up.
    bench
        .runtime
        .block_on(saturate(target, CONNECTIONS, Duration::from_secs(1)))?;
    let before = cpu_time_with_children(server)?;
    let outcome = bench
        .runtime
        .block_on(saturate(target, CONNECTIONS, bench.seconds()))?;
    let used = cpu_time_with_children(server)?.saturating_sub(before);
    ensure!(
        outcome.failed == 0 && outcome.answered > 0,
        "{} requests failed",
        outcome.failed
    );
    Ok(used.as_secs_f64() * 1e6 / outcome.answered as f64)
}

impl Stage {
    /// Puts listeners, target groups and routes in force; what `wharf apply` prints.
    pub(super) fn apply(&self, text: &str) -> Result<String> {
        let path = self.data.path().join("apply.toml");
        std::fs::write(&path, text)?;
        let output = self
            .server
            .output(&["apply", "--output", "json", "-f", &path.display().to_string()])?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}
