//! Building the guests: each set is a Cargo workspace of its own, because it compiles for another target.

use anyhow::{Context as _, Result, bail};

use crate::guest_toolchain::{GUEST_TARGET, GuestToolchain};
use crate::step;

/// The workspaces that hold guests, from the repository's root.
pub(crate) const GUEST_WORKSPACES: [&str; 2] = ["examples", "runtime/tests/guests"];

/// Build every guest, in release: what is deployed is what is tested.
pub(crate) fn build_all() -> Result<()> {
    let toolchain = obtain()?;
    println!("guests are built with {toolchain}");
    GUEST_WORKSPACES
        .into_iter()
        .try_for_each(|workspace| build(toolchain, workspace))
}

/// A toolchain with the guest target; where rustup can add it, it is added.
pub(crate) fn obtain() -> Result<GuestToolchain> {
    if let Ok(found) = GuestToolchain::find() {
        return Ok(found);
    }
    let added = step::run(
        &format!("add {GUEST_TARGET} to the active toolchain"),
        std::process::Command::new("rustup").args(["target", "add", GUEST_TARGET]),
    );
    match (added, GuestToolchain::find()) {
        (_, Ok(found)) => Ok(found),
        (Err(rustup), Err(missing)) => bail!("{missing}\n(tried: {rustup})"),
        (Ok(()), Err(missing)) => Err(missing).context("rustup added the target, and it is still not there"),
    }
}

/// Build the guests of one workspace.
pub(crate) fn build(toolchain: GuestToolchain, workspace: &str) -> Result<()> {
    let mut cargo = step::cargo(&step::root().join(workspace));
    // The manifests name their component by a path below their own workspace.
    cargo
        .args(["build", "--release", "--locked", "--target", GUEST_TARGET])
        .env_remove("CARGO_TARGET_DIR");
    toolchain.apply(&mut cargo);
    step::run(&format!("guests of {workspace}"), &mut cargo)
}
