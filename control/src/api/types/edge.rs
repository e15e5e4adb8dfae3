//! Listeners, target groups and routes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Objects to be made what they are said to be, all of them or none; those that aren't named stay as they are.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Apply {
    /// `listener`, `target_group` and `route`, each a list of tables as a file of `wharf apply` has them. Listeners are for
    /// the administrator.
    #[schema(value_type = Object)]
    pub objects: serde_json::Value,
}

/// What an apply came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// Objects that are new.
    pub created: usize,
    /// Objects that were there and said something else.
    pub updated: usize,
    /// Objects that were as they are.
    pub unchanged: usize,
    /// How long it took from the checked and written change until requests met it, in milliseconds: to compile it and to
    /// swap it in.
    pub in_force_after_ms: f64,
}

/// A rule: when requests match, and what happens to those that do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// Its own, or of a service's `api[0]`, `api[name]`, and `api` for its default host.
    pub name: String,
    /// The service whose manifest has it; none for one that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// Lower goes first; without one, after those that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// The listeners it is on; empty: every one.
    pub listeners: Vec<String>,
    /// When it applies, in words.
    pub conditions: String,
    /// What it does, in words.
    pub action: String,
    /// Why it isn't in force, if it isn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// As it is written; none for a default host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub definition: Option<serde_json::Value>,
}

/// Routes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteList {
    /// In the order in which they are asked.
    pub routes: Vec<Route>,
}

/// New priorities, all at once.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetPriorities {
    /// Route → priority.
    pub priorities: BTreeMap<String, i64>,
}

/// A request that need not have happened.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestRoute {
    /// The listener it comes to; `http`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// `GET`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// With a port or without; none has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// As clients encode it; a query may follow. `/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Header lines, `name: value` each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// Where it comes from; `127.0.0.1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<String>,
}

/// What would become of a request, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteTest {
    /// The listener it would come to.
    pub listener: String,
    /// The route that would match; none: the listener's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<TestedRoute>,
    /// What would happen, in words.
    pub action: String,
    /// The routes before it that are asked and don't match, in order.
    pub tried: Vec<TestedRoute>,
    /// How many more there are.
    pub left_out: usize,
}

/// A route that a request would be compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestedRoute {
    /// Its name.
    pub name: String,
    /// How it ranks: `priority 10`, `default host`, `no priority`.
    pub rank: String,
    /// Which condition does not hold, with what the request has; none for the one that matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Targets outside that can stand in for one another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetGroup {
    /// Its name.
    pub name: String,
    /// The service whose manifest has it; none for one that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// How many targets are healthy.
    pub healthy_count: usize,
    /// Its targets, those that drain included.
    pub targets: Vec<Target>,
    /// The routes that forward to it.
    pub routes: Vec<String>,
    /// As it is written.
    #[schema(value_type = Object)]
    pub definition: serde_json::Value,
}

/// A target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Where it is; with a number behind it while another of the same place drains.
    pub id: String,
    /// ALB's word: `initial`, `healthy`, `unhealthy` or `draining`.
    pub state: String,
    /// ALB's code, where it gets no requests: `Target.ResponseCodeMismatch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its share under `weighted_random`.
    pub weight: u32,
    /// Requests it has now.
    pub in_flight: u32,
}

/// Target groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetGroupList {
    /// By name.
    pub target_groups: Vec<TargetGroup>,
}

/// An address that is listened on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// Its name.
    pub name: String,
    /// `HTTP` or `HTTPS`.
    pub protocol: String,
    /// Where it listens; none while it doesn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Connections that are open.
    pub connections: usize,
    /// Why it doesn't listen, or not as it shall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What happens when no route matches, in words.
    pub default_action: String,
    /// As it is written; none for that of `wharf serve --http` with every default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub definition: Option<serde_json::Value>,
}

/// Listeners.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListenerList {
    /// By name.
    pub listeners: Vec<Listener>,
}
