//! Guests that want more than their envelope, and what the server's own memory does meanwhile.

use anyhow::Result;

use super::super::accounting::resident_mib;
use super::super::load::{Target, once};
use super::super::{Bench, Row};
use super::row;

const ENVELOPE_MIB: f64 = 64.0;
const SLACK_MIB: f64 = 32.0;
const AT_ONCE: usize = 12;

pub(crate) fn run(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let stage = bench.stage()?;
    stage.deploy("greedy", "crunch", 1024, "64MiB")?;
    let server = stage.server.id();
    let small = stage.target("greedy", "/grow?mib=1");
    bench.until_up(&small)?;
    let before = resident_mib(server)?;
    let greedy = stage.target("greedy", "/grow?mib=100");
    let (statuses, peak) = bench.runtime.block_on(at_once(&greedy, server))?;
    let next = bench.runtime.block_on(once(&small))?;
    let refused = statuses.iter().filter(|status| **status == 507).count();
    let growth = peak - before;
    Ok(vec![
        row(
            format!("{AT_ONCE} requests at once for 100 MiB each in one envelope of 64 MiB"),
            "all see the failure, the next request works",
            format!("{refused} of {AT_ONCE} refused, then {next}"),
            refused == AT_ONCE && next == 200,
        ),
        row(
            "the server's memory meanwhile",
            format!("grows ≤ {:.0} MiB", ENVELOPE_MIB + SLACK_MIB),
            format!("{growth:.1} MiB"),
            growth <= ENVELOPE_MIB + SLACK_MIB,
        ),
    ])
}

/// All of them at once, and the most memory the server had while they ran.
async fn at_once(target: &Target, server: u32) -> Result<(Vec<u16>, f64)> {
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let target = target.clone();
        requests.spawn(async move { once(&target).await });
    }
    let (mut statuses, mut peak) = (Vec::new(), resident_mib(server)?);
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(1));
    while !requests.is_empty() {
        tokio::select! {
            Some(done) = requests.join_next() => statuses.push(done??),
            _ = looks.tick() => {}
        }
        peak = peak.max(resident_mib(server)?);
    }
    Ok((statuses, peak))
}
