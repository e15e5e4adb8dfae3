//! What is written about targets outside: `[[target_group]]`.

use serde::{Deserialize, Serialize};

/// One `[[target_group]]`: targets outside that can stand in for one another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetGroupText {
    /// What `forward` calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `http(s)://host:port` of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetText>,
    /// `http1`, `http2` or `grpc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `round_robin`, `least_outstanding_requests`, `weighted_random` or `power_of_two`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// How long a target that has just become healthy gets less than its share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_start: Option<String>,
    /// How long a client stays with the target it first met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stickiness: Option<String>,
    /// Whether all get requests when none is healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_open: Option<bool>,
    /// How long the requests of a target that is taken out may go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deregistration_delay: Option<String>,
    /// How long a connection may take to come about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<String>,
    /// How long TLS may take after that, for `https` targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_timeout: Option<String>,
    /// How long nothing may be heard while a request is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<String>,
    /// How long a connection is kept without a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_alive: Option<String>,
    /// Connections at once to each target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<i64>,
    /// The largest head of a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_head: Option<String>,
    /// Whether the certificates of `https` targets are checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_certificates: Option<bool>,
    /// Whose certificates `https` targets may have instead of the system's authorities': certificates in PEM form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities: Option<String>,
    /// Whom the certificates of `https` targets have to be for, if not the host of the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// How targets are checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<TargetHealthText>,
    /// When a failed request is tried on another target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryText>,
}

/// One of `targets`: its URL alone, or with a weight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TargetText {
    /// `"http://10.0.0.1:9000"`
    Url(String),
    /// `{ url = "http://10.0.0.1:9000", weight = 3 }`
    Weighted(WeightedTargetText),
}

/// A target with its share under `weighted_random`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightedTargetText {
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its share beside the others'; 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
}

/// `health` of a `[[target_group]]`; ALB's defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetHealthText {
    /// Whether targets are checked at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// What is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Another port than that for requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// How often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// How long an answer may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Passes in a row that make a target healthy again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<i64>,
    /// Failures in a row that make it unhealthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unhealthy: Option<i64>,
    /// Which statuses pass, `"200-399"`; with version `grpc`, which codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codes: Option<String>,
}

/// `retry` of a `[[target_group]]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryText {
    /// Attempts after the first that one request may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_request: Option<i64>,
    /// Retries for a hundred requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<i64>,
    /// Retries in a second besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<i64>,
}
