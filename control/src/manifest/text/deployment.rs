//! `[deployment]` as it is written.

use serde::{Deserialize, Serialize};

/// `[deployment]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentText {
    /// In which way the new revision comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// The fewest healthy tasks meanwhile, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_healthy: Option<i64>,
    /// The most tasks meanwhile, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<i64>,
    /// By how much the share of the requests grows, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<i64>,
    /// How long the figures are watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bake: Option<String>,
    /// How long it may get nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// How many tasks may fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_tasks: Option<i64>,
    /// Whether the service goes back when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<bool>,
    /// How many more answers may be 5xx, in percent points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_errors: Option<i64>,
    /// How many answers a judgement needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_requests: Option<i64>,
}
