//! `cargo xtask bench`: the numbers of docs/performance.md, each from a command's own run.
//!
//! Where a machine's speed enters, the row is a ratio within one run, peers in turn. CPU is the operating
//! system's accounting of the server's process, so that the load generator beside it does not count.

mod accounting;
mod load;
mod nginx;
mod peer;
mod rows;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use tempfile::TempDir;

use crate::server::{Server, build_wharf};
use crate::{guests, step};

/// What to measure, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only rows whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Seconds of each measurement
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    seconds: u64,
    /// Repetitions where medians are taken
    #[arg(long, value_name = "N", default_value_t = 3)]
    repeat: usize,
}

/// One line of the result.
struct Row {
    what: String,
    must: String,
    measured: String,
    reached: bool,
}

/// What the rows need: the binary, the examples, time.
struct Bench<'a> {
    wharf: PathBuf,
    options: &'a Options,
    runtime: tokio::runtime::Runtime,
}

/// A measurement: its name, and what it finds.
type Measure = fn(&Bench<'_>) -> Result<Vec<Row>>;

const MEASURES: [(&str, Measure); 17] = [
    ("deploy", rows::deploy::run),
    ("rollout", rows::rollout::run),
    ("start-200", rows::start::run),
    ("cpu-share", rows::share::run),
    ("neighbour", rows::neighbour::run),
    ("memory", rows::memory::run),
    ("idle", rows::idle::run),
    ("cpu-per-request", rows::request::run),
    ("fixed", rows::edge::fixed),
    ("proxy", rows::edge::proxy),
    ("rules", rows::rules::many),
    ("swap", rows::rules::swap),
    ("connections", rows::connections::run),
    ("crons", rows::crons::run),
    ("wake", rows::wake::first_request),
    ("step", rows::wake::step),
    ("zero", rows::zero::run),
];

/// Build, measure, print.
pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(
        options.seconds > 0 && options.repeat > 0,
        "--seconds and --repeat must be at least 1"
    );
    let toolchain = guests::obtain()?;
    guests::build(toolchain, "examples")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let bench = Bench {
        wharf: build_wharf()?,
        options,
        runtime,
    };
    let mut rows = Vec::new();
    for (name, measure) in MEASURES {
        if options
            .only
            .as_ref()
            .is_none_or(|only| name.contains(only.as_str()))
        {
            println!("\n-- {name}");
            for row in measure(&bench).with_context(|| format!("bench {name}"))? {
                println!("{}", row.line());
                rows.push(row);
            }
        }
    }
    ensure!(
        !rows.is_empty(),
        "no row is called so; there are: {}",
        MEASURES.map(|(name, _)| name).join(", ")
    );
    report(&rows);
    Ok(())
}

fn report(rows: &[Row]) {
    println!("\n| what | must | measured | |\n|---|---|---|---|");
    for Row {
        what,
        must,
        measured,
        reached,
    } in rows
    {
        println!(
            "| {what} | {must} | {measured} | {} |",
            if *reached { "reached" } else { "MISSED" }
        );
    }
    let missed = rows.iter().filter(|row| !row.reached).count();
    println!("\n{} of {} reached", rows.len() - missed, rows.len());
}

impl Row {
    fn line(&self) -> String {
        let verdict = if self.reached { "reached" } else { "MISSED" };
        format!(
            "{}: {} (must be {}): {verdict}",
            self.what, self.measured, self.must
        )
    }
}

/// A server with a data directory of its own.
struct Stage {
    server: Server,
    data: TempDir,
}

impl Bench<'_> {
    fn stage(&self) -> Result<Stage> {
        let data = tempfile::Builder::new().prefix("wharf-bench-").tempdir()?;
        Ok(Stage {
            server: Server::start(&self.wharf, data.path())?,
            data,
        })
    }

    fn seconds(&self) -> std::time::Duration {
        std::time::Duration::from_secs(self.options.seconds)
    }

    /// The median of as many measurements as were asked for.
    fn median(&self, mut measure: impl FnMut() -> Result<f64>) -> Result<f64> {
        let mut found = (0..self.options.repeat)
            .map(|_| measure())
            .collect::<Result<Vec<_>>>()?;
        Ok(median(&mut found))
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The folder of an example.
fn example(name: &str) -> String {
    step::root().join("examples").join(name).display().to_string()
}

/// The component of an example.
fn component(name: &str) -> PathBuf {
    Path::new(&step::root().join("examples/target/wasm32-wasip2/release")).join(format!("{name}.wasm"))
}
