//! From bytes to a rollout: bundles, task definitions, deployments.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Route;

/// Makes uploaded blobs a bundle: validates and compiles the component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegisterBundle {
    /// The component's digest, `sha256:<hex>`; its blob was uploaded before.
    pub component: String,
    /// The files that travel with it, by where they are mounted.
    #[serde(default)]
    pub files: Vec<BundleMount>,
}

/// A folder the guest sees, read-only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleMount {
    /// Where the guest sees it: `/static`. As in the manifest's `files`.
    pub mount: String,
    /// What is in it.
    pub entries: Vec<BundleFile>,
}

/// One file of a mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleFile {
    /// Below the mount, `/` between its parts: `css/site.css`.
    pub path: String,
    /// The content's digest, `sha256:<hex>`; its blob was uploaded before.
    pub digest: String,
}

/// A registered bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bundle {
    /// Names the bundle in a deployment, `sha256:<hex>`.
    pub digest: String,
    /// What the component can be run as.
    pub world: World,
}

/// What a component can be run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum World {
    /// `wasi:http/proxy`: answers requests.
    Http,
    /// `wasi:cli/command`: runs, as a job or a worker.
    Command,
}

/// Asks for a service to run a bundle as a manifest says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateDeployment {
    /// A registered bundle's digest.
    pub bundle: String,
    /// `wharf.toml` as JSON, the same keys. `task.component` is the component's digest; of
    /// `task.files` the mounts count, which need to be the bundle's.
    #[schema(value_type = Object)]
    pub manifest: serde_json::Value,
}

/// One rollout of a service to a revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// Names the deployment.
    pub id: String,
    /// The service that is rolled.
    pub service_name: String,
    /// `family:revision` it is rolled to.
    pub task_definition: String,
    /// Whether the service ran this revision already, so that nothing had to be done.
    pub unchanged: bool,
    /// What the deploy changed of the service all the same, at once: in the answer to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ServiceChange>,
    /// How far it is.
    pub rollout_state: RolloutState,
    /// Why it is in that state; what it waits for while in progress.
    pub rollout_state_reason: String,
    /// In which way: `rolling`, `canary`, `linear` or `recreate`.
    pub strategy: String,
    /// What is being done; once it has ended, what was done last.
    pub stage: RolloutStage,
    /// Whether it is held until it is continued.
    pub paused: bool,
    /// What was seen of the revision.
    pub figures: RevisionFigures,
    /// What was seen of the revision it replaces, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<RevisionFigures>,
    /// The deployment that this one undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_of: Option<String>,
    /// The deployment that undoes this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_by: Option<String>,
    /// How many tasks of the revision there shall be.
    pub desired_count: u32,
    /// How many are on their way.
    pub pending_count: u32,
    /// How many are RUNNING.
    pub running_count: u32,
    /// How many are RUNNING and healthy.
    pub healthy_count: u32,
    /// How many of its tasks failed so far.
    pub failed_tasks: u32,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Where the service answers; empty for a worker.
    pub urls: Vec<String>,
}

/// Something of a service that is no revision's, and was changed by a deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceChange {
    /// What was changed.
    pub what: ChangedPart,
    /// What a count was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    /// What a count is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u32>,
}

/// What a service has of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ChangedPart {
    /// How many tasks it is to have.
    DesiredCount,
    /// `[scaling]`.
    Scaling,
    /// `[deployment]`.
    Deployment,
}

/// Deployments, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentList {
    /// Newest first.
    pub deployments: Vec<Deployment>,
}

/// Asks for a service to go back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollBack {
    /// To this revision; without one, to the completed one before the one that runs, or, while a deployment is in
    /// progress, to the one before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

/// How far a rollout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RolloutState {
    /// Tasks are being started or replaced.
    InProgress,
    /// The service runs the revision and nothing else.
    Completed,
    /// It was given up; the reason says why.
    Failed,
    /// A person gave it up.
    Aborted,
    /// A newer one took its place before it had ended.
    Superseded,
}

