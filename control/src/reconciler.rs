//! Makes what runs what shall run.

pub mod backoff;
pub mod control_loop;
pub mod plan;
