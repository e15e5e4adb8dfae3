//! What `[job]` means.

use std::time::Duration;

use crate::jobs::cron::Cron;
use crate::model::RunSpec;

/// What a job is besides its tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSpec {
    /// What each of its runs is to do.
    pub run: RunSpec,
    /// When it runs by itself; never where there is none.
    pub schedule: Option<ScheduleSpec>,
}

/// When a job runs by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSpec {
    /// When it is due.
    pub cron: Cron,
    /// What happens when it is due while a run of it goes on.
    pub concurrency_policy: ConcurrencyPolicy,
    /// How late a run may start; none: as late as it gets.
    pub starting_deadline: Option<Duration>,
}

/// What happens when a job is due while a run of it goes on (Kubernetes' words).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConcurrencyPolicy {
    /// Another run begins beside it.
    Allow,
    /// The next one waits until it has ended, and begins then if it isn't too late.
    Forbid,
    /// It is cancelled, and the next one begins when it has ended.
    Replace,
}

impl ConcurrencyPolicy {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Forbid => "forbid",
            Self::Replace => "replace",
        }
    }
}
