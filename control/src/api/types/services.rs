//! Services: N tasks of a definition, kept running.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Deployment, Event, Task};

/// A service as lists show it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Its name, unique in the namespace.
    pub service_name: String,
    /// Its namespace.
    pub namespace: String,
    /// Whether it is there to stay.
    pub status: ServiceStatus,
    /// What its tasks do.
    pub kind: ServiceKind,
    /// `family:revision` that runs: of the last completed deployment, of the first until there is one; none after a first
    /// deployment that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_definition: Option<String>,
    /// How many tasks there shall be.
    pub desired_count: u32,
    /// How many tasks are RUNNING.
    pub running_count: u32,
    /// How many tasks are on their way to RUNNING.
    pub pending_count: u32,
    /// How many tasks are RUNNING and healthy.
    pub healthy_count: u32,
    /// How it scales by load; none if its count is what it is set to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
    /// Where it answers; empty for a worker.
    pub urls: Vec<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// How a service scales by load.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scaling {
    /// The fewest tasks. With 0 it sleeps when it is idle, and the first request wakes it.
    pub min_capacity: u32,
    /// The most tasks.
    pub max_capacity: u32,
    /// Whether it sleeps.
    pub asleep: bool,
    /// What is kept at which value.
    pub targets: Vec<ScalingTarget>,
    /// The latest change that scaling decided since the server started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_activity: Option<ScalingActivity>,
}

/// A signal that is kept at a value: an average over the service's tasks.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScalingTarget {
    /// `cpu`, `memory` (percent of what is reserved), `requests` (a second), `concurrency` (under way), `queue`.
    pub signal: String,
    /// Where it is kept.
    pub target_value: u32,
    /// Where it was when it was last looked, a second ago; none without data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_value: Option<f64>,
}

/// A change of the desired count.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScalingActivity {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How many tasks there were to be before.
    pub from: u32,
    /// How many since.
    pub to: u32,
    /// Why.
    pub cause: String,
}

/// Whether a service is there to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceStatus {
    /// It is.
    Active,
    /// It was deleted; its tasks are being stopped.
    Draining,
}

/// What a service's tasks do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ServiceKind {
    /// They answer requests.
    Http,
    /// They run, and are started again when they end.
    Worker,
}

/// Services.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceList {
    /// Sorted by name.
    pub services: Vec<Service>,
    /// Those whose records can't be read, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<DamagedService>,
}

/// A service whose record can't be read.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DamagedService {
    /// Its name.
    pub service_name: String,
    /// What is wrong.
    pub error: String,
}

/// All there is to say about a service.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceDescription {
    /// The service.
    pub service: Service,
    /// Its latest deployments, newest first.
    pub deployments: Vec<Deployment>,
    /// Its tasks: those that are not stopped, then the latest stopped ones.
    pub tasks: Vec<Task>,
    /// Its latest events, newest first.
    pub events: Vec<Event>,
}

/// Changes a service.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateService {
    /// How many tasks there shall be; 0 stops all.
    pub desired_count: u32,
}
