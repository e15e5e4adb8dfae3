//! How many tasks a service has: by its load, down to none, and back on the first request.
//!
//! [`ScalingSpec`] is what a manifest says; [`decide`] what follows from it and from what was measured, and touches
//! nothing; the control loop carries it out. Measured is what gateway and runtime count anyway, over the last second, and
//! only of services that scale and are awake.

pub mod decide;
pub mod sample;
mod scaler;
mod shown;
mod wakes;

use std::fmt;
use std::time::Duration;

use wharf_gateway::Hold;

use self::decide::Deploying;
pub(crate) use self::scaler::{Look, Scaler, Wanted};
pub use self::shown::{Decided, Shown, ShownScaling, Value};
pub use self::wakes::Wakes;
use crate::names::ServiceName;

/// What `[scaling]` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalingSpec {
    /// The fewest tasks. With none, the service sleeps when it is idle.
    pub min: u32,
    /// The most.
    pub max: u32,
    /// What is to be kept at which value; at most one target a signal.
    pub targets: Vec<Target>,
    /// How long after tasks were taken away no more are.
    pub cooldown_in: Duration,
    /// How long tasks that were added are given to take effect.
    pub cooldown_out: Duration,
    /// How long without requests until it sleeps; none: it never does.
    pub idle: Option<Idle>,
}

/// When a service sleeps, and how long a request waits for it to wake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idle {
    /// Without requests for this long, it sleeps.
    pub after: Duration,
    /// How long a request waits for its first task.
    pub wait: Duration,
}

/// A value that a signal is to be kept at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// What is measured.
    pub signal: Signal,
    /// Where it is to be kept: percent for CPU and memory, a number for the others.
    pub value: u32,
}

/// What can be kept at a value: an average over the service's tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// CPU time used, in percent of what is reserved (ECS: `ECSServiceAverageCPUUtilization`).
    Cpu,
    /// Memory held, in percent of the envelope (ECS: `ECSServiceAverageMemoryUtilization`).
    Memory,
    /// Requests a second (ECS: `ALBRequestCountPerTarget`).
    Requests,
    /// Requests under way, those included that wait in the task.
    Concurrency,
    /// Requests that wait.
    Queue,
}

/// What an event says of a changed count.
pub(crate) fn said(service: &ServiceName, (from, to): (u32, u32), cause: &str) -> String {
    format!("(service {service}) has its desired count set to {to}, from {from}. Cause: {cause}.")
}

impl Signal {
    /// All there are.
    const ALL: [Self; 5] = [
        Self::Cpu,
        Self::Memory,
        Self::Requests,
        Self::Concurrency,
        Self::Queue,
    ];

    /// The one whose key this is.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signal| signal.key() == key)
    }

    /// The manifest's key.
    pub fn key(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Requests => "requests",
            Self::Concurrency => "concurrency",
            Self::Queue => "queue",
        }
    }

    /// Whether only what answers requests has it.
    pub fn is_of_requests(self) -> bool {
        matches!(self, Self::Requests | Self::Concurrency | Self::Queue)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl ScalingSpec {
    /// How many tasks it has while it is awake, if `count` are wanted.
    pub fn clamp(&self, count: u32) -> u32 {
        count.clamp(self.min.max(1), self.max)
    }

    /// How many tasks it has from now on if a person chooses so many: none is for those that may sleep, and aren't being
    /// deployed.
    pub(crate) fn chosen(&self, wanted: Wanted) -> u32 {
        match (wanted.count, wanted.deploying) {
            (0, Deploying::No) if self.may_sleep() => 0,
            (count, _) => self.clamp(count),
        }
    }

    /// Whether it may have none.
    pub fn may_sleep(&self) -> bool {
        self.idle.is_some()
    }

    /// How requests wait for it while it sleeps, if it may.
    pub fn hold(&self) -> Option<Hold> {
        Hold::new(self.idle?.wait, Hold::MOST).ok()
    }
}
