//! Makes what runs what shall run.

pub mod backoff;
pub mod plan;
