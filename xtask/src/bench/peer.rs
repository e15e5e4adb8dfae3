//! `wasmtime serve`, the peer: installed once, outside the workspace, under `target/bench`.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

use crate::step;

/// The line of Wasmtime that Wharf embeds.
const VERSION: &str = "^48";

/// A running `wasmtime serve`. Dropping it kills the process.
pub(crate) struct WasmtimeServe {
    process: Child,
    pub(crate) address: SocketAddr,
}

/// The peer's program, installed if it isn't yet.
pub(crate) fn wasmtime() -> Result<PathBuf> {
    let root = step::root().join("target/bench/wasmtime");
    let program = root.join("bin/wasmtime");
    if !program.exists() {
        let mut cargo = step::cargo(step::root());
        let install = cargo.args([
            "install",
            "wasmtime-cli",
            "--version",
            VERSION,
            "--locked",
            "--root",
        ]);
        step::run("wasmtime, to compare with", install.arg(&root))?;
    }
    Ok(program)
}

impl WasmtimeServe {
    /// Serves `component` as people do, one fresh instance per request.
    pub(crate) fn start(program: &Path, component: &Path) -> Result<Self> {
        // It doesn't say which port it got, so a free one is found first.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let process = Command::new(program)
            .args(["serve", "-Scli", "--addr", &address.to_string()])
            .arg(component)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start wasmtime")?;
        Ok(Self { process, address })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for WasmtimeServe {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
