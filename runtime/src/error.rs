//! What the crate's callers are told when something fails.

use std::time::Duration;

use crate::artifact::World;
use crate::capability::ConfigureError;
use crate::failure::{Failure, FailureKind};
use crate::http_task::RequestUsage;
use crate::size::Bytes;
use crate::task::Seconds;

/// A task could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ActivateError {
    /// The component is of the other world.
    #[error("the component does not export the world {0}")]
    World(&'static str),
    /// The specification asks for something this host can't give.
    #[error(transparent)]
    Configure(#[from] ConfigureError),
    /// A secret is missing, or a file can't be opened: waiting for it can help.
    #[error("{0}")]
    Unprepared(String),
    /// The host is short of memory or of instances: waiting can help.
    #[error("the host has no room for another instance now")]
    NoRoom,
    /// One instance does not fit the task's memory.
    #[error("an instance does not fit the task's memory: {0}")]
    OutOfMemory(String),
    /// The guest's own start failed.
    #[error("the first instance did not start: {0}")]
    Failed(String),
}

impl ActivateError {
    /// Whether the same task may start later without having been changed.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unprepared(_) | Self::NoRoom)
    }

    pub(crate) fn too_little_memory(least: Bytes, memory: Bytes) -> Self {
        Self::OutOfMemory(format!(
            "the component needs at least {least}, the task has {memory}"
        ))
    }

    pub(crate) fn slow_start(limit: Duration) -> Self {
        Self::Failed(format!(
            "its start functions did not end within {}",
            Seconds(limit)
        ))
    }

    pub(crate) fn wrong_world(wanted: World) -> Self {
        Self::World(match wanted {
            World::Http => "wasi:http/proxy",
            World::Command => "wasi:cli/command",
        })
    }
}

impl From<Failure> for ActivateError {
    fn from(failure: Failure) -> Self {
        let Failure { kind, reason, .. } = failure;
        match kind {
            FailureKind::Unprepared => Self::Unprepared(reason),
            FailureKind::Overloaded => Self::NoRoom,
            FailureKind::OutOfMemory => Self::OutOfMemory(reason),
            _ => Self::Failed(reason),
        }
    }
}

/// A request was not answered. `Display` is one line for a log, without anything the guest said.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {}", .failure.kind.as_str(), .failure.reason)]
pub struct CallError {
    failure: Failure,
    usage: RequestUsage,
}

impl CallError {
    pub(crate) fn new(failure: Failure, usage: RequestUsage) -> Self {
        Self { failure, usage }
    }

    /// What went wrong.
    pub fn kind(&self) -> FailureKind {
        self.failure.kind
    }

    /// What the request had used by then.
    pub fn usage(&self) -> &RequestUsage {
        &self.usage
    }
}
