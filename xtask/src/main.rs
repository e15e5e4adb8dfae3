//! `cargo xtask …`: what is done to this repository from outside the product. Each command is a module;
//! all of them start the same tools a person would, and say which one failed.
#![expect(
    clippy::print_stdout,
    reason = "a command-line tool: what it has to say goes to standard output"
)]

mod bench;
mod crash;
mod demo;
mod guest_toolchain;
mod guests;
mod http;
mod server;
mod step;
mod test;

use std::process::ExitCode;

use clap::Parser;

/// The repository's own commands.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_help_subcommand = true
)]
enum Xtask {
    /// Measure what README promises, beside `wasmtime serve` and nginx where a machine's speed enters
    Bench(bench::Options),
    /// Kill a server again and again while it is asked for things, and see that nothing it acknowledged is lost.
    Crash(crash::Options),
    /// Build everything, start a server, deploy every example and send each real requests; then stay up until Ctrl-C.
    Demo {
        /// End after the checks; non-zero if one failed
        #[arg(long)]
        once: bool,
    },
    /// Build every guest: the examples and the guests of runtime's tests.
    Guests,
    /// Formatting, clippy with warnings as errors, documentation tests, and every unit, crate and end-to-end test.
    Test,
}

#[expect(clippy::print_stderr, reason = "where errors go")]
fn main() -> ExitCode {
    match call(Xtask::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn call(xtask: Xtask) -> anyhow::Result<()> {
    match xtask {
        Xtask::Bench(options) => bench::run(&options),
        Xtask::Crash(options) => crash::run(&options),
        Xtask::Demo { once: true } => demo::run(demo::Afterwards::Stop),
        Xtask::Demo { once: false } => demo::run(demo::Afterwards::Stay),
        Xtask::Guests => guests::build_all(),
        Xtask::Test => test::run(),
    }
}
