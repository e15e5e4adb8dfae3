//! From what was written to what it means: every value, and what they say together.

mod action;
mod deployment;
mod group;
mod health;
mod job;
mod listener;
mod route;
mod scaling;
mod task;

use wharf_gateway::GroupSpec;

use self::route::Home;
use super::error::{FieldPath, ManifestError};
use super::routing::Objects;
use super::text::{ApplyText, ManifestText};
use super::values::Report;
use super::{Manifest, ServiceSpec, Workload};
use crate::names::ServiceName;

pub use group::MAX_TARGET_GROUPS;
pub use listener::MAX_LISTENERS;
pub use route::MAX_ROUTES;
pub(super) use task::MAX_TEXT;
pub use task::{MAX_MEMORY, MIN_MEMORY};

/// Tasks a service may have (ECS: 5000).
pub const MAX_COUNT: u32 = 5000;

/// Checks everything, beginning with the errors that are known; the manifest only if there are none.
pub(super) fn check(text: &ManifestText, known: Vec<ManifestError>) -> Result<Manifest, Vec<ManifestError>> {
    let root = FieldPath::root();
    let mut report = Report::of(known);
    let name = name(text, &root, &mut report);
    let task = task::check(&text.task, &root.key("task"), &mut report);
    let workload = workload(text, &root, &mut report);
    match (name, task) {
        (Some(name), Some(task)) if report.errors.is_empty() => Ok(Manifest { name, task, workload }),
        _ => Err(report.errors),
    }
}

fn name(text: &ManifestText, root: &FieldPath, report: &mut Report) -> Option<ServiceName> {
    let Some(name) = &text.name else {
        // A name of the wrong type was reported already.
        if !report.errors.iter().any(|error| error.field == root.key("name")) {
            let hint = "add one at the top: name = \"api\"";
            report.refuse(root.key("name"), "the manifest has no `name`", hint);
        }
        return None;
    };
    match name.parse::<ServiceName>() {
        Ok(name) => Some(name),
        Err(error) => {
            let message = format!("`name`: {error}");
            report.errors.push(ManifestError::new(root.key("name"), message));
            None
        }
    }
}

fn workload(text: &ManifestText, root: &FieldPath, report: &mut Report) -> Workload {
    if let Some(job) = &text.job {
        job_stands_alone(text, root, report);
        return Workload::Job(Box::new(job::check(job, &root.key("job"), report)));
    }
    let said = text.service.as_ref().and_then(|service| service.count);
    let deployment = deployment::deployment(
        text.deployment.as_ref(),
        said.and_then(|count| u32::try_from(count).ok()),
        &root.key("deployment"),
        report,
    );
    let count = report.number(&root.key("service"), "count", said, (0, MAX_COUNT), 1);
    let scaling = text.scaling.as_ref();
    let scaling = scaling.and_then(|text| scaling::scaling(text, count, &root.key("scaling"), report));
    let checks = text.health.as_ref();
    let checks = checks.map(|health| health::checks(health, &root.key("health"), report));
    let group = group::of_service(text.service.as_ref(), &root.key("service"), report);
    Workload::Service(Box::new(ServiceSpec {
        count: scaling.as_ref().map_or(count, |scaling| scaling.clamp(count)),
        deployment,
        group: GroupSpec {
            checks: checks.unwrap_or_default(),
            ..group
        },
        scaling,
        unusable_routes: Vec::new(),
        routes: route::routes(&text.route, &root.key("route"), Home::Service, report),
        target_groups: group::target_groups(&text.target_group, &root.key("target_group"), report),
    }))
}

/// Checks what stands by itself, beginning with the errors that are known.
pub(super) fn objects(text: &ApplyText, known: Vec<ManifestError>) -> Result<Objects, Vec<ManifestError>> {
    let root = FieldPath::root();
    let mut report = Report::of(known);
    let objects = Objects {
        listeners: listener::listeners(&text.listener, &root.key("listener"), &mut report),
        target_groups: group::target_groups(&text.target_group, &root.key("target_group"), &mut report),
        routes: route::routes(&text.route, &root.key("route"), Home::Alone, &mut report),
    };
    if report.errors.is_empty() {
        Ok(objects)
    } else {
        Err(report.errors)
    }
}

fn job_stands_alone(text: &ManifestText, root: &FieldPath, report: &mut Report) {
    let hint = "a job runs to its end and answers no requests: remove one of the two";
    if text.service.is_some() {
        report.refuse(root.key("service"), "[service] together with [job]", hint);
    }
    if text.health.is_some() {
        report.refuse(root.key("health"), "[health] together with [job]", hint);
    }
    if text.deployment.is_some() {
        report.refuse(root.key("deployment"), "[deployment] together with [job]", hint);
    }
    if text.scaling.is_some() {
        report.refuse(root.key("scaling"), "[scaling] together with [job]", hint);
    }
    if !text.route.is_empty() {
        report.refuse(root.key("route"), "[[route]] together with [job]", hint);
    }
    if !text.target_group.is_empty() {
        report.refuse(
            root.key("target_group"),
            "[[target_group]] together with [job]",
            hint,
        );
    }
}
