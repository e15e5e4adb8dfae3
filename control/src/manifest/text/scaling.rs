//! `[scaling]` as it is written.

use serde::{Deserialize, Serialize};

/// `[scaling]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScalingText {
    /// The fewest tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// The most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// Percent of the CPU reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<i64>,
    /// Percent of the memory envelope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<i64>,
    /// Requests a second of each task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<i64>,
    /// Requests under way of each task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<i64>,
    /// Requests that wait in each task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<i64>,
    /// How long after tasks were taken away no more are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown_in: Option<String>,
    /// How long tasks that were added are given to take effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown_out: Option<String>,
    /// How long without requests until the service sleeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<String>,
    /// How long a request waits for a service that sleeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<String>,
}
