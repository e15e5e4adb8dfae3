//! Compiling in a child process: this program again, with its own small part.
//!
//! A compiler can take seconds and gigabytes on hostile input, and no thread of a process can be limited in
//! memory. A child can: it runs at low priority, within limits it sets on itself, and few at a time.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::Semaphore;

use super::child::{EXIT_REFUSED, Limits};
use super::footprint::Footprint;
use super::{PrepareError, Refusal};

/// Children at once: more would only share the same cores.
const MAX_CHILDREN: usize = 2;
/// Wall-clock limit of one compilation: far more than its limit on CPU time, which is what ends it, so that a
/// busy machine only makes it slow.
const MAX_WALL: Duration = Duration::from_secs(1800);
/// Bytes of a child's words that are kept.
const MAX_WORDS: usize = 4096;

/// How to run this program as a compiler: it must call [`compile_child_main`](super::compile_child_main) with
/// the arguments that follow `args`.
#[derive(Debug, Clone)]
pub struct CompilerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its first arguments.
    pub args: Vec<OsString>,
}

#[derive(Debug)]
pub(super) struct Compiler {
    command: CompilerCommand,
    places: Semaphore,
}

impl Compiler {
    pub(super) fn new(command: CompilerCommand) -> Self {
        Self {
            command,
            places: Semaphore::new(MAX_CHILDREN),
        }
    }

    /// Compiles the component at `source`, whose SHA-256 is `hex`, into `output`; tells what an instance of it takes.
    pub(super) async fn compile(
        &self,
        source: &Path,
        hex: &str,
        output: &Path,
    ) -> Result<Footprint, PrepareError> {
        let failed = |why: String| PrepareError::Compiler(why);
        let _place = self
            .places
            .acquire()
            .await
            .map_err(|_| failed("the server is shutting down".into()))?;
        tracing::info!(component = hex, "compiling");
        let begin = std::time::Instant::now();
        let child = Command::new(&self.command.program)
            .args(&self.command.args)
            .args([source.as_os_str(), hex.as_ref(), output.as_os_str()])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(format!("can't start {}: {error}", self.command.program.display())))?;
        let output = tokio::time::timeout(MAX_WALL, child.wait_with_output())
            .await
            .map_err(|_| failed(format!("it took more than {} s", MAX_WALL.as_secs())))?
            .map_err(|error| failed(error.to_string()))?;
        let (millis, ended) = (begin.elapsed().as_millis(), output.status);
        tracing::info!(component = hex, millis, %ended, "compiled");
        verdict(output)
    }
}

fn verdict(output: std::process::Output) -> Result<Footprint, PrepareError> {
    if output.status.success() {
        let said = words(&output.stdout);
        let unread = || {
            PrepareError::Compiler(format!(
                "the compiler did not say what an instance takes: {said:?}"
            ))
        };
        return Footprint::from_words(&said).ok_or_else(unread);
    }
    if output.status.code() == Some(EXIT_REFUSED) {
        return Err(Refusal::from_words(&words(&output.stdout)).into());
    }
    let limits = Limits::default();
    let said = words(&output.stderr);
    let why = if said.is_empty() {
        output.status.to_string()
    } else {
        format!("{}: {said}", output.status)
    };
    Err(PrepareError::Compiler(format!(
        "the compiler ended with {why} (it may use {} of memory and {} s of CPU time)",
        limits.memory,
        limits.cpu.as_secs()
    )))
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..MAX_WORDS).unwrap_or(bytes))
        .trim()
        .to_owned()
}
