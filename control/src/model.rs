//! What the store holds, as the rest of the crate sees it: namespaces, bundles, definitions, services,
//! deployments, tasks.
//!
//! These are core types and not `Serialize`; [`stored`] has the versioned forms that reach the disk and
//! the conversions, [`keys`] the layout of the store's keys.

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;
use wharf_runtime::Bytes;

use crate::manifest::DeploymentSpec;
use crate::names::{Digest, Family, FamilyRevision, NamespaceName, Revision, ServiceName, TaskId};
use crate::scaling::ScalingSpec;

mod deployment;
pub mod job;
pub mod keys;
pub mod states;
pub mod stored;

pub use deployment::{Compared, Deployment, Figures};
pub use job::{
    Cancellation, DEFAULT_BACKOFF, DEFAULT_HISTORY, Job, LONGEST_BACKOFF, MAX_ATTEMPTS, MAX_HISTORY,
    MAX_JOB_TASKS, MAX_RETRIES, Place, Run, RunNumber, RunSpec, Schedule, ScheduleStatus,
};
pub use states::{DesiredStatus, Health, Pace, RolloutState, RunState, Stage, StopCode, TaskStatus};

/// A deployment's id: 32 lower-case hexadecimal digits, in the order of their making.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeploymentId(String);

impl DeploymentId {
    /// A new id, later in order than those before it.
    pub fn generate() -> Self {
        Self(Uuid::now_v7().simple().to_string())
    }

    /// The id spelled `text`; whether there is such a deployment is the store's to say.
    pub fn from_text(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A tenant's boundary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// Its name.
    pub name: NamespaceName,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A listener, a target group or a route that stands by itself: the key says which, and whose.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// Its text form as JSON. It is validated each time it is read, as it was when it came in.
    pub definition: serde_json::Value,
    /// When it last changed.
    pub applied_at: Timestamp,
}

/// What a component can be run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum World {
    /// It answers requests.
    Http,
    /// It runs, as a job or a worker.
    Command,
}

/// A validated, compiled set of blobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Names it.
    pub digest: Digest,
    /// The component's blob.
    pub component: Digest,
    /// What the component can be run as.
    pub world: World,
    /// The memory of the smallest task that one instance of the component fits into.
    pub least_memory: Bytes,
    /// The files that travel with it.
    pub mounts: Vec<BundleMount>,
}

/// A folder of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleMount {
    /// Where the guest sees it.
    pub mount: String,
    /// Path below the mount → blob.
    pub entries: Vec<(String, Digest)>,
}

/// An immutable revision of what to run: the manifest it was registered with, and its bundle.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// `family:revision`.
    pub id: FamilyRevision,
    /// The bundle it runs.
    pub bundle: Digest,
    /// What the component is run as.
    pub world: World,
    /// Digest of everything that makes it differ from another revision.
    pub content: Digest,
    /// The manifest's text form as JSON. It is validated each time it is read, as it was when it came in.
    pub manifest: serde_json::Value,
    /// When it was registered.
    pub registered_at: Timestamp,
}

/// What a service's tasks do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceKind {
    /// They answer requests.
    Http,
    /// They run, and are started again when they end.
    Worker,
}

/// Whether a service is there to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceStatus {
    /// It is.
    Active,
    /// It was deleted; its tasks are being stopped.
    Draining,
}

/// N tasks of a definition, kept running: the desired state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its namespace.
    pub namespace: NamespaceName,
    /// Its name.
    pub name: ServiceName,
    /// What its tasks do.
    pub kind: ServiceKind,
    /// Whether it is there to stay.
    pub status: ServiceStatus,
    /// How many tasks there shall be.
    pub count: u32,
    /// How many the stable revision has: differs from `count` only while a deployment that changes it is in
    /// progress.
    pub stable_count: u32,
    /// How often a person chose the count: what scaling chose before such a choice, and wasn't written yet, is over.
    pub choices: u64,
    /// The revision to run; none after a first deployment that failed.
    pub goal: Option<Revision>,
    /// The revision of the last completed deployment: where a failed one goes back to.
    pub stable: Option<Revision>,
    /// The deployment in progress.
    pub rollout: Option<DeploymentId>,
    /// In which way it is deployed, as was said last; its bounds hold for what is replaced, too.
    pub deployment: DeploymentSpec,
    /// How many tasks it has by load, if that is asked for.
    pub scaling: Option<ScalingSpec>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Service {
    /// The revision that has its requests: the last completed one, until its successor is. What failed and stays is not
    /// what they are for.
    pub fn runs(&self) -> Option<Revision> {
        self.stable.or(self.goal)
    }
}

