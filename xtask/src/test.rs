//! `cargo xtask test`: everything a change has to pass, the cheap checks first and the test run last, so that
//! the last line is the runner's own count.

use anyhow::Result;

use crate::guest_toolchain::{GUEST_TARGET, GuestToolchain};
use crate::guests::{self, GUEST_WORKSPACES};
use crate::step;

/// The fuzz targets' workspace, from the repository's root. It is formatted only: each target is a line that calls what
/// the gateway's own tests run too, and libFuzzer is nothing a test should have to build.
const FUZZ_WORKSPACE: &str = "gateway/fuzz";

/// Run every check; stops at the first that fails.
pub(crate) fn run() -> Result<()> {
    format()?;
    dependencies()?;
    let toolchain = guests::obtain()?;
    guests::build_all()?;
    lint(toolchain)?;
    documentation()?;
    examples()?;
    tests()
}

fn format() -> Result<()> {
    for workspace in [".", FUZZ_WORKSPACE].into_iter().chain(GUEST_WORKSPACES) {
        let directory = step::root().join(workspace);
        step::run(
            &format!("formatting of {workspace}"),
            step::cargo(&directory).args(["fmt", "--all", "--check"]),
        )?;
    }
    Ok(())
}

/// Bans, licences and sources. The advisory check wants the network: by hand.
fn dependencies() -> Result<()> {
    if !step::has_cargo_command("deny") {
        println!("== dependencies: skipped, cargo-deny is not installed (cargo install --locked cargo-deny)");
        return Ok(());
    }
    let checks = ["deny", "--workspace", "check", "bans", "licenses", "sources"];
    step::run("dependencies", step::cargo(step::root()).args(checks))
}

fn lint(toolchain: GuestToolchain) -> Result<()> {
    let host = [
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    step::run("clippy", step::cargo(step::root()).args(host))?;
    if toolchain == GuestToolchain::Linked {
        println!("== clippy of the guests: skipped, {toolchain} has no clippy");
        return Ok(());
    }
    for workspace in GUEST_WORKSPACES {
        let mut cargo = step::cargo(&step::root().join(workspace));
        cargo.args([
            "clippy",
            "--release",
            "--locked",
            "--target",
            GUEST_TARGET,
            "--",
            "-D",
            "warnings",
        ]);
        step::run(
            &format!("clippy of {workspace}"),
            cargo.env_remove("CARGO_TARGET_DIR"),
        )?;
    }
    Ok(())
}

fn documentation() -> Result<()> {
    step::run(
        "documentation tests",
        step::cargo(step::root()).args(["test", "--locked", "--workspace", "--doc"]),
    )
}

/// The examples' own tests, natively: each is a project outside this workspace that tests itself with the SDK.
fn examples() -> Result<()> {
    step::run(
        "tests of the examples",
        step::cargo(&step::root().join("examples")).args(["test", "--locked", "--workspace"]),
    )
}

fn tests() -> Result<()> {
    let mut cargo = step::cargo(step::root());
    if step::has_cargo_command("nextest") {
        cargo.args(["nextest", "run", "--locked", "--workspace"]);
    } else {
        println!("cargo-nextest is not installed (cargo install --locked cargo-nextest): using cargo test");
        cargo.args([
            "test",
            "--locked",
            "--workspace",
            "--all-targets",
            "--no-fail-fast",
        ]);
    }
    step::run_last("tests", &mut cargo)
}
