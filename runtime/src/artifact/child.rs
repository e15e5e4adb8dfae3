//! The compiler child's part: limit itself, check the component, compile it, write the code.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use super::footprint::{self, Footprint};
use super::inspect::{self, Refusal};
use crate::engine::compile_config;
use crate::host::HostFiles;
use crate::size::Bytes;

/// Native code of one component, in a file.
const MAX_CODE: Bytes = Bytes::gib(1);
/// Below requests and guests, so that they don't feel it; not so far below that busy ones keep it from ending.
const COMPILER_NICENESS: i32 = 10;

/// The child's exit code when the component is at fault; its standard output says why.
pub(super) const EXIT_REFUSED: i32 = 65;
const EXIT_FAILED: u8 = 70;

/// What one compilation may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Address space, which bounds memory.
    pub(super) memory: Bytes,
    /// CPU time over all its threads.
    pub(super) cpu: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        // Half of a small host: a compilation must not push the server out of memory.
        let half = Bytes::new(HostFiles::default().facts().memory.get() / 2);
        Self {
            memory: half.clamp(Bytes::gib(1), Bytes::gib(4)),
            cpu: Duration::from_secs(300),
        }
    }
}

/// Runs this process as a compiler: `<component> <sha256 in hex> <output>` are the program's last three arguments.
///
/// The exit code is 0 when the code was written (standard output says what an instance takes), 65 when the component was refused (standard output says why),
/// and 70 when something else failed (standard error says what).
pub fn compile_child_main() -> ExitCode {
    let args: Vec<PathBuf> = std::env::args_os().map(PathBuf::from).collect();
    let [.., source, hex, output] = args.as_slice() else {
        return fail("expected <component> <sha256> <output>");
    };
    limit_self(Limits::default());
    match compile(source, &hex.to_string_lossy(), output) {
        Ok(footprint) => {
            say(&footprint.to_words());
            ExitCode::SUCCESS
        }
        Err(Failure::Refused(refusal)) => {
            say(&refusal.to_words());
            ExitCode::from(u8::try_from(EXIT_REFUSED).unwrap_or(EXIT_FAILED))
        }
        Err(Failure::Other(why)) => fail(&why),
    }
}

enum Failure {
    Refused(Refusal),
    Other(String),
}

fn compile(source: &Path, hex: &str, output: &Path) -> Result<Footprint, Failure> {
    let other = |what: &str, error: &dyn std::fmt::Display| Failure::Other(format!("{what}: {error}"));
    let bytes = fs::read(source).map_err(|error| other("can't read the component", &error))?;
    let found: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if found != hex {
        return Err(Failure::Other(format!(
            "the component's content has digest {found}, not {hex}"
        )));
    }
    inspect::check(&bytes).map_err(Failure::Refused)?;
    let footprint = footprint::of(&bytes).map_err(|error| Failure::Refused(Refusal::damaged(&error)))?;
    let engine = Engine::new(&compile_config()).map_err(|error| other("no engine", &error))?;
    let code = engine
        .precompile_component(&bytes)
        .map_err(|error| Failure::Refused(Refusal::Invalid(format!("{error:#}"))))?;
    fs::write(output, code).map_err(|error| other("can't write the code", &error))?;
    Ok(footprint)
}

/// Lowers the priority and sets the limits. Where the host refuses one of them, the parent's time limit is left.
fn limit_self(limits: Limits) {
    // First: from here on, no death of the server leaves a compiler behind.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let set = |resource, value: u64| {
        // The soft limit alone would do; the hard one keeps it from being raised again.
        let _ = setrlimit(
            resource,
            Rlimit {
                current: Some(value),
                maximum: Some(value),
            },
        );
    };
    set(Resource::As, limits.memory.get());
    set(Resource::Cpu, limits.cpu.as_secs());
    set(Resource::Core, 0);
    set(Resource::Fsize, MAX_CODE.get());
    let _ = nice(COMPILER_NICENESS);
    // If memory runs out all the same, this process goes and not the server.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
}

fn say(words: &str) {
    // Nobody reads a closed pipe.
    let _ = std::io::stdout().write_all(words.as_bytes());
}

fn fail(why: &str) -> ExitCode {
    let _ = std::io::stderr().write_all(why.as_bytes());
    ExitCode::from(EXIT_FAILED)
}
