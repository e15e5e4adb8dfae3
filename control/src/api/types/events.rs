//! What a service did and what its tasks wrote, a line at a time.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that happened to a service, a job or one of their tasks, worded as ECS words it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// The service, or the job's family.
    pub service: String,
    /// `(service api) has reached a steady state.`
    pub message: String,
}

/// One line a task wrote, or that the system wrote about it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// The task's id.
    pub task_id: String,
    /// Where it was written to.
    pub stream: LogStream,
    /// The line, without its newline; bytes that are not UTF-8 are replaced.
    pub message: String,
    /// Whether the line was longer than 16 KiB and lost its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// Where a log line comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum LogStream {
    /// The guest's standard output.
    Stdout,
    /// The guest's standard error.
    Stderr,
    /// The system, about the task: traps with their frames, limits that held.
    System,
}
