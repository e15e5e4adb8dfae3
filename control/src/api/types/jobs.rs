//! Jobs: their schedules, their runs, and each attempt at a run's tasks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Event, StopCode, TaskOverrides, TaskStatus};

/// A job that was run or deployed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its name, which is its family of task definitions too.
    pub job_name: String,
    /// Its namespace.
    pub namespace: String,
    /// When it runs by itself; absent for one that runs when it is asked to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<JobSchedule>,
    /// How many of its runs go on.
    pub active_runs: u32,
    /// Its latest run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<LastRun>,
    /// Whether it was deployed like this already, so that nothing had to be done.
    pub unchanged: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// When a job runs by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobSchedule {
    /// `family:revision` that it runs.
    pub task_definition: String,
    /// Whether it is in force.
    pub status: ScheduleStatus,
    /// Five cron fields: minute, hour, day of month, month, day of week.
    pub expression: String,
    /// By whose clocks: a name of the IANA database.
    pub time_zone: String,
    /// What happens when it is due while a run goes on.
    pub concurrency_policy: ConcurrencyPolicy,
    /// How late a run may start, in milliseconds; absent: as late as it gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starting_deadline_ms: Option<u64>,
    /// When it is due next; absent while it is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_run_at: Option<Timestamp>,
}

/// Whether a schedule is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ScheduleStatus {
    /// It is.
    Active,
    /// It was suspended; what is due meanwhile is left out.
    Paused,
}

/// What happens when a job is due while a run of it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ConcurrencyPolicy {
    /// Another run begins beside it.
    Allow,
    /// The next one waits until it has ended.
    Forbid,
    /// It is cancelled for the next one.
    Replace,
}

/// A job's latest run, in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastRun {
    /// Which.
    pub number: u64,
    /// How far it is.
    pub state: RunState,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it had ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
}

/// Jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobList {
    /// Sorted by name.
    pub jobs: Vec<Job>,
}

/// All there is to say about a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobDescription {
    /// The job.
    pub job: Job,
    /// The runs that are kept, newest first.
    pub runs: Vec<Run>,
    /// Its latest events, newest first.
    pub events: Vec<Event>,
}

/// Changes a job's schedule.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateJob {
    /// Whether the schedule is in force.
    pub status: ScheduleStatus,
}

/// Runs a job once: a bundle as a manifest says, or a definition that is there.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunJob {
    /// `family` (its latest revision) or `family:revision`; instead of `bundle` and `manifest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_definition: Option<String>,
    /// A registered bundle's digest; with `manifest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// `wharf.toml` as JSON, as in a deployment; with `bundle`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub manifest: Option<serde_json::Value>,
    /// What is different for this run.
    #[serde(default)]
    pub overrides: TaskOverrides,
    /// How many tasks, 1 to 1000; as many as the definition says where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

/// Ends a run before it is done.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CancelRun {
    /// Why, for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One run of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// `report/17`: the job and the run's number.
    pub name: String,
    /// The job.
    pub job_name: String,
    /// Which of its runs.
    pub number: u64,
    /// Its namespace.
    pub namespace: String,
    /// `family:revision` it runs.
    pub task_definition: String,
    /// How far it is.
    pub state: RunState,
    /// Why it is in that state, or why it is being cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The exit code of the task that decided it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// When it was due; absent for one that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<Timestamp>,
    /// Tasks that have to succeed.
    pub count: u32,
    /// Tasks that go at once, at most.
    pub parallelism: u32,
    /// Attempts after the first that each task has.
    pub retries: u32,
    /// How long it may take, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// Tasks that have succeeded.
    pub succeeded_count: u32,
    /// Tasks that go on or wait.
    pub active_count: u32,
    /// Attempts that failed.
    pub failed_attempts: u32,
    /// What it changes over its definition.
    #[serde(default, skip_serializing_if = "TaskOverrides::is_empty")]
    pub overrides: TaskOverrides,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it had ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Every attempt at each of its tasks, in the order of their making.
    pub attempts: Vec<Attempt>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunState {
    /// It has tasks to do.
    InProgress,
    /// All its tasks succeeded.
    Succeeded,
    /// A task failed for good, or its time was up.
    Failed,
    /// Somebody didn't want it any more.
    Cancelled,
}

/// One attempt at one of a run's tasks, which is a task of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Which of the run's tasks, from 0.
    pub index: u32,
    /// Which attempt at it, from 1.
    pub attempt: u32,
    /// The task.
    pub task_id: String,
    /// The beginning of the id that names this task alone, for now.
    pub short_id: String,
    /// Where it is in its life.
    pub last_status: TaskStatus,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What kind of thing stopped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_code: Option<StopCode>,
    /// Why it was stopped, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_reason: Option<String>,
    /// The guest's exit code, of one that ran to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// When it became RUNNING.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it was gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub stopped_at: Option<Timestamp>,
}
