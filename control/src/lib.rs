//! WHAT should run: definitions, services, deployments, jobs, secrets, the store, events and the API.
//!
//! The runtime knows how to run a component, the gateway who gets a request; they meet here. The
//! store is the truth: every acknowledged write is durable before its answer, a level-triggered
//! reconciler makes it so, and nothing held in memory is needed to start again.

pub mod api;
pub mod aside;
pub mod blobs;
pub mod blueprint;
pub mod clock;
pub mod edge;
pub mod events;
mod files;
pub mod jobs;
pub mod key_value;
pub mod logs;
pub mod manifest;
pub mod model;
pub mod names;
pub mod orchestrator;
pub mod reconciler;
pub mod refusal;
pub mod scaling;
pub mod secrets;
pub mod server;
pub mod store;
pub mod tasks;
pub mod tokens;
