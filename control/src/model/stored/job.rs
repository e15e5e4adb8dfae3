//! Stored forms of jobs and their runs.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::task::{StoredOverrides, read_overrides, store_overrides};
use super::{Record, known};
use crate::model::{
    Cancellation, Job, Run, RunNumber, RunSpec, RunState, Schedule, ScheduleStatus, StopCode,
};
use crate::names::{Family, FamilyRevision, NamespaceName, Revision};

/// A stored [`Job`].
#[derive(Debug, Serialize, Deserialize)]
pub struct StoredJob {
    namespace: NamespaceName,
    name: Family,
    latest: u64,
    schedule: Option<StoredSchedule>,
    created_at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredSchedule {
    revision: Revision,
    status: StoredScheduleStatus,
    decided: Timestamp,
    updated_at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredScheduleStatus {
    Active,
    Paused,
}

impl Record for Job {
    type Stored = StoredJob;

    fn to_stored(&self) -> StoredJob {
        StoredJob {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            latest: self.latest.0,
            schedule: self.schedule.as_ref().map(|schedule| StoredSchedule {
                revision: schedule.revision,
                status: match schedule.status {
                    ScheduleStatus::Active => StoredScheduleStatus::Active,
                    ScheduleStatus::Paused => StoredScheduleStatus::Paused,
                },
                decided: schedule.decided,
                updated_at: schedule.updated_at,
            }),
            created_at: self.created_at,
        }
    }

    fn from_stored(stored: StoredJob) -> Result<Self, String> {
        Ok(Self {
            namespace: stored.namespace,
            name: stored.name,
            latest: RunNumber(stored.latest),
            schedule: stored.schedule.map(|schedule| Schedule {
                revision: schedule.revision,
                status: match schedule.status {
                    StoredScheduleStatus::Active => ScheduleStatus::Active,
                    StoredScheduleStatus::Paused => ScheduleStatus::Paused,
                },
                decided: schedule.decided,
                updated_at: schedule.updated_at,
            }),
            created_at: stored.created_at,
        })
    }
}

/// A stored [`Run`].
#[derive(Debug, Serialize, Deserialize)]
pub struct StoredRun {
    namespace: NamespaceName,
    job: Family,
    number: u64,
    family: Family,
    revision: Revision,
    spec: StoredRunSpec,
    overrides: StoredOverrides,
    due: Option<Timestamp>,
    state: String,
    cancelled: Option<StoredCancellation>,
    reason: Option<String>,
    exit_code: Option<i32>,
    created_at: Timestamp,
    ended_at: Option<Timestamp>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredCancellation {
    code: String,
    reason: String,
    /// Not said once: then it counts from the beginning.
    #[serde(default)]
    at: Option<Timestamp>,
}

/// Durations are in milliseconds.
#[derive(Debug, Serialize, Deserialize)]
struct StoredRunSpec {
    count: u32,
    parallelism: u32,
    retries: u32,
    backoff: u64,
    deadline: Option<u64>,
    ttl: Option<u64>,
    history: u32,
}

impl Record for Run {
    type Stored = StoredRun;

    fn to_stored(&self) -> StoredRun {
        StoredRun {
            namespace: self.namespace.clone(),
            job: self.job.clone(),
            number: self.number.0,
            family: self.definition.family.clone(),
            revision: self.definition.revision,
            spec: store_spec(&self.spec),
            overrides: store_overrides(&self.overrides),
            due: self.due,
            state: self.state.to_string(),
            cancelled: self.cancelled.as_ref().map(|cancelled| StoredCancellation {
                code: cancelled.code.to_string(),
                reason: cancelled.reason.clone(),
                at: Some(cancelled.at),
            }),
            reason: self.reason.clone(),
            exit_code: self.exit_code,
            created_at: self.created_at,
            ended_at: self.ended_at,
        }
    }

    fn from_stored(stored: StoredRun) -> Result<Self, String> {
        Ok(Self {
            namespace: stored.namespace,
            job: stored.job,
            number: RunNumber(stored.number),
            definition: FamilyRevision {
                family: stored.family,
                revision: stored.revision,
            },
            spec: read_spec(&stored.spec),
            overrides: read_overrides(stored.overrides),
            due: stored.due,
            state: known(&stored.state, RunState::from_text(&stored.state))?,
            cancelled: stored
                .cancelled
                .map(|cancelled| read_cancellation(cancelled, stored.created_at))
                .transpose()?,
            reason: stored.reason,
            exit_code: stored.exit_code,
            created_at: stored.created_at,
            ended_at: stored.ended_at,
        })
    }
}

fn read_cancellation(stored: StoredCancellation, run_created_at: Timestamp) -> Result<Cancellation, String> {
    Ok(Cancellation {
        code: known(&stored.code, StopCode::from_text(&stored.code))?,
        reason: stored.reason,
        at: stored.at.unwrap_or(run_created_at),
    })
}

fn store_spec(spec: &RunSpec) -> StoredRunSpec {
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    StoredRunSpec {
        count: spec.count,
        parallelism: spec.parallelism,
        retries: spec.retries,
        backoff: milliseconds(spec.backoff),
        deadline: spec.deadline.map(milliseconds),
        ttl: spec.ttl.map(milliseconds),
        history: spec.history,
    }
}

fn read_spec(spec: &StoredRunSpec) -> RunSpec {
    RunSpec {
        count: spec.count,
        parallelism: spec.parallelism,
        retries: spec.retries,
        backoff: Duration::from_millis(spec.backoff),
        deadline: spec.deadline.map(Duration::from_millis),
        ttl: spec.ttl.map(Duration::from_millis),
        history: spec.history,
    }
}
