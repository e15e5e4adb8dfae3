//! A task definition with all that its manifest came to.

use std::time::Duration;

use wharf_gateway::{Checks, HealthSpec};
use wharf_runtime::Isolation;

use super::{wire, world};
use crate::blueprint::Blueprint;
use crate::edge::rules;
use crate::model::{BundleMount, Definition};

pub(in crate::api) fn definition(definition: &Definition, blueprint: &Blueprint) -> wire::TaskDefinition {
    let task = &blueprint.manifest.task;
    let service = blueprint.service();
    let (isolation, max_requests) = isolation(task.isolation);
    wire::TaskDefinition {
        family: definition.id.family.to_string(),
        revision: definition.id.revision.get(),
        bundle: definition.bundle.to_string(),
        component: blueprint.bundle.component.to_string(),
        world: world(definition.world),
        cpu: task.cpu.get(),
        cpu_burst: task.cpu_burst,
        memory_bytes: task.memory.get(),
        timeout_ms: milliseconds(task.timeout),
        cpu_timeout_ms: milliseconds(task.cpu_timeout),
        stop_timeout_ms: milliseconds(task.stop_timeout),
        isolation,
        max_requests,
        concurrency: task.concurrency,
        queue: task.queue,
        environment: task
            .env
            .iter()
            .map(|(name, value)| (name.to_string(), value.clone()))
            .collect(),
        secrets: task
            .secrets
            .iter()
            .map(|(name, secret)| (name.to_string(), secret.to_string()))
            .collect(),
        args: task.args.clone(),
        egress: task.egress.iter().map(ToString::to_string).collect(),
        files: blueprint.bundle.mounts.iter().map(files).collect(),
        health: service.and_then(|service| health(&service.group.checks)),
        routes: routes(blueprint),
        registered_at: definition.registered_at,
    }
}

/// Those that were written; a default host is none.
fn routes(blueprint: &Blueprint) -> Vec<wire::Route> {
    let rules = rules::rules(&blueprint.namespace, &blueprint.manifest).unwrap_or_default();
    let written = rules.iter().filter(|rule| rule.text.is_some());
    written.map(super::edge::rule).collect()
}

fn isolation(isolation: Isolation) -> (wire::Isolation, Option<u32>) {
    match isolation {
        Isolation::Request => (wire::Isolation::Request, None),
        Isolation::Task { max_requests } => (wire::Isolation::Task, Some(max_requests)),
    }
}

fn files(mount: &BundleMount) -> wire::DefinitionFiles {
    wire::DefinitionFiles {
        mount: mount.mount.clone(),
        files: mount.entries.len(),
    }
}

fn health(checks: &Checks) -> Option<wire::HealthChecks> {
    (!checks.is_empty()).then(|| wire::HealthChecks {
        check: checks.health.as_ref().map(check),
        readiness: checks.readiness.as_ref().map(check),
        liveness: checks.liveness.as_ref().map(check),
        startup: checks.startup.as_ref().map(check),
        grace_ms: milliseconds(checks.grace),
    })
}

fn check(health: &HealthSpec) -> wire::HealthCheck {
    wire::HealthCheck {
        path: health.path.to_string(),
        interval_ms: milliseconds(health.interval),
        timeout_ms: milliseconds(health.timeout),
        healthy: health.healthy.get(),
        unhealthy: health.unhealthy.get(),
        codes: health.matcher.to_string(),
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
