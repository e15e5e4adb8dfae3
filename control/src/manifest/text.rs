//! The manifest as it is written: the same types read `wharf.toml` and the JSON of a deployment.
//!
//! Everything is optional and numbers are wide here, so that what is missing or out of range is reported
//! with its place, together with everything else, by the checks that make a [`Manifest`](super::Manifest).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use deployment::*;
pub use listener::*;
pub use routing::*;
pub use scaling::ScalingText;
pub use target_group::*;

use crate::names::Digest;

mod deployment;
mod listener;
mod routing;
mod scaling;
mod target_group;

/// A whole `wharf.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestText {
    /// The service, its task-definition family, or the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What one task is.
    #[serde(default)]
    pub task: TaskText,
    /// Present for a service; without it and `[job]`, a service of one task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceText>,
    /// How to tell that a task works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthText>,
    /// How a new revision comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentText>,
    /// How many tasks there are, by load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<ScalingText>,
    /// Which requests come here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub route: Vec<RouteText>,
    /// Targets outside that its routes forward to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_group: Vec<TargetGroupText>,
    /// Present for a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobText>,
}

/// `[task]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskText {
    /// The component's file, or its digest once it was uploaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// The command that builds it; not sent to the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// CPU units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<i64>,
    /// The memory envelope, `"64MiB"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Wall-clock limit per request or job, `"30s"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// CPU-time limit per request or job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_timeout: Option<String>,
    /// How long a stopping task may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<String>,
    /// `"request"` or `"task"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<String>,
    /// Requests at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<i64>,
    /// Requests that may wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<i64>,
    /// Requests per instance, with isolation `"task"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_requests: Option<i64>,
    /// Whether idle CPU may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_burst: Option<bool>,
    /// Arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Plain environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Environment name → `secret[:json-key][@version]`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// Where the guest may connect to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<String>,
    /// Files that travel with the component.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileText>,
}

/// One of `files`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileText {
    /// A folder or file, relative to the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The folder the guest sees it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount: Option<String>,
}

/// `[service]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceText {
    /// How many tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    /// Which task gets the next request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// How long a task that has just become healthy gets less than its share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_start: Option<String>,
    /// How long a client stays with the task it first met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stickiness: Option<String>,
    /// Whether all get requests when none is healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_open: Option<bool>,
}

/// `[health]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthText {
    /// What is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// How long an answer may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Passes in a row that make a task healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<i64>,
    /// Failures in a row that make it unhealthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unhealthy: Option<i64>,
    /// Which statuses pass, `"200-399"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codes: Option<String>,
    /// For how long after the start failures don't count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<String>,
    /// Decides on traffic only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness: Option<CheckText>,
    /// Decides on replacement only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness: Option<CheckText>,
    /// Comes before the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup: Option<CheckText>,
}

/// `[health.readiness]`, `[health.liveness]`, `[health.startup]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckText {
    /// What is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// How long an answer may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Passes in a row that make a task healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<i64>,
    /// Failures in a row that make it unhealthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unhealthy: Option<i64>,
    /// Which statuses pass, `"200-399"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codes: Option<String>,
}

/// `[job]`. A job of one task that runs when it is asked to needs nothing said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobText {
    /// How many tasks a run has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    /// How many of them go at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<i64>,
    /// How often each is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<i64>,
    /// The wait before the first retry, `"10s"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<String>,
    /// How long a whole run may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// How long an ended run is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// How many ended runs are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<i64>,
    /// When it runs by itself, `"0 3 * * *"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// By whose clocks, `"Europe/Paris"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// `"allow"`, `"forbid"` or `"replace"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_policy: Option<String>,
    /// How late a run may start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starting_deadline: Option<String>,
}

impl ManifestText {
    /// What is sent to the server: the component by its digest, and nothing of the machine it was built on.
    #[must_use]
    pub fn packaged(mut self, component: &Digest) -> Self {
        self.task.component = Some(component.to_string());
        self.task.build = None;
        self
    }
}
