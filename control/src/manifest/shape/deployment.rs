//! The keys of `[deployment]`.

use super::{Key, Shape, key};

pub(super) const DEPLOYMENT: &[Key] = &[
    key("strategy", Shape::Text, "\"canary\""),
    key("minimum_healthy", Shape::Integer, "100"),
    key("maximum", Shape::Integer, "200"),
    key("step", Shape::Integer, "10"),
    key("bake", Shape::Text, "\"10m\""),
    key("deadline", Shape::Text, "\"5m\""),
    key("failed_tasks", Shape::Integer, "3"),
    key("rollback", Shape::Boolean, "true"),
    key("max_errors", Shape::Integer, "5"),
    key("min_requests", Shape::Integer, "20"),
];
