//! Runs WebAssembly components as tasks: a component, a CPU share, a memory envelope, and what it may touch.
//!
//! This crate knows how guests run and nothing of why: no routes, services, names or storage. Its parts,
//! from the outside in:
//!
//! * [`Runtime`] – the engine, the compiled artifacts and the threads that guests run on;
//! * [`HttpTask`], [`CommandTask`] – a live task of either world, made from an [`Artifact`] and a [`TaskSpec`];
//! * [`Capacity`] – which tasks fit on the host.

mod artifact;
mod capability;
mod capacity;
mod command_task;
mod cpu;
mod drive;
mod egress;
mod engine;
mod error;
mod failure;
mod guest_state;
mod host;
mod http_task;
pub mod key_value;
mod memory;
mod meter;
mod outgoing;
mod pool;
mod runtime;
mod scheduler;
mod size;
mod spec;
mod task;
mod ticker;
mod timers;

pub use artifact::{
    Artifact, CompilerCommand, PrepareError, Refusal, World, check_component, compile_child_main,
};
pub use capability::ConfigureError;
pub use capacity::{Amount, Capacity, Reservation, Shortfall};
pub use command_task::{CommandTask, Exit};
pub use egress::{EgressRule, EgressRuleError, Reach, Scheme};
pub use error::{ActivateError, CallError};
pub use failure::FailureKind;
pub use host::{HostFacts, HostFiles};
pub use http_task::{BodyError, GuestBody, HttpTask, RequestUsage};
pub use runtime::{BuildError, Runtime, RuntimeConfig};
pub use size::{Bytes, CpuUnits, SizeError, UNITS_PER_VCPU};
pub use spec::{Isolation, LogSink, LogStream, Mount, NoSecrets, SecretSource, SecretUnavailable, TaskSpec};
pub use task::TaskUsage;

/// The longest log line kept, in bytes; what is longer is cut and marked.
pub const MAX_LOG_LINE: usize = 16 * 1024;
