//! From core types to wire types, by hand, and back.

mod definition;
mod deployment;
pub(super) mod edge;
pub(super) mod jobs;

use std::collections::BTreeMap;

pub(super) use self::definition::definition;
pub(super) use self::deployment::{Seen, change, deployment};
use super::types as wire;
use crate::model::{
    self, DesiredStatus, Health, Namespace, Service, ServiceKind, ServiceStatus, StopCode, Task, TaskStatus,
    World,
};
use crate::scaling::{ShownScaling, Value};
use crate::tasks::registry::Registry;

pub(super) fn namespace(namespace: Namespace) -> wire::Namespace {
    wire::Namespace {
        name: namespace.name.to_string(),
        created_at: namespace.created_at,
    }
}

pub(super) fn world(world: World) -> wire::World {
    match world {
        World::Http => wire::World::Http,
        World::Command => wire::World::Command,
    }
}

/// How many of some tasks there are in each stage.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) pending: u32,
    pub(super) running: u32,
    pub(super) healthy: u32,
}

impl Counts {
    pub(super) fn of<'a>(tasks: impl Iterator<Item = &'a Task>) -> Self {
        tasks.fold(Self::default(), |mut counts, task| {
            match task.status {
                TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Activating => {
                    counts.pending += 1
                }
                TaskStatus::Running => {
                    counts.running += 1;
                    counts.healthy += u32::from(task.health == Health::Healthy);
                }
                _ => {}
            }
            counts
        })
    }
}

pub(super) fn service(
    service: &Service,
    counts: Counts,
    scaling: Option<ShownScaling>,
    urls: Vec<String>,
) -> wire::Service {
    wire::Service {
        service_name: service.name.to_string(),
        namespace: service.namespace.to_string(),
        status: match service.status {
            ServiceStatus::Active => wire::ServiceStatus::Active,
            ServiceStatus::Draining => wire::ServiceStatus::Draining,
        },
        kind: match service.kind {
            ServiceKind::Http => wire::ServiceKind::Http,
            ServiceKind::Worker => wire::ServiceKind::Worker,
        },
        task_definition: service
            .runs()
            .map(|revision| format!("{}:{revision}", service.name)),
        desired_count: scaling.as_ref().map_or(service.count, |scaling| scaling.desired),
        running_count: counts.running,
        pending_count: counts.pending,
        healthy_count: counts.healthy,
        scaling: scaling.map(self::scaling),
        urls,
        created_at: service.created_at,
    }
}

fn scaling(scaling: ShownScaling) -> wire::Scaling {
    let target = |value: Value| wire::ScalingTarget {
        signal: value.signal.to_string(),
        target_value: value.target,
        // To a tenth: more is noise.
        current_value: value.current.map(|current| (current * 10.0).round() / 10.0),
    };
    wire::Scaling {
        min_capacity: scaling.min,
        max_capacity: scaling.max,
        asleep: scaling.desired == 0,
        targets: scaling.values.into_iter().map(target).collect(),
        last_activity: scaling.last.map(|decided| wire::ScalingActivity {
            at: decided.at,
            from: decided.from,
            to: decided.to,
            cause: decided.cause,
        }),
    }
}

pub(super) fn task(registry: &Registry, task: Task) -> wire::Task {
    let (stop_code, stopped_reason, exit_code) = match task.stopped {
        Some(stopped) => (
            Some(self::stop_code(stopped.code)),
            Some(stopped.reason),
            stopped.exit_code,
        ),
        None => (None, None, None),
    };
    wire::Task {
        task_id: task.id.to_string(),
        short_id: registry.short(&task.id),
        namespace: task.namespace.to_string(),
        group: task.group.to_string(),
        task_definition: task.definition.to_string(),
        deployment_id: task.deployment.map(|id| id.to_string()),
        run: task
            .place
            .map(|place| format!("{}/{}", task.group.name(), place.run)),
        index: task.place.map(|place| place.index),
        attempt: task.place.map(|place| place.attempt),
        last_status: status(task.status),
        desired_status: match task.desired {
            DesiredStatus::Running => wire::TaskStatus::Running,
            DesiredStatus::Stopped => wire::TaskStatus::Stopped,
        },
        // What has stopped is neither well nor ill.
        health_status: match task.health {
            _ if task.status == TaskStatus::Stopped => wire::HealthStatus::Unknown,
            Health::Unknown => wire::HealthStatus::Unknown,
            Health::Healthy => wire::HealthStatus::Healthy,
            Health::Unhealthy => wire::HealthStatus::Unhealthy,
        },
        reason: task.reason,
        stop_code,
        stopped_reason,
        exit_code,
        restarts: task.restarts,
        last_reason: task.last_reason,
        overrides: overridden(task.overrides),
        cpu: task.cpu,
        memory_limit_bytes: task.memory,
        cpu_used_ms: task.usage.cpu_ms,
        cpu_throttled_ms: task.usage.throttled_ms,
        memory_bytes: task.usage.memory,
        memory_peak_bytes: task.usage.memory_peak,
        requests: task.usage.requests,
        in_flight: task.usage.in_flight,
        created_at: task.created_at,
        started_at: task.started_at,
        stopping_at: task.stopping_at,
        stopped_at: task.stopped_at,
    }
}

fn status(status: TaskStatus) -> wire::TaskStatus {
    match status {
        TaskStatus::Provisioning => wire::TaskStatus::Provisioning,
        TaskStatus::Pending => wire::TaskStatus::Pending,
        TaskStatus::Activating => wire::TaskStatus::Activating,
        TaskStatus::Running => wire::TaskStatus::Running,
        TaskStatus::Deactivating => wire::TaskStatus::Deactivating,
        TaskStatus::Stopping => wire::TaskStatus::Stopping,
        TaskStatus::Deprovisioning => wire::TaskStatus::Deprovisioning,
        TaskStatus::Stopped => wire::TaskStatus::Stopped,
    }
}

fn stop_code(code: StopCode) -> wire::StopCode {
    match code {
        StopCode::TaskFailedToStart => wire::StopCode::TaskFailedToStart,
        StopCode::EssentialContainerExited => wire::StopCode::EssentialContainerExited,
        StopCode::UserInitiated => wire::StopCode::UserInitiated,
        StopCode::ServiceSchedulerInitiated => wire::StopCode::ServiceSchedulerInitiated,
        StopCode::TerminationNotice => wire::StopCode::TerminationNotice,
    }
}

pub(super) fn overrides(overrides: wire::TaskOverrides) -> model::Overrides {
    let listed = |map: BTreeMap<String, String>| map.into_iter().collect();
    model::Overrides {
        args: overrides.args,
        env: listed(overrides.environment),
        secrets: listed(overrides.secrets),
        cpu: overrides.cpu,
        memory: overrides.memory_bytes,
    }
}

fn overridden(overrides: model::Overrides) -> wire::TaskOverrides {
    let mapped = |list: Vec<(String, String)>| list.into_iter().collect();
    wire::TaskOverrides {
        args: overrides.args,
        environment: mapped(overrides.env),
        secrets: mapped(overrides.secrets),
        cpu: overrides.cpu,
        memory_bytes: overrides.memory,
    }
}
