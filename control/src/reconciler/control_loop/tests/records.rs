//! What is written of the service `api`.

use jiff::Timestamp;

use super::cluster::key;
use crate::manifest::{DeploymentSpec, Manifest, Workload};
use crate::model::{Service, ServiceKind, ServiceStatus};
use crate::names::Digest;
use crate::scaling::ScalingSpec;

/// What a manifest's `[scaling]` means.
pub(super) fn scaling_of(scaling: serde_json::Value) -> ScalingSpec {
    let component = Digest::from_sha256([1; 32]);
    let task = serde_json::json!({"component": component.as_str()});
    let manifest = serde_json::json!({"name": "api", "task": task, "scaling": scaling});
    match Manifest::from_json(manifest).unwrap().workload {
        Workload::Service(service) => service.scaling.unwrap(),
        Workload::Job(_) => panic!("a service's manifest"),
    }
}

/// A service `api` that was never deployed.
pub(super) fn new_service(count: u32) -> Service {
    let (namespace, name) = key();
    Service {
        namespace,
        name,
        kind: ServiceKind::Http,
        status: ServiceStatus::Active,
        count,
        stable_count: count,
        choices: 0,
        goal: None,
        stable: None,
        rollout: None,
        deployment: DeploymentSpec::default(),
        scaling: None,
        created_at: Timestamp::now(),
    }
}
