//! Runs WebAssembly components as tasks: a component, a CPU share, a memory envelope, and what it may touch.
//!
//! This crate knows how guests run and nothing of why: no routes, services, names or storage. Its parts,
//! from the outside in:
//!
//! * [`Runtime`] – the engine, the compiled artifacts and the threads that guests run on;
//! * [`HttpTask`], [`CommandTask`] – a live task of either world, made from an [`Artifact`] and a [`TaskSpec`];
//! * [`Capacity`] – which tasks fit on the host.

pub mod capacity;
mod cpu;
pub mod egress;
mod host;
mod scheduler;
pub mod size;
pub mod spec;
mod ticker;

pub use capacity::{Capacity, Reservation, Shortfall};
pub use egress::{EgressRule, EgressRuleError};
pub use host::HostFacts;
pub use size::{Bytes, CpuUnits};
pub use spec::{
    Isolation, LogSink, LogStream, Mount, NoSecrets, SecretSource, SecretUnavailable, TaskSpec,
};

/// The longest log line kept, in bytes; what is longer is cut and marked.
pub const MAX_LOG_LINE: usize = 16 * 1024;