/// Whose a task is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// A service's.
    Service(ServiceName),
    /// A job's.
    Job(Family),
}

impl Group {
    /// The service's or the job's name.
    pub fn name(&self) -> &ServiceName {
        match self {
            Self::Service(name) | Self::Job(name) => name,
        }
    }
}

/// `service:api`, `family:report`, as ECS writes a task's group.
impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(name) => write!(f, "service:{name}"),
            Self::Job(name) => write!(f, "family:{name}"),
        }
    }
}

/// What a job's run changes over its definition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Replaces the arguments.
    pub args: Option<Vec<String>>,
    /// Environment, over the definition's.
    pub env: Vec<(String, String)>,
    /// Environment name → secret reference, over the definition's.
    pub secrets: Vec<(String, String)>,
    /// CPU units.
    pub cpu: Option<u32>,
    /// Bytes of memory.
    pub memory: Option<u64>,
}

/// What a task used, as it was last looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time, in milliseconds.
    pub cpu_ms: u64,
    /// Time paused for being over its CPU, in milliseconds.
    pub throttled_ms: u64,
    /// Memory held, in bytes.
    pub memory: u64,
    /// The most memory held, in bytes.
    pub memory_peak: u64,
    /// Requests so far.
    pub requests: u64,
    /// Requests being handled.
    pub in_flight: u32,
}

impl Usage {
    /// Whether a record of `other` says the same: what is held and handled belongs to the moment.
    pub fn is_recorded_as(&self, other: &Self) -> bool {
        let recorded = |usage: &Self| {
            (
                usage.cpu_ms,
                usage.throttled_ms,
                usage.memory_peak,
                usage.requests,
            )
        };
        recorded(self) == recorded(other)
    }
}

/// Why a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// What kind of thing stopped it.
    pub code: StopCode,
    /// Why, for people.
    pub reason: String,
    /// The guest's exit code, if it ran to its end.
    pub exit_code: Option<i32>,
}

impl Stopped {
    /// Whether the guest did what it was there for: it ended by itself, and says so. One that was told to stop and ends
    /// in good order has not.
    pub fn is_success(&self) -> bool {
        self.code == StopCode::EssentialContainerExited && self.exit_code == Some(0)
    }
}

/// One running copy of a definition: the observed state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Names it.
    pub id: TaskId,
    /// Its namespace.
    pub namespace: NamespaceName,
    /// Whose it is.
    pub group: Group,
    /// What it runs.
    pub definition: FamilyRevision,
    /// The deployment that was current when it was started.
    pub deployment: Option<DeploymentId>,
    /// Its place in a run of its job.
    pub place: Option<Place>,
    /// Where it is in its life.
    pub status: TaskStatus,
    /// Where it shall be.
    pub desired: DesiredStatus,
    /// Whether it does what it is there for.
    pub health: Health,
    /// What it waits for, or why it is unhealthy.
    pub reason: Option<String>,
    /// Why it ended or is ending.
    pub stopped: Option<Stopped>,
    /// Failures in a row of its place in the service before it.
    pub restarts: u32,
    /// Why the task in its place before it failed.
    pub last_reason: Option<String>,
    /// CPU units it was given.
    pub cpu: u32,
    /// Bytes of memory it was given.
    pub memory: u64,
    /// What the run changes over the definition.
    pub overrides: Overrides,
    /// What it used.
    pub usage: Usage,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it became RUNNING.
    pub started_at: Option<Timestamp>,
    /// When it was told to stop.
    pub stopping_at: Option<Timestamp>,
    /// When it was gone.
    pub stopped_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests;
