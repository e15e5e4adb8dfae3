//! What a task is made from: the validated specification, and what the host supplies to it while
//! it runs (secrets to read, data of its own, a log to write to).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::egress::{EgressRule, Reach};
use crate::key_value::KeyValue;
use crate::size::{Bytes, CpuUnits};

/// Everything that decides how one task runs.
#[derive(Debug, Clone)]
pub struct TaskSpec {
    /// CPU share; a cap unless `cpu_burst` is set.
    pub cpu: CpuUnits,
    /// Lets the task use CPU that nobody else wants.
    pub cpu_burst: bool,
    /// The memory envelope over all the task's instances.
    pub memory: Bytes,
    /// Wall-clock limit of one request or of the whole job. `None`: no limit (a long-running worker).
    pub timeout: Option<Duration>,
    /// CPU-time limit of one request or of the whole job. `None`: no limit.
    pub cpu_timeout: Option<Duration>,
    /// Requests served at once.
    pub concurrency: u32,
    /// Requests that may wait for a place; one more is turned away.
    pub queue: u32,
    /// Whether requests share instances.
    pub isolation: Isolation,
    /// Command-line arguments (the first is the program's own name by convention, and is added here).
    pub args: Vec<String>,
    /// Plain environment variables.
    pub env: Vec<(String, String)>,
    /// Secret environment variables.
    pub secrets: Arc<dyn SecretSource>,
    /// Where the guest may connect to.
    pub egress: Vec<EgressRule>,
    /// How far that goes at most.
    pub reach: Reach,
    /// Read-only directories the guest sees.
    pub files: Vec<Mount>,
    /// The data the guest may read and write.
    pub key_value: Arc<dyn KeyValue>,
    /// Where the guest's output goes.
    pub log: Arc<dyn LogSink>,
}

/// Whether requests share Wasm instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Each request gets a fresh instance.
    Request,
    /// Instances are reused within the task, each for up to `max_requests` requests.
    Task {
        /// Requests after which an instance is retired.
        max_requests: u32,
    },
}

/// A host directory shown read-only to the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The directory on the host.
    pub host: PathBuf,
    /// Its absolute path in the guest.
    pub guest: String,
}

/// Where a task's secrets come from. Asked each time an instance is prepared, so that a rotated secret
/// reaches the next instance; implementations answer from memory.
pub trait SecretSource: Send + Sync + std::fmt::Debug {
    /// The environment variables to set, by name.
    ///
    /// # Errors
    /// [`SecretUnavailable`] when one of them can't be had; its text names the secret, never a value.
    fn resolve(&self) -> Result<Vec<(String, SecretString)>, SecretUnavailable>;
}

/// A secret could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SecretUnavailable(pub String);

/// A task that has no secrets.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSecrets;

impl SecretSource for NoSecrets {
    fn resolve(&self) -> Result<Vec<(String, SecretString)>, SecretUnavailable> {
        Ok(Vec::new())
    }
}

/// Which stream a log line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogStream {
    /// The guest's standard output.
    Stdout,
    /// The guest's standard error.
    Stderr,
    /// Wharf's own words about the task: traps, limits, dropped lines.
    System,
}

/// Where a task's log lines go. Called on the threads that run guests: it must not block.
pub trait LogSink: Send + Sync + std::fmt::Debug {
    /// One line without its newline, at most [`MAX_LOG_LINE`](crate::MAX_LOG_LINE) bytes. `cut` says that
    /// the guest's line was longer.
    fn write(&self, stream: LogStream, line: &[u8], cut: bool);
}
