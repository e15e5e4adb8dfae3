//! How a guest fails, and telling one way from another.

use wasmtime::Trap;
use wasmtime_wasi::I32Exit;

use crate::capability::PrepareError;
use crate::guest_state::GuestState;

/// The ways a request or a run can end badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// All places are taken and the queue is full.
    QueueFull,
    /// The deadline passed in the queue.
    QueueDeadline,
    /// The deadline passed in the guest.
    Deadline,
    /// The guest used up its CPU time.
    CpuTimeout,
    /// The guest trapped or panicked.
    Trapped,
    /// The guest ended its program instead of answering.
    Exited,
    /// The guest returned without an answer.
    NoResponse,
    /// The guest's answer is not HTTP.
    InvalidResponse,
    /// The guest died of a growth that did not fit the task's memory.
    OutOfMemory,
    /// A secret could not be had, or a file could not be opened.
    Unprepared,
    /// The task is being stopped and takes nothing on: this was not begun.
    Stopping,
    /// The task was stopped while this ran.
    Stopped,
    /// The engine has no room for another instance.
    Overloaded,
}

impl FailureKind {
    /// A short name, for logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue full",
            Self::QueueDeadline => "deadline passed in the queue",
            Self::Deadline => "deadline passed",
            Self::CpuTimeout => "CPU time used up",
            Self::Trapped => "trapped",
            Self::Exited => "exited",
            Self::NoResponse => "no response",
            Self::InvalidResponse => "invalid response",
            Self::OutOfMemory => "out of memory",
            Self::Unprepared => "not prepared",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Overloaded => "overloaded",
        }
    }

    /// Whether the guest itself is to blame, as opposed to its load or its host.
    pub(crate) fn is_the_guests(self) -> bool {
        matches!(
            self,
            Self::CpuTimeout
                | Self::Trapped
                | Self::Exited
                | Self::NoResponse
                | Self::InvalidResponse
                | Self::OutOfMemory
        )
    }
}

/// One failure, with what can be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    /// One line, without anything the guest said.
    pub(crate) reason: String,
    /// For the task's log alone: the frames of a trap.
    pub(crate) details: Option<String>,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, reason: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.into(),
            details: None,
        }
    }

    /// What an error of the engine means for this guest.
    pub(crate) fn of_guest(error: &wasmtime::Error, state: &GuestState) -> Self {
        if state.meter.exhausted() {
            let used = state.meter.used().as_millis();
            let reason = format!("stopped at its CPU limit after {used} ms");
            let details = Some(format!("{error:?}"));
            return Self {
                kind: FailureKind::CpuTimeout,
                reason,
                details,
            };
        }
        let details = Some(format!("{error:?}"));
        // Some languages trap when an allocation fails, others exit.
        if let Some(refusal) = state.memory.refusal() {
            return Self {
                kind: FailureKind::OutOfMemory,
                reason: refusal.to_string(),
                details,
            };
        }
        if let Some(exit) = error.downcast_ref::<I32Exit>() {
            return Self::new(
                FailureKind::Exited,
                format!("the guest exited with code {}", exit.0),
            );
        }
        Self {
            kind: FailureKind::Trapped,
            reason: trap_reason(error),
            details,
        }
    }

    /// What an error of the engine while making an instance means.
    pub(crate) fn of_start(error: &wasmtime::Error, state: &GuestState) -> Self {
        if error.is::<wasmtime::PoolConcurrencyLimitError>() {
            return Self::new(
                FailureKind::Overloaded,
                "the engine has no room for another instance",
            );
        }
        Self::of_guest(error, state)
    }
}

fn trap_reason(error: &wasmtime::Error) -> String {
    match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => error
            .root_cause()
            .to_string()
            .lines()
            .next()
            .unwrap_or("the guest failed")
            .to_owned(),
    }
}

impl From<PrepareError> for Failure {
    fn from(error: PrepareError) -> Self {
        Self::new(FailureKind::Unprepared, error.to_string())
    }
}
