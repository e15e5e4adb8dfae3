//! Jobs and their runs.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::Overrides;
use super::states::{RunState, StopCode};
use crate::names::{Family, FamilyRevision, NamespaceName, Revision};

/// Tasks that a run may have.
pub const MAX_JOB_TASKS: u32 = 1000;

/// How often a failed task may be tried again.
pub const MAX_RETRIES: u32 = 100;

/// Attempts that a run may have, of all its tasks: each leaves a record.
pub const MAX_ATTEMPTS: u32 = 1000;

/// Ended runs that may be kept of a job.
pub const MAX_HISTORY: u32 = 100;

/// Ended runs that are kept where nothing is said (Kubernetes: 3 that succeeded and 1 that failed).
pub const DEFAULT_HISTORY: u32 = 10;

/// The wait before a second attempt where nothing is said (Kubernetes: 10 s).
pub const DEFAULT_BACKOFF: Duration = Duration::from_secs(10);

/// The longest wait before another attempt (Kubernetes: 6 minutes).
pub const LONGEST_BACKOFF: Duration = Duration::from_secs(6 * 60);

/// The number of a job's run, counted from 1 over the job's life: `report/17` is no other run, ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RunNumber(pub u64);

impl fmt::Display for RunNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A job that was run or deployed: the desired state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its namespace.
    pub namespace: NamespaceName,
    /// Its name.
    pub name: Family,
    /// The number of its latest run; 0 before the first.
    pub latest: RunNumber,
    /// Whether, and what, it runs by itself.
    pub schedule: Option<Schedule>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A job's schedule. When it is due is in the manifest of its revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// What is run.
    pub revision: Revision,
    /// Whether it is in force.
    pub status: ScheduleStatus,
    /// The latest time that was decided upon; what was due before it is done with.
    pub decided: Timestamp,
    /// When it was deployed, or changed.
    pub updated_at: Timestamp,
}

/// Whether a schedule is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleStatus {
    /// It is.
    Active,
    /// A person suspended it; what is due meanwhile is left out.
    Paused,
}

/// What a run is to do: a copy, which a new revision doesn't change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSpec {
    /// Tasks that have to succeed.
    pub count: u32,
    /// Tasks that go at once, at most.
    pub parallelism: u32,
    /// Attempts after the first that each task has.
    pub retries: u32,
    /// The wait before the second attempt; it doubles with each, up to [`LONGEST_BACKOFF`].
    pub backoff: Duration,
    /// How long the whole run may take, from when it was asked for.
    pub deadline: Option<Duration>,
    /// How long it is kept once it has ended; none: as long as there are not too many.
    pub ttl: Option<Duration>,
    /// How many ended runs of the job are kept, this one among them.
    pub history: u32,
}

/// One task, once.
impl Default for RunSpec {
    fn default() -> Self {
        Self {
            count: 1,
            parallelism: 1,
            retries: 0,
            backoff: DEFAULT_BACKOFF,
            deadline: None,
            ttl: None,
            history: DEFAULT_HISTORY,
        }
    }
}

impl RunSpec {
    /// Attempts there may be, of all tasks.
    pub fn attempts(&self) -> u32 {
        self.count.saturating_mul(self.retries.saturating_add(1))
    }

    /// For another number of tasks: those that went all at once still do.
    #[must_use]
    pub fn with_count(self, count: u32) -> Self {
        let parallelism = match self.parallelism == self.count {
            true => count,
            false => self.parallelism.min(count),
        };
        Self {
            count,
            parallelism,
            ..self
        }
    }
}

/// One run of a job: durable before anything of it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its namespace.
    pub namespace: NamespaceName,
    /// Whose run it is.
    pub job: Family,
    /// Which.
    pub number: RunNumber,
    /// What it runs.
    pub definition: FamilyRevision,
    /// What it is to do.
    pub spec: RunSpec,
    /// What it changes over the definition.
    pub overrides: Overrides,
    /// When it was due; none for one that a person asked for.
    pub due: Option<Timestamp>,
    /// How far it is.
    pub state: RunState,
    /// Why it shall end, if somebody wants that.
    pub cancelled: Option<Cancellation>,
    /// Why it is in its state.
    pub reason: Option<String>,
    /// The exit code of the task that decided it.
    pub exit_code: Option<i32>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it had ended.
    pub ended_at: Option<Timestamp>,
}

/// Why a run shall end before it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancellation {
    /// Who wants it: a person, or the schedule.
    pub code: StopCode,
    /// Why.
    pub reason: String,
    /// Since when. What failed for good before stays failed.
    pub at: Timestamp,
}

impl Run {
    /// `report/17`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.job, self.number)
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.state != RunState::InProgress
    }
}

/// A task's place in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The run.
    pub run: RunNumber,
    /// Which of its tasks, from 0.
    pub index: u32,
    /// Which attempt at it, from 1.
    pub attempt: u32,
}
