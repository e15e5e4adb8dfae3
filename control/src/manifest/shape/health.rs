//! `[health]`, and the checks of its own that it may have.

use super::{Key, Shape, key};

pub(super) const HEALTH: &[Key] = &[
    key("path", Shape::Text, "\"/health\""),
    key("interval", Shape::Text, "\"1s\""),
    key("timeout", Shape::Text, "\"1s\""),
    key("healthy", Shape::Integer, "1"),
    key("unhealthy", Shape::Integer, "2"),
    key("codes", Shape::Text, "\"200-399\""),
    key("grace", Shape::Text, "\"10s\""),
    key("readiness", Shape::Table(CHECK), "a table, [health.readiness]"),
    key("liveness", Shape::Table(CHECK), "a table, [health.liveness]"),
    key("startup", Shape::Table(CHECK), "a table, [health.startup]"),
];

/// A check of its own.
pub(super) const CHECK: &[Key] = &[
    key("path", Shape::Text, "\"/health\""),
    key("interval", Shape::Text, "\"1s\""),
    key("timeout", Shape::Text, "\"1s\""),
    key("healthy", Shape::Integer, "1"),
    key("unhealthy", Shape::Integer, "2"),
    key("codes", Shape::Text, "\"200-399\""),
];
