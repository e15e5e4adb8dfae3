//! Running one tool: announced, timed, and named when it fails.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

/// The repository's root, as an absolute path.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

/// `cargo` by name rather than by `$CARGO`: the rustup proxy has to see it for `RUSTUP_TOOLCHAIN` to count.
pub(crate) fn cargo(directory: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(directory);
    cargo
}

/// Run `command` with our own standard streams; anything but success is an error that names it.
pub(crate) fn run(title: &str, command: &mut Command) -> Result<()> {
    let started = Instant::now();
    run_last(title, command)?;
    println!("== {title}: ok, {:.1} s", started.elapsed().as_secs_f32());
    Ok(())
}

/// As [`run`], and silent after success: the tool's own closing line stays the last one.
pub(crate) fn run_last(title: &str, command: &mut Command) -> Result<()> {
    println!("== {title}");
    let status = command
        .status()
        .with_context(|| format!("{title}: cannot start {}", shown(command)))?;
    if !status.success() {
        bail!("{title}: {} ended with {status}", shown(command));
    }
    Ok(())
}

/// Whether `cargo NAME --version` answers: is this cargo subcommand installed?
pub(crate) fn has_cargo_command(name: &str) -> bool {
    cargo(root())
        .args([name, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The command as a person would type it.
fn shown(command: &Command) -> String {
    let directory = command.get_current_dir().map(PathBuf::from).unwrap_or_default();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ");
    format!("`{line}` in {}", directory.display())
}
