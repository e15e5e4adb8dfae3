//! Tasks: one running copy of a definition each.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A task. State and health are told apart: RUNNING is not healthy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Names the task.
    pub task_id: String,
    /// The beginning of the id that names this task alone, for now.
    pub short_id: String,
    /// Its namespace.
    pub namespace: String,
    /// Whose it is: `service:<name>` or `family:<name>`.
    pub group: String,
    /// `family:revision` it runs.
    pub task_definition: String,
    /// The deployment that started it; none for a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<String>,
    /// The run of its job that it belongs to: `report/17`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Which of the run's tasks it is an attempt at, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Which attempt at it, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Where it is in its life.
    pub last_status: TaskStatus,
    /// Where it shall be: RUNNING or STOPPED.
    pub desired_status: TaskStatus,
    /// Apart from the state: whether it does what it is there for.
    pub health_status: HealthStatus,
    /// Why it is where it is: what it waits for while PENDING, why it is unhealthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What kind of thing stopped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_code: Option<StopCode>,
    /// Why it was stopped, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_reason: Option<String>,
    /// The guest's exit code, of one that ran to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// How many times in a row a task of this place in the service was restarted before it.
    pub restarts: u32,
    /// Why the task in this place before it ended, where it was restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reason: Option<String>,
    /// What this run of a job changes over its definition.
    #[serde(default, skip_serializing_if = "TaskOverrides::is_empty")]
    pub overrides: TaskOverrides,
    /// CPU units; 1024 are one vCPU.
    pub cpu: u32,
    /// The memory envelope, in bytes.
    pub memory_limit_bytes: u64,
    /// CPU time used, in milliseconds.
    pub cpu_used_ms: u64,
    /// Time it was paused for being over its CPU, in milliseconds.
    pub cpu_throttled_ms: u64,
    /// Memory held now, in bytes.
    pub memory_bytes: u64,
    /// The most it held, in bytes.
    pub memory_peak_bytes: u64,
    /// Requests answered or failed.
    pub requests: u64,
    /// Requests being handled now.
    pub in_flight: u32,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it became RUNNING.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it was told to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub stopping_at: Option<Timestamp>,
    /// When it was gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub stopped_at: Option<Timestamp>,
}

/// ECS's task states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskStatus {
    /// It was decided that it shall be.
    Provisioning,
    /// It waits: for room, or for a secret.
    Pending,
    /// Its first instance is being made.
    Activating,
    /// It serves or runs.
    Running,
    /// It gets no new requests and ends those it has.
    Deactivating,
    /// It is being told to end.
    Stopping,
    /// What it held is given back.
    Deprovisioning,
    /// It is gone; the record stays a while.
    Stopped,
}

/// Whether a task does what it is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HealthStatus {
    /// Not known (yet): no check was made.
    Unknown,
    /// It does.
    Healthy,
    /// It doesn't; the reason says why.
    Unhealthy,
}

/// What kind of thing stopped a task (ECS's codes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum StopCode {
    /// It never came to RUNNING.
    TaskFailedToStart,
    /// The guest ended by itself.
    EssentialContainerExited,
    /// A person asked.
    UserInitiated,
    /// The service didn't need it any more, or replaced it.
    ServiceSchedulerInitiated,
    /// The server stopped.
    TerminationNotice,
}

/// Tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskList {
    /// Newest first.
    pub tasks: Vec<Task>,
}

/// What a run changes over its definition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskOverrides {
    /// Replaces the definition's arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
    /// Added to the definition's environment, over a variable of the same name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Added to the definition's secrets, over one of the same environment name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// CPU units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// The memory envelope, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

impl TaskOverrides {
    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Stops a task. A service's task is replaced by a new one.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StopTask {
    /// Why, for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
