//! A server under the release binary, and the command line against it: the demo's and the bench's.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::step;

/// Where requests are served if nobody else does.
const USUAL_HTTP: &str = "127.0.0.1:8080";

/// Build the binary people run.
pub(crate) fn build_wharf() -> Result<PathBuf> {
    let root = step::root();
    let mut cargo = step::cargo(root);
    step::run(
        "the release binary",
        cargo.args(["build", "--release", "--locked", "--package", "wharf"]),
    )?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |set| root.join(set));
    Ok(target.join("release/wharf"))
}

/// A running `wharf serve`. Dropping it kills the process.
pub(crate) struct Server {
    program: PathBuf,
    data: PathBuf,
    process: Child,
    pub(crate) api: SocketAddr,
    pub(crate) http: SocketAddr,
}

impl Server {
    /// Start it, and read its addresses from what it prints.
    pub(crate) fn start(program: &Path, data: &Path) -> Result<Self> {
        let http = if TcpListener::bind(USUAL_HTTP).is_ok() {
            USUAL_HTTP
        } else {
            "127.0.0.1:0"
        };
        let mut command = Command::new(program);
        command
            .args(["serve", "--api", "127.0.0.1:0", "--http", http, "--data"])
            .arg(data);
        command
            .env("WHARF_LOG", "warn,text")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut process = command
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let stdout = process
            .stdout
            .take()
            .context("the server's output is not piped")?;
        let mut lines = BufReader::new(stdout).lines();
        let addresses =
            (|| Ok::<_, anyhow::Error>((address(&mut lines, "API")?, address(&mut lines, "HTTP")?)))();
        let (api, http) = match addresses {
            Ok(found) => found,
            Err(error) => {
                let _ = process.kill();
                return Err(error);
            }
        };
        // What else it prints is read, so that it never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self {
            program: program.to_owned(),
            data: data.to_owned(),
            process,
            api,
            http,
        })
    }

    /// The server's process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// `wharf WORDS`, shown as it is typed; it has to succeed.
    pub(crate) fn wharf(&self, words: &[&str]) -> Result<()> {
        println!("$ wharf {}", words.join(" "));
        let status = self.command(words).status().context("cannot start wharf")?;
        ensure!(
            status.success(),
            "`wharf {}` ended with {status}",
            words.join(" ")
        );
        Ok(())
    }

    /// `wharf WORDS` with something on standard input.
    pub(crate) fn wharf_with_input(&self, words: &[&str], input: &str) -> Result<()> {
        println!("$ printf … | wharf {}", words.join(" "));
        let mut child = self
            .command(words)
            .stdin(Stdio::piped())
            .spawn()
            .context("cannot start wharf")?;
        child
            .stdin
            .take()
            .context("not piped")?
            .write_all(input.as_bytes())?;
        let status = child.wait()?;
        ensure!(
            status.success(),
            "`wharf {}` ended with {status}",
            words.join(" ")
        );
        Ok(())
    }

    /// `wharf WORDS`, its output and exit status, whatever they are.
    pub(crate) fn output(&self, words: &[&str]) -> Result<Output> {
        self.command(words).output().context("cannot start wharf")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).stdin(Stdio::null());
        command
            .env("WHARF_API", format!("http://{}", self.api))
            .env("WHARF_DATA", &self.data);
        for name in ["WHARF_NAMESPACE", "WHARF_TOKEN"] {
            command.env_remove(name);
        }
        command
    }

    /// Stop it as an init system does; it has to end well.
    pub(crate) fn stop(mut self) -> Result<()> {
        let id = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw)
            .context("no process id")?;
        kill_process(id, Signal::TERM).context("cannot stop the server")?;
        let status = self.process.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }

    /// Wait for Ctrl-C, then for the server, which gets it too.
    pub(crate) fn wait_for_interrupt(mut self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime
            .block_on(tokio::signal::ctrl_c())
            .context("cannot wait for Ctrl-C")?;
        let status = self.process.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails where it has ended already, which is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The address in the line that starts with `name`.
fn address(lines: &mut impl Iterator<Item = std::io::Result<String>>, name: &str) -> Result<SocketAddr> {
    for line in lines {
        if let Some(url) = line?.strip_prefix(name) {
            let address = url.trim().trim_start_matches("http://");
            return address
                .parse()
                .with_context(|| format!("the server's {name} line holds no address: {address}"));
        }
    }
    bail!("the server ended before it said its {name} address")
}
