//! A task in the registry: its record, and what can't be stored.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::blueprint::Blueprint;
use crate::model::Task;
use crate::reconciler::plan::Blocker;
use crate::tasks::{LiveTask, Remedy, Traffic};

/// A task and what is known of it besides its record.
pub(crate) struct Entry {
    pub(crate) task: Task,
    pub(crate) blueprint: Option<Arc<Blueprint>>,
    pub(crate) live: Option<Arc<dyn LiveTask>>,
    /// What it waits for while PENDING.
    pub(crate) blocked: Option<Blocker>,
    /// What is to be done while it is unhealthy.
    pub(crate) remedy: Remedy,
    /// Whether requests reach it as they reach one that is well.
    pub(crate) traffic: Traffic,
    /// A person stopped it; until then it may be kept for its successor's sake.
    pub(crate) kept: Option<Instant>,
    /// Cancelled to stop it.
    pub(crate) stop: CancellationToken,
    /// Whether a driver has it.
    pub(crate) driven: Driven,
    /// Whether its failure was counted: a task fails once, even if it is unhealthy first and exits then.
    pub(crate) failure: Failure,
    /// Since when it is RUNNING.
    pub(crate) running_since: Option<Instant>,
}

/// Whether the store has a task's record as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Saved {
    /// It has.
    Yes,
    /// The next batch writes it.
    No,
}

/// Whether a driver has a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Driven {
    /// It waits for its place.
    No,
    /// It has one.
    Yes,
}

/// Whether a task's failure was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It didn't fail so far.
    None,
    /// It did, and its place has a vacancy.
    Counted,
}

impl Entry {
    /// A task that nothing was done for yet.
    pub(crate) fn new(task: Task, blueprint: Option<Arc<Blueprint>>) -> Self {
        Self {
            task,
            blueprint,
            live: None,
            blocked: None,
            remedy: Remedy::Wait,
            traffic: Traffic::Withheld,
            kept: None,
            stop: CancellationToken::new(),
            driven: Driven::No,
            failure: Failure::None,
            running_since: None,
        }
    }

    /// Until when it is kept although it shall stop, if it is.
    pub(crate) fn kept_until(&self) -> Option<Instant> {
        self.kept.filter(|_| !self.stop.is_cancelled())
    }
}
