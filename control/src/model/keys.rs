//! The layout of the store's keys.
//!
//! Everything of a namespace lies under `…/<namespace>/`, so that one prefix lists it. Names have no `/`
//! here; deployments' ids and zero-padded revisions sort in the order of their making, tasks' ids don't.

use crate::model::{DeploymentId, RunNumber};
use crate::names::{
    Digest, Family, FamilyRevision, ListenerName, NamespaceName, RouteName, ServiceName, TargetGroupName,
    TaskId,
};

/// All namespaces.
pub const NAMESPACES: &str = "namespaces/";
/// All services.
pub const SERVICES: &str = "services/";
/// All tasks.
pub const TASKS: &str = "tasks/";
/// All deployments.
pub const DEPLOYMENTS: &str = "deployments/";
/// Whose each deployment is.
pub const DEPLOYMENT_SERVICES: &str = "deployment-services/";
/// All listeners that were applied: the whole server's.
pub const LISTENERS: &str = "listeners/";
/// All target groups that were applied.
pub const TARGET_GROUPS: &str = "target-groups/";
/// All routes that were applied.
pub const ROUTES: &str = "routes/";

/// All jobs.
pub const JOBS: &str = "jobs/";
/// All jobs' runs.
pub const RUNS: &str = "runs/";

/// One namespace.
pub fn namespace(name: &NamespaceName) -> String {
    format!("{NAMESPACES}{name}")
}

/// A namespace's bundles.
pub fn bundles(namespace: &NamespaceName) -> String {
    format!("bundles/{namespace}/")
}

/// One bundle.
pub fn bundle(namespace: &NamespaceName, digest: &Digest) -> String {
    format!("{}{digest}", bundles(namespace))
}

/// A namespace's definitions.
pub fn definitions(namespace: &NamespaceName) -> String {
    format!("definitions/{namespace}/")
}

/// A family's revisions.
pub fn family(namespace: &NamespaceName, family: &Family) -> String {
    format!("{}{family}/", definitions(namespace))
}

/// One definition.
pub fn definition(namespace: &NamespaceName, id: &FamilyRevision) -> String {
    // 20 digits hold any u64.
    format!("{}{:020}", family(namespace, &id.family), id.revision.get())
}

/// A namespace's services.
pub fn services(namespace: &NamespaceName) -> String {
    format!("{SERVICES}{namespace}/")
}

/// One service.
pub fn service(namespace: &NamespaceName, name: &ServiceName) -> String {
    format!("{}{name}", services(namespace))
}

/// A namespace's deployments.
pub fn deployments(namespace: &NamespaceName) -> String {
    format!("{DEPLOYMENTS}{namespace}/")
}

/// A service's deployments.
pub fn service_deployments(namespace: &NamespaceName, service: &ServiceName) -> String {
    format!("{}{service}/", deployments(namespace))
}

/// One deployment.
pub fn deployment(namespace: &NamespaceName, service: &ServiceName, id: &DeploymentId) -> String {
    format!("{}{id}", service_deployments(namespace, service))
}

/// Whose a namespace's deployments are.
pub fn deployment_services(namespace: &NamespaceName) -> String {
    format!("{DEPLOYMENT_SERVICES}{namespace}/")
}

/// Whose one deployment is: the service's name.
pub fn deployment_service(namespace: &NamespaceName, id: &DeploymentId) -> String {
    format!("{}{id}", deployment_services(namespace))
}

/// A namespace's tasks.
pub fn tasks(namespace: &NamespaceName) -> String {
    format!("{TASKS}{namespace}/")
}

/// One task.
pub fn task(namespace: &NamespaceName, id: &TaskId) -> String {
    format!("{}{id}", tasks(namespace))
}

/// One listener.
pub fn listener(name: &ListenerName) -> String {
    format!("{LISTENERS}{name}")
}

/// A namespace's target groups.
pub fn target_groups(namespace: &NamespaceName) -> String {
    format!("{TARGET_GROUPS}{namespace}/")
}

/// One target group.
pub fn target_group(namespace: &NamespaceName, name: &TargetGroupName) -> String {
    format!("{}{name}", target_groups(namespace))
}

/// A namespace's routes.
pub fn routes(namespace: &NamespaceName) -> String {
    format!("{ROUTES}{namespace}/")
}

/// One route.
pub fn route(namespace: &NamespaceName, name: &RouteName) -> String {
    format!("{}{name}", routes(namespace))
}

/// A namespace's jobs.
pub fn jobs(namespace: &NamespaceName) -> String {
    format!("{JOBS}{namespace}/")
}

/// One job.
pub fn job(namespace: &NamespaceName, name: &Family) -> String {
    format!("{}{name}", jobs(namespace))
}

/// The runs of a namespace's jobs.
pub fn runs(namespace: &NamespaceName) -> String {
    format!("{RUNS}{namespace}/")
}

/// A job's runs.
pub fn job_runs(namespace: &NamespaceName, job: &Family) -> String {
    format!("{}{job}/", runs(namespace))
}

/// One run.
pub fn run(namespace: &NamespaceName, job: &Family, number: RunNumber) -> String {
    // 20 digits hold any u64.
    format!("{}{:020}", job_runs(namespace, job), number.0)
}

/// The job that a job's or a run's key is of, and the run.
pub fn whose_job(key: &str) -> Option<((NamespaceName, Family), Option<RunNumber>)> {
    let (_, names) = key.split_once('/')?;
    let (namespace, name) = names.split_once('/')?;
    let (name, run) = match name.split_once('/') {
        Some((name, number)) => (name, Some(RunNumber(number.parse().ok()?))),
        None => (name, None),
    };
    Some(((namespace.parse().ok()?, name.parse().ok()?), run))
}
