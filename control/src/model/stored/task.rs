//! The stored form of a task: the observed state, written in batches.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Record, known};
use crate::model::{
    DeploymentId, DesiredStatus, Group, Health, Overrides, Place, RunNumber, StopCode, Stopped, Task,
    TaskStatus, Usage,
};
use crate::names::{Family, FamilyRevision, NamespaceName, Revision, TaskId};

/// A stored [`Task`].
#[derive(Debug, Serialize, Deserialize)]
pub struct StoredTask {
    id: TaskId,
    namespace: NamespaceName,
    group: StoredGroup,
    family: Family,
    revision: Revision,
    deployment: Option<String>,
    /// Tasks of before there were runs have none.
    #[serde(default)]
    place: Option<StoredPlace>,
    status: String,
    desired: String,
    health: String,
    reason: Option<String>,
    stopped: Option<StoredStop>,
    restarts: u32,
    last_reason: Option<String>,
    cpu: u32,
    memory: u64,
    overrides: StoredOverrides,
    usage: StoredUsage,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    stopping_at: Option<Timestamp>,
    stopped_at: Option<Timestamp>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredGroup {
    Service(Family),
    Job(Family),
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredPlace {
    run: u64,
    index: u32,
    attempt: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredStop {
    code: String,
    reason: String,
    exit_code: Option<i32>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct StoredOverrides {
    args: Option<Vec<String>>,
    env: Vec<(String, String)>,
    secrets: Vec<(String, String)>,
    cpu: Option<u32>,
    memory: Option<u64>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct StoredUsage {
    cpu_ms: u64,
    throttled_ms: u64,
    memory_peak: u64,
    requests: u64,
}

impl Record for Task {
    type Stored = StoredTask;

    fn to_stored(&self) -> StoredTask {
        StoredTask {
            id: self.id.clone(),
            namespace: self.namespace.clone(),
            group: store_group(&self.group),
            family: self.definition.family.clone(),
            revision: self.definition.revision,
            deployment: self.deployment.as_ref().map(ToString::to_string),
            place: self.place.map(store_place),
            status: self.status.to_string(),
            desired: self.desired.to_string(),
            health: self.health.to_string(),
            reason: self.reason.clone(),
            stopped: self.stopped.as_ref().map(store_stop),
            restarts: self.restarts,
            last_reason: self.last_reason.clone(),
            cpu: self.cpu,
            memory: self.memory,
            overrides: store_overrides(&self.overrides),
            usage: store_usage(self.usage),
            created_at: self.created_at,
            started_at: self.started_at,
            stopping_at: self.stopping_at,
            stopped_at: self.stopped_at,
        }
    }

    fn from_stored(stored: StoredTask) -> Result<Self, String> {
        Ok(Self {
            id: stored.id,
            namespace: stored.namespace,
            group: match stored.group {
                StoredGroup::Service(name) => Group::Service(name),
                StoredGroup::Job(name) => Group::Job(name),
            },
            definition: FamilyRevision {
                family: stored.family,
                revision: stored.revision,
            },
            deployment: stored.deployment.as_deref().map(DeploymentId::from_text),
            place: stored.place.map(read_place),
            status: known(&stored.status, TaskStatus::from_text(&stored.status))?,
            desired: known(&stored.desired, DesiredStatus::from_text(&stored.desired))?,
            health: known(&stored.health, Health::from_text(&stored.health))?,
            reason: stored.reason,
            stopped: stored.stopped.map(read_stop).transpose()?,
            restarts: stored.restarts,
            last_reason: stored.last_reason,
            cpu: stored.cpu,
            memory: stored.memory,
            overrides: read_overrides(stored.overrides),
            usage: read_usage(&stored.usage),
            created_at: stored.created_at,
            started_at: stored.started_at,
            stopping_at: stored.stopping_at,
            stopped_at: stored.stopped_at,
        })
    }
}

fn store_place(place: Place) -> StoredPlace {
    let Place { run, index, attempt } = place;
    StoredPlace {
        run: run.0,
        index,
        attempt,
    }
}

fn read_place(place: StoredPlace) -> Place {
    let StoredPlace { run, index, attempt } = place;
    Place {
        run: RunNumber(run),
        index,
        attempt,
    }
}

fn store_group(group: &Group) -> StoredGroup {
    match group {
        Group::Service(name) => StoredGroup::Service(name.clone()),
        Group::Job(name) => StoredGroup::Job(name.clone()),
    }
}

fn store_stop(stop: &Stopped) -> StoredStop {
    StoredStop {
        code: stop.code.to_string(),
        reason: stop.reason.clone(),
        exit_code: stop.exit_code,
    }
}

fn read_stop(stop: StoredStop) -> Result<Stopped, String> {
    let code = known(&stop.code, StopCode::from_text(&stop.code))?;
    Ok(Stopped {
        code,
        reason: stop.reason,
        exit_code: stop.exit_code,
    })
}

pub(super) fn store_overrides(overrides: &Overrides) -> StoredOverrides {
    let Overrides {
        args,
        env,
        secrets,
        cpu,
        memory,
    } = overrides.clone();
    StoredOverrides {
        args,
        env,
        secrets,
        cpu,
        memory,
    }
}

pub(super) fn read_overrides(overrides: StoredOverrides) -> Overrides {
    let StoredOverrides {
        args,
        env,
        secrets,
        cpu,
        memory,
    } = overrides;
    Overrides {
        args,
        env,
        secrets,
        cpu,
        memory,
    }
}

fn store_usage(usage: Usage) -> StoredUsage {
    StoredUsage {
        cpu_ms: usage.cpu_ms,
        throttled_ms: usage.throttled_ms,
        memory_peak: usage.memory_peak,
        requests: usage.requests,
    }
}

/// What a task held and handled belongs to the moment; it is not stored.
fn read_usage(usage: &StoredUsage) -> Usage {
    Usage {
        cpu_ms: usage.cpu_ms,
        throttled_ms: usage.throttled_ms,
        memory_peak: usage.memory_peak,
        requests: usage.requests,
        ..Usage::default()
    }
}
