//! What the host has and who holds it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the host has, what is promised and used of it, who holds most and who waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Capacity {
    /// What the machine has.
    pub host: Resources,
    /// What may be promised in all: the host's, times its overcommit.
    pub limit: Resources,
    /// What is promised to tasks, of all namespaces.
    pub reserved: Resources,
    /// What they use.
    pub used: Resources,
    /// Who holds most, the largest first; of the namespaces that the token may see.
    pub holders: Vec<Holder>,
    /// How many hold something.
    pub holders_in_all: usize,
    /// Tasks that are PENDING, the oldest first; of the namespaces that the token may see.
    pub pending: Vec<PendingTask>,
    /// How many are.
    pub pending_in_all: usize,
}

/// An amount of both resources.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// CPU units; 1024 are one vCPU.
    pub cpu: u64,
    /// Memory, in bytes.
    pub memory_bytes: u64,
}

/// Who holds a part of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// Its namespace.
    pub namespace: String,
    /// Whose: `service:<name>` or `family:<name>`.
    pub group: String,
    /// The task's id, where tasks are told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// How many tasks.
    pub tasks: usize,
    /// What is promised to it.
    pub reserved: Resources,
    /// What it uses.
    pub used: Resources,
}

/// A task that waits for its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingTask {
    /// Names it.
    pub task_id: String,
    /// Its namespace.
    pub namespace: String,
    /// Whose it is: `service:<name>` or `family:<name>`.
    pub group: String,
    /// What it wants.
    pub wants: Resources,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}
