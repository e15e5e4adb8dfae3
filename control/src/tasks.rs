//! Tasks that live: what carries them out, who drives each through its states, and where all are known.
//!
//! [`Executor`] is the seam between deciding and doing. The real one ([`host`]) runs components in the
//! runtime and registers them with the gateway; the control loop's tests have one that does nothing but
//! keep time.

use std::any::Any;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use wharf_gateway::{Demand, Hold, Tally};
use wharf_runtime::{Amount, Bytes, CpuUnits};

use crate::blueprint::Blueprint;
use crate::model::{Health, Task, Usage, World};
use crate::names::{Digest, NamespaceName, Revision, ServiceName};
use crate::refusal::Refusal;

pub(crate) mod driver;
pub mod host;
mod live;
pub mod registry;
mod target;

pub use registry::Registry;

/// What a task is made from.
#[derive(Debug, Clone)]
pub struct Order {
    /// The task, as it is recorded: its id, its sizes, its overrides.
    pub task: Task,
    /// What it runs; of a job, with what its run changes.
    pub blueprint: Arc<Blueprint>,
}

/// A place on the host; dropped, it is given back.
pub struct Room(#[expect(dead_code, reason = "held for its drop")] Box<dyn Any + Send + Sync>);

impl Room {
    /// A place that `guard` holds.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Room")
    }
}

/// A component that can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prepared {
    /// What it can be run as.
    pub world: World,
    /// The memory of the smallest task that one instance fits into.
    pub least_memory: Bytes,
}

/// What a host has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostCapacity {
    /// The machine's own.
    pub host: Amount,
    /// What may be promised in all.
    pub limit: Amount,
    /// What is.
    pub reserved: Amount,
}

/// Carries out what was decided.
#[async_trait]
pub trait Executor: fmt::Debug + Send + Sync + 'static {
    /// Validates a component and compiles it, unless that was done before.
    ///
    /// # Errors
    /// What isn't acceptable: the import, the byte offset.
    async fn prepare(&self, component: &Path, digest: &Digest) -> Result<Prepared, Refusal>;

    /// Whether a task of this size could run on this host if it were alone.
    ///
    /// # Errors
    /// What the host lacks, with figures.
    fn could_ever_fit(&self, cpu: CpuUnits, memory: Bytes) -> Result<(), String>;

    /// What the host has, and what of it is promised.
    fn capacity(&self) -> HostCapacity;

    /// What the task needs that a person has to give first, if anything: a secret that isn't there.
    async fn missing(&self, order: &Order) -> Option<String>;

    /// Takes a place for the task.
    ///
    /// # Errors
    /// What the host lacks, with figures.
    fn reserve(&self, order: &Order) -> Result<Room, String>;

    /// Brings the task to RUNNING: loads what it runs, makes a first instance, registers it where its requests come from.
    ///
    /// # Errors
    /// Why it can't run, or what there is to wait for first: that is not done here.
    async fn activate(&self, order: Order) -> Result<Arc<dyn LiveTask>, NotActivated>;

    /// Compiles what the task runs, unless that was done before.
    ///
    /// # Errors
    /// Why it can't run, for people.
    async fn compile(&self, order: &Order) -> Result<(), String>;

    /// Makes services reachable as they shall be from now on, and those without an exposure not any more. The others
    /// stay as they are.
    ///
    /// # Errors
    /// Why not; then all are as they were.
    fn expose(&self, changes: Vec<((NamespaceName, ServiceName), Option<Exposure>)>) -> Result<(), Refusal>;

    /// Gives revisions of a service shares of its requests; with none, all tasks are alike.
    fn share(&self, namespace: &NamespaceName, name: &ServiceName, shares: &[(Revision, u32)]);

    /// What was counted of the requests to each revision of a service, as long as it had tasks lately.
    fn tallies(&self, namespace: &NamespaceName, name: &ServiceName) -> Vec<(Revision, Tally)>;

    /// The last lines that a task wrote, oldest first; of one that wrote none, the last that were written about it.
    async fn last_lines(&self, task: &Task, lines: usize) -> Vec<String>;

    /// What is asked of a service now; none if requests can't reach it.
    fn demand(&self, namespace: &NamespaceName, service: &ServiceName) -> Option<Demand>;

    /// Waits until requests wait for services that have no tasks, and says for which. Safe to drop and call again.
    async fn wanted(&self) -> Vec<(NamespaceName, ServiceName)>;

    /// Drops what it keeps for a service or job that is gone: its target group, its logs, its data.
    async fn forget(&self, namespace: &NamespaceName, name: &ServiceName);
}

/// Why a task didn't come to RUNNING.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotActivated {
    /// What it runs is not compiled, or not yet.
    NotCompiled,
    /// The host has no memory for an instance now.
    NoRoom,
    /// It can't run; why, for people.
    Failed(String),
}

/// A service that requests shall reach.
#[derive(Debug, Clone)]
pub struct Exposure {
    /// Whose routes are in force, and what it says of its target group.
    pub blueprint: Arc<Blueprint>,
    /// How long requests wait while it has no task; none: not at all.
    pub hold: Option<Hold>,
}

/// A task that is RUNNING.
#[async_trait]
pub trait LiveTask: Send + Sync {
    /// What it used so far.
    fn usage(&self) -> Usage;

    /// Follows its health.
    fn health(&self) -> watch::Receiver<HealthReport>;

    /// Resolves when the guest has ended by itself; never for one that answers requests. Safe to drop and
    /// call again.
    async fn exited(&self) -> Exit;

    /// Takes it out of its target group and waits until it has no requests, for `limit` at most.
    async fn drain(&self, limit: Duration) -> Drained;

    /// Ends it: asked to for `limit` at most, then dropped. Says how the guest ended, if it did so by itself.
    async fn stop(&self, limit: Duration) -> Option<Exit>;
}

/// A task's health and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthReport {
    /// The health.
    pub health: Health,
    /// Why it is unhealthy.
    pub reason: Option<String>,
    /// What is to be done about that.
    pub remedy: Remedy,
    /// Whether requests reach it as they reach one that is well.
    pub traffic: Traffic,
}

/// Whether a target gets requests for its own sake, and not only because there is none that is well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Traffic {
    /// They go to others.
    #[default]
    Withheld,
    /// They come to it: it is well, or nothing but its liveness fails.
    Given,
}

/// What is to be done about an unhealthy task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Remedy {
    /// It is left to recover; it has no requests meanwhile.
    #[default]
    Wait,
    /// Another takes its place.
    Replace,
}

impl HealthReport {
    /// Nobody looked yet.
    pub fn unknown() -> Self {
        Self {
            health: Health::Unknown,
            reason: None,
            remedy: Remedy::Wait,
            traffic: Traffic::Withheld,
        }
    }

    /// All well.
    pub fn healthy() -> Self {
        Self {
            health: Health::Healthy,
            reason: None,
            remedy: Remedy::Wait,
            traffic: Traffic::Given,
        }
    }
}

/// How a task's way out of its target group ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// All its requests have ended.
    Idle,
    /// Time was up, with this many requests left, which were cut off.
    CutOff(u32),
}

/// How a guest ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code, if it ran to its end.
    pub code: Option<i32>,
    /// In words: `exited with code 3`.
    pub reason: String,
}
