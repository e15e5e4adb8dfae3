//! Capabilities: what a guest can reach of the world outside itself, a module each.
//!
//! Each has three phases. It *links* its interfaces once per engine; it is *configured* once per task, from the
//! specification (opening files, parsing rules: whatever can fail should fail here); and it *prepares* each instance.
//! Adding one means a module and a line in [`all`]; the executor knows none by name.

use std::fmt::Debug;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use wasmtime::component::Linker;

use crate::cpu::CpuAccount;
use crate::guest_state::{GuestState, InstanceParts};
use crate::memory::Envelope;
use crate::spec::{SecretUnavailable, TaskSpec};

mod clocks;
mod environment;
mod exit;
pub(crate) mod files;
mod io;
pub(crate) mod key_value;
pub(crate) mod logging;
mod outgoing_http;
mod random;
mod secrets;
mod sockets;
mod stdin;

/// Something a guest may use.
pub(crate) trait Capability: Debug + Send + Sync {
    /// Adds the capability's interfaces to what components can import.
    fn link(&self, linker: &mut Linker<GuestState>) -> wasmtime::Result<()>;

    /// Reads the task's part of the capability.
    fn configure(&self, task: &TaskContext<'_>) -> Result<Configured, ConfigureError>;
}

/// A capability configured for a task; nothing where it has nothing to do per instance.
pub(crate) type Configured = Option<Box<dyn Prepare>>;

/// The third phase.
pub(crate) trait Prepare: Debug + Send + Sync {
    /// Gives one instance its part of the capability.
    fn prepare(&self, instance: &mut InstanceParts) -> Result<(), PrepareError>;
}

/// What a capability may know of the task.
#[derive(Debug)]
pub(crate) struct TaskContext<'a> {
    pub(crate) spec: &'a TaskSpec,
    pub(crate) envelope: &'a Arc<Envelope>,
    pub(crate) account: &'a Arc<CpuAccount>,
    pub(crate) log: &'a logging::TaskLog,
    /// Cancelled when the task is asked to stop.
    pub(crate) stop: &'a CancellationToken,
}

/// A task's specification asks for something this host can't give.
#[derive(Debug, thiserror::Error)]
pub enum ConfigureError {
    /// A directory of the bundle can't be opened.
    #[error("the files for {guest} can't be opened: {why}")]
    Files {
        /// Where the guest would have seen them.
        guest: String,
        /// What the operating system said.
        why: String,
    },
}

/// An instance could not be given what its task asks for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrepareError {
    /// A secret is missing.
    #[error(transparent)]
    Secret(#[from] SecretUnavailable),
}

/// Every capability there is.
pub(crate) fn all() -> &'static [&'static dyn Capability] {
    &[
        &io::Io,
        &environment::Environment,
        &secrets::Secrets,
        &logging::Logging,
        &stdin::Stdin,
        &exit::Exit,
        &clocks::Clocks,
        &random::Random,
        &files::Files,
        &sockets::Sockets,
        &outgoing_http::OutgoingHttp,
        &key_value::KeyValueStore,
    ]
}

/// Interfaces that can be imported, of the same versions.
pub(crate) struct Offered {
    /// `0.2.x`, or one whole.
    pub(crate) versions: &'static str,
    pub(crate) interfaces: &'static [&'static str],
}

/// All that can be imported: what is not is refused with this in mind.
pub(crate) const OFFERED: &[Offered] = &[
    Offered {
        versions: "0.2.x",
        interfaces: &[
            "wasi:cli/environment",
            "wasi:cli/exit",
            "wasi:cli/stderr",
            "wasi:cli/stdin",
            "wasi:cli/stdout",
            "wasi:cli/terminal-input",
            "wasi:cli/terminal-output",
            "wasi:cli/terminal-stderr",
            "wasi:cli/terminal-stdin",
            "wasi:cli/terminal-stdout",
            "wasi:clocks/monotonic-clock",
            "wasi:clocks/wall-clock",
            "wasi:filesystem/preopens",
            "wasi:filesystem/types",
            "wasi:http/outgoing-handler",
            "wasi:http/types",
            "wasi:io/error",
            "wasi:io/poll",
            "wasi:io/streams",
            "wasi:random/insecure",
            "wasi:random/insecure-seed",
            "wasi:random/random",
            "wasi:sockets/instance-network",
            "wasi:sockets/ip-name-lookup",
            "wasi:sockets/network",
            "wasi:sockets/tcp",
            "wasi:sockets/tcp-create-socket",
            "wasi:sockets/udp",
            "wasi:sockets/udp-create-socket",
        ],
    },
    Offered {
        versions: "0.2.0-draft",
        interfaces: &[
            "wasi:keyvalue/atomics",
            "wasi:keyvalue/batch",
            "wasi:keyvalue/store",
        ],
    },
    Offered {
        versions: "0.1.x",
        interfaces: &["wharf:keyvalue/store"],
    },
];

impl Offered {
    /// Whether this version of its interfaces is offered.
    pub(crate) fn has(&self, version: &str) -> bool {
        match self.versions.strip_suffix('x') {
            Some(begin) => version.starts_with(begin),
            None => version == self.versions,
        }
    }
}

/// Everything linked: what components are checked against and instantiated with.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<GuestState>> {
    let mut linker = Linker::new(engine);
    for capability in all() {
        capability.link(&mut linker)?;
    }
    Ok(linker)
}

/// Configures every capability for a task.
pub(crate) fn configure(task: &TaskContext<'_>) -> Result<Vec<Box<dyn Prepare>>, ConfigureError> {
    all()
        .iter()
        .filter_map(|capability| capability.configure(task).transpose())
        .collect()
}

/// Prepares one instance with everything its task has.
pub(crate) fn prepare(configured: &[Box<dyn Prepare>]) -> Result<InstanceParts, PrepareError> {
    let mut parts = InstanceParts::new();
    for capability in configured {
        capability.prepare(&mut parts)?;
    }
    Ok(parts)
}
