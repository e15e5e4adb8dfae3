//! `cargo xtask crash`: the end-to-end test of crashes, with more rounds than a test run has time for.

use anyhow::Result;
use clap::Args;

use crate::{guests, step};

/// The test, by its full name.
const TEST: &str = "crash_rounds::nothing_acknowledged_is_lost_however_often_the_server_is_killed";

/// How many rounds, and which.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often the server is killed
    #[arg(long, value_name = "N", default_value_t = 200)]
    rounds: u64,
    /// The moments of an earlier run, which printed this
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
}

/// Run the rounds; a line tells of each.
pub(crate) fn run(options: &Options) -> Result<()> {
    guests::build_all()?;
    let mut cargo = step::cargo(step::root());
    // Not with nextest, which ends a test that takes so long.
    cargo
        .args(["test", "--locked", "--workspace", "--test", "e2e", "--"])
        .args(["--exact", "--nocapture", TEST])
        .env("WHARF_CRASH_ROUNDS", options.rounds.to_string());
    if let Some(seed) = options.seed {
        cargo.env("WHARF_CRASH_SEED", seed.to_string());
    }
    step::run("crash rounds", &mut cargo)
}