/// What a deployment is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RolloutStage {
    /// The old tasks stop before the new ones start.
    ScaleDown,
    /// The new tasks start; with strategy rolling, the old ones make room for them.
    ScaleUp,
    /// The new revision's answers are watched.
    BakeTime,
    /// The old tasks stop.
    CleanUp,
}

/// What was seen of a revision while it was rolled out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevisionFigures {
    /// `family:revision`.
    pub task_definition: String,
    /// Its share of the requests, in percent; absent where all tasks are alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Requests it had an answer to since the deployment began, the gateway's own answers included.
    pub requests: u64,
    /// Those answered 5xx.
    pub errors: u64,
    /// Within what time 99 in 100 had the head of their answer, in milliseconds; absent without a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
    /// CPU time its tasks used since the deployment began, in milliseconds.
    pub cpu_used_ms: u64,
}

/// An immutable revision of what to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskDefinition {
    /// The family: a service's or a job's name.
    pub family: String,
    /// Counts from 1.
    pub revision: u64,
    /// The bundle's digest.
    pub bundle: String,
    /// The component's digest.
    pub component: String,
    /// What the component is run as.
    pub world: World,
    /// CPU units; 1024 are one vCPU.
    pub cpu: u32,
    /// The memory envelope, in bytes.
    pub memory_bytes: u64,
    /// Plain environment.
    pub environment: BTreeMap<String, String>,
    /// Environment name → the secret it comes from, never its value.
    pub secrets: BTreeMap<String, String>,
    /// Arguments.
    pub args: Vec<String>,
    /// Whether it may use CPU that nobody else wants.
    pub cpu_burst: bool,
    /// The time one request or the job may take, in milliseconds.
    pub timeout_ms: u64,
    /// The CPU time one request or the job may take, in milliseconds.
    pub cpu_timeout_ms: u64,
    /// The time a task may take to stop, in milliseconds.
    pub stop_timeout_ms: u64,
    /// Whether requests share instances.
    pub isolation: Isolation,
    /// Requests an instance serves before it is replaced; with isolation `task`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_requests: Option<u32>,
    /// Requests a task handles at once.
    pub concurrency: u32,
    /// Requests that may wait for a task.
    pub queue: u32,
    /// Where it may connect to.
    pub egress: Vec<String>,
    /// The files it sees.
    pub files: Vec<DefinitionFiles>,
    /// How to tell that a task works; without it, one that runs does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthChecks>,
    /// Which requests come to the service; where it answers them and this is empty, those to its default host.
    pub routes: Vec<Route>,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    pub registered_at: Timestamp,
}

/// Whether requests share instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Isolation {
    /// Each has one of its own.
    Request,
    /// They share the task's.
    Task,
}

/// A folder of files that travels with the definition's bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DefinitionFiles {
    /// Where the guest sees it.
    pub mount: String,
    /// How many files are in it.
    pub files: usize,
}

/// How to tell that a task works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthChecks {
    /// A task that fails it gets no requests and is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<HealthCheck>,
    /// A task that fails it gets no requests until it passes again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness: Option<HealthCheck>,
    /// A task that fails it is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness: Option<HealthCheck>,
    /// Before it has passed, the others are not made; a task that fails it is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup: Option<HealthCheck>,
    /// For how long after a task's start failures don't count, in milliseconds.
    pub grace_ms: u64,
}

/// One way of asking a task whether it works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheck {
    /// What is asked for.
    pub path: String,
    /// From the end of one check to the start of the next, in milliseconds.
    pub interval_ms: u64,
    /// How long an answer may take, in milliseconds.
    pub timeout_ms: u64,
    /// Passes in a row that make an unhealthy task healthy.
    pub healthy: u32,
    /// Failures in a row that make a task unhealthy.
    pub unhealthy: u32,
    /// The statuses that pass: `200-399`.
    pub codes: String,
}

/// Task definitions, newest revision first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskDefinitionList {
    /// Newest revision first within a family.
    pub task_definitions: Vec<TaskDefinition>,
}
