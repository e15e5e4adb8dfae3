//! What each route does: from wire to core, an operation, and back.

pub(super) mod blobs;
pub(super) mod capacity;
pub(super) mod deployments;
pub(super) mod edge;
pub(super) mod jobs;
pub(super) mod logs;
pub(super) mod metrics;
pub(super) mod namespaces;
pub(super) mod probes;
pub(super) mod secrets;
pub(super) mod services;
pub(super) mod tasks;
