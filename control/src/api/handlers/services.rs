//! Services.

use axum::Json;
use axum::extract::State;
use http::StatusCode;

use super::deployments::describe;
use crate::api::convert::{self, Counts};
use crate::api::extract::{InNamespace, Json as Body, Named};
use crate::api::types::{DamagedService, ErrorBody, Service, ServiceDescription, ServiceList, UpdateService};
use crate::api::{Api, SharedApi};
use crate::edge::rules;
use crate::model::{self, Group, ServiceKind, TaskStatus};
use crate::names::{FamilyRevision, NamespaceName};
use crate::refusal::Refusal;
use crate::scaling::ShownScaling;

/// Stopped tasks that a description shows.
const STOPPED_SHOWN: usize = 10;

/// Events that a description shows.
const EVENTS_SHOWN: usize = 20;

/// Deployments that a description shows.
const DEPLOYMENTS_SHOWN: usize = 5;

/// A namespace's services.
#[utoipa::path(get, path = "/v1/namespaces/{ns}/services", tag = "services",
    params(("ns" = String, Path, description = "The namespace")), responses(
    (status = 200, body = ServiceList), (status = 404, body = ErrorBody)))]
pub(crate) async fn list(
    namespace: InNamespace,
    State(api): State<SharedApi>,
) -> Result<Json<ServiceList>, Refusal> {
    let found = api.orchestrator.services(&namespace.name).await?;
    let mut services = Vec::new();
    for service in &found.readable {
        services.push(summarise(&api, &namespace.name, service).await);
    }
    let damaged = found.damaged.into_iter().map(|damaged| DamagedService {
        service_name: damaged.name,
        error: damaged.error.to_string(),
    });
    Ok(Json(ServiceList {
        services,
        damaged: damaged.collect(),
    }))
}

/// A service with its deployments, tasks and events.
#[utoipa::path(get, path = "/v1/namespaces/{ns}/services/{name}", tag = "services",
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The service")),
    responses((status = 200, body = ServiceDescription), (status = 404, body = ErrorBody)))]
pub(crate) async fn get(
    namespace: InNamespace,
    name: Named,
    State(api): State<SharedApi>,
) -> Result<Json<ServiceDescription>, Refusal> {
    let (orchestrator, ns) = (&api.orchestrator, &namespace.name);
    let service = orchestrator.service(ns, &name.parse()?).await?;
    let mut deployments = Vec::new();
    for deployment in orchestrator
        .deployments(ns, Some(&service.name))
        .await?
        .iter()
        .take(DEPLOYMENTS_SHOWN)
    {
        deployments.push(describe(&api, ns, deployment).await?);
    }
    let group = (ns.clone(), Group::Service(service.name.clone()));
    let (stopped, mut tasks): (Vec<_>, Vec<_>) = orchestrator
        .registry
        .of_group(&group)
        .into_iter()
        .rev()
        .partition(|task| task.status == TaskStatus::Stopped);
    tasks.extend(stopped.into_iter().take(STOPPED_SHOWN));
    let events = super::logs::latest_events(&api, ns, &service.name, EVENTS_SHOWN).await?;
    Ok(Json(ServiceDescription {
        service: summarise(&api, ns, &service).await,
        deployments,
        tasks: tasks
            .into_iter()
            .map(|task| convert::task(&orchestrator.registry, task))
            .collect(),
        events,
    }))
}

/// Changes how many tasks a service has.
#[utoipa::path(patch, path = "/v1/namespaces/{ns}/services/{name}", tag = "services", request_body = UpdateService,
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The service")),
    responses((status = 200, body = Service), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn update(
    namespace: InNamespace,
    name: Named,
    State(api): State<SharedApi>,
    Body(ask): Body<UpdateService>,
) -> Result<Json<Service>, Refusal> {
    let scaled = api
        .orchestrator
        .scale(&namespace.name, &name.parse()?, ask.desired_count)
        .await?;
    Ok(Json(summarise_as(&api, &scaled.service, scaled.scaling).await))
}

/// Deletes a service: its tasks are drained and stopped, its routes go, then its logs and events.
#[utoipa::path(delete, path = "/v1/namespaces/{ns}/services/{name}", tag = "services",
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The service")),
    responses((status = 202, body = Service), (status = 404, body = ErrorBody)))]
pub(crate) async fn delete(
    namespace: InNamespace,
    name: Named,
    State(api): State<SharedApi>,
) -> Result<(StatusCode, Json<Service>), Refusal> {
    let service = api
        .orchestrator
        .delete_service(&namespace.name, &name.parse()?)
        .await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(summarise(&api, &namespace.name, &service).await),
    ))
}

async fn summarise(api: &Api, namespace: &NamespaceName, service: &model::Service) -> Service {
    let scaling = api.orchestrator.registry.scaling().get(namespace, &service.name);
    summarise_as(api, service, scaling).await
}

async fn summarise_as(api: &Api, service: &model::Service, scaling: Option<ShownScaling>) -> Service {
    let namespace = &service.namespace;
    let group = (namespace.clone(), Group::Service(service.name.clone()));
    let counts = Counts::of(api.orchestrator.registry.of_group(&group).iter());
    convert::service(service, counts, scaling, urls(api, namespace, service).await)
}

/// Where a service answers by its routes in force.
async fn urls(api: &Api, namespace: &NamespaceName, service: &model::Service) -> Vec<String> {
    let (ServiceKind::Http, Some(revision)) = (service.kind, service.runs()) else {
        return Vec::new();
    };
    let id = FamilyRevision {
        family: service.name.clone(),
        revision,
    };
    let blueprint = api.orchestrator.blueprints.load(namespace, &id).await;
    // A list is worth more with a URL missing than not at all.
    blueprint
        .map(|found| rules::urls(namespace, &found.manifest, api.orchestrator.http_port))
        .unwrap_or_default()
}
