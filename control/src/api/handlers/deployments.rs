//! Bundles, deployments and task definitions.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::convert::{self, Counts, Seen};
use crate::api::extract::{InNamespace, Json as Body, Named, Query};
use crate::api::stream::{Look, More, follow, ndjson};
use crate::api::types::{
    Bundle, CreateDeployment, Deployment, DeploymentList, ErrorBody, RegisterBundle, RollBack,
    TaskDefinition, TaskDefinitionList,
};
use crate::api::{Api, SharedApi};
use crate::edge::rules;
use crate::manifest::MountPath;
use crate::model::{self, BundleMount, DeploymentId, Group, RolloutState};
use crate::names::{Digest, FamilyRevision, NamespaceName, Revision, ServiceName};
use crate::orchestrator::{Deployed, NewBundle, NewDeployment};
use crate::refusal::Refusal;

/// Makes uploaded blobs a bundle: validates and compiles the component.
#[utoipa::path(post, path = "/v1/namespaces/{ns}/bundles", tag = "deployments", request_body = RegisterBundle,
    params(("ns" = String, Path, description = "The namespace")), responses(
    (status = 201, body = Bundle), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn register_bundle(
    namespace: InNamespace,
    State(api): State<SharedApi>,
    Body(ask): Body<RegisterBundle>,
) -> Result<(StatusCode, Json<Bundle>), Refusal> {
    let mounts = ask.files.into_iter().map(mount).collect::<Result<_, _>>()?;
    let ask = NewBundle {
        component: digest(&ask.component, "component")?,
        mounts,
    };
    let bundle = api.orchestrator.register_bundle(&namespace.name, ask).await?;
    let wire = Bundle {
        digest: bundle.digest.to_string(),
        world: convert::world(bundle.world),
    };
    Ok((StatusCode::CREATED, Json(wire)))
}

fn mount(mount: crate::api::types::BundleMount) -> Result<BundleMount, Refusal> {
    let path: Result<MountPath, _> = mount.mount.parse();
    let path =
        path.map_err(|e| Refusal::unprocessable("InvalidBundle", e.to_string()).field("files.mount"))?;
    let entries = mount
        .entries
        .into_iter()
        .map(|file| Ok((file.path, digest(&file.digest, "files")?)));
    Ok(BundleMount {
        mount: path.to_string(),
        entries: entries.collect::<Result<_, Refusal>>()?,
    })
}

pub(super) fn digest(text: &str, field: &str) -> Result<Digest, Refusal> {
    text.parse().map_err(|error: crate::names::NameError| {
        Refusal::unprocessable("InvalidDigest", error.to_string()).field(field)
    })
}

/// Makes a service run a bundle as a manifest says.
#[utoipa::path(post, path = "/v1/namespaces/{ns}/deployments", tag = "deployments", request_body = CreateDeployment,
    params(("ns" = String, Path, description = "The namespace")), responses(
    (status = 201, body = Deployment), (status = 200, body = Deployment, description = "Unchanged"),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    namespace: InNamespace,
    State(api): State<SharedApi>,
    Body(ask): Body<CreateDeployment>,
) -> Result<(StatusCode, Json<Deployment>), Refusal> {
    let ask = NewDeployment {
        bundle: digest(&ask.bundle, "bundle")?,
        manifest: ask.manifest,
    };
    let came_to = api.orchestrator.deploy(&namespace.name, ask).await?;
    answer(&api, &namespace.name, came_to).await
}

/// Which deployments are listed.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct ListDeployments {
    /// Of this service only.
    service: Option<String>,
}

/// Deployments, newest first.
#[utoipa::path(get, path = "/v1/namespaces/{ns}/deployments", tag = "deployments",
    params(("ns" = String, Path, description = "The namespace"), ListDeployments), responses(
    (status = 200, body = DeploymentList), (status = 404, body = ErrorBody)))]
pub(crate) async fn list(
    namespace: InNamespace,
    Query(query): Query<ListDeployments>,
    State(api): State<SharedApi>,
) -> Result<Json<DeploymentList>, Refusal> {
    let service: Option<ServiceName> = query.service.map(|name| Named(name).parse()).transpose()?;
    let mut deployments = Vec::new();
    for deployment in api
        .orchestrator
        .deployments(&namespace.name, service.as_ref())
        .await?
    {
        deployments.push(describe(&api, &namespace.name, &deployment).await?);
    }
    Ok(Json(DeploymentList { deployments }))
}

/// Whether an answer goes on.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Follow {
    /// Answers NDJSON: a line for each change, until there can't be another.
    #[serde(default)]
    pub(super) follow: bool,
}

/// A deployment, or its course.
#[utoipa::path(get, path = "/v1/namespaces/{ns}/deployments/{name}", tag = "deployments",
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The deployment's id"), Follow),
    responses((status = 200, body = Deployment), (status = 404, body = ErrorBody)))]
pub(crate) async fn get(
    namespace: InNamespace,
    Named(id): Named,
    Query(Follow { follow: goes_on }): Query<Follow>,
    State(api): State<SharedApi>,
) -> Result<Response, Refusal> {
    let changes = api.orchestrator.registry.changes();
    let found = api
        .orchestrator
        .find_deployment(&namespace.name, &DeploymentId::from_text(&id))
        .await?;
    let (id, service) = (found.id, found.service);
    let looking = Looking {
        api: api.clone(),
        namespace: namespace.name,
        service,
        id,
    };
    let first = looking.look().await?;
    if !goes_on {
        return Ok(Json(first.0).into_response());
    }
    Ok(ndjson(follow(looking, changes, first), api.closing.clone()))
}

struct Looking {
    api: SharedApi,
    namespace: NamespaceName,
    service: ServiceName,
    id: DeploymentId,
}

#[async_trait::async_trait]
impl Look for Looking {
    type Value = Deployment;

    async fn look(&self) -> Result<(Deployment, More), Refusal> {
        let deployment = self
            .api
            .orchestrator
            .deployment(&self.namespace, &self.service, &self.id)
            .await?;
        let more = match deployment.state {
            RolloutState::InProgress => More::ToCome,
            RolloutState::Completed
            | RolloutState::Failed
            | RolloutState::Aborted
            | RolloutState::Superseded => More::Nothing,
        };
        Ok((describe(&self.api, &self.namespace, &deployment).await?, more))
    }
}

/// A deployment with what is seen of its tasks now.
pub(super) async fn describe(
    api: &Api,
    namespace: &NamespaceName,
    deployment: &model::Deployment,
) -> Result<Deployment, Refusal> {
    let orchestrator = &api.orchestrator;
    let group = (namespace.clone(), Group::Service(deployment.service.clone()));
    let tasks = orchestrator.registry.of_group(&group);
    let own = tasks
        .iter()
        .filter(|task| task.definition.revision == deployment.revision);
    let service = orchestrator.service(namespace, &deployment.service).await.ok();
    let id = FamilyRevision {
        family: deployment.service.clone(),
        revision: deployment.revision,
    };
    // The oldest revisions are forgotten before their deployments: then there is no URL to tell.
    let blueprint = orchestrator.blueprints.load(namespace, &id).await.ok();
    let seen = Seen {
        desired: service.map_or(0, |service| service.count),
        counts: Counts::of(own),
        progress: orchestrator.registry.progress(&deployment.id),
        urls: blueprint
            .filter(|blueprint| blueprint.bundle.world == model::World::Http)
            .map(|blueprint| rules::urls(namespace, &blueprint.manifest, orchestrator.http_port))
            .unwrap_or_default(),
    };
    Ok(convert::deployment(deployment, seen))
}

/// Gives up a service's deployment in progress: it goes back to the last completed revision.
#[utoipa::path(post, path = "/v1/namespaces/{ns}/services/{name}/abort", tag = "deployments",
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The service")), responses(
    (status = 200, body = Deployment, description = "The deployment that was given up; `rolledBackBy` undoes it"),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn abort(
    namespace: InNamespace,
    name: Named,
    State(api): State<SharedApi>,
) -> Result<Json<Deployment>, Refusal> {
    let ended = api.orchestrator.abort(&namespace.name, &name.parse()?).await?;
    Ok(Json(describe(&api, &namespace.name, &ended).await?))
}

/// Holds a service's deployment in progress as it is.
#[utoipa::path(post, path = "/v1/namespaces/{ns}/services/{name}/pause", tag = "deployments",
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The service")), responses(
    (status = 200, body = Deployment), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn pause(
    namespace: InNamespace,
    name: Named,
    State(api): State<SharedApi>,
) -> Result<Json<Deployment>, Refusal> {
    let held = api.orchestrator.pause(&namespace.name, &name.parse()?).await?;
    Ok(Json(describe(&api, &namespace.name, &held).await?))
}

/// Lets a service's deployment that is held go on.
#[utoipa::path(post, path = "/v1/namespaces/{ns}/services/{name}/continue", tag = "deployments",
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The service")), responses(
    (status = 200, body = Deployment), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn resume(
    namespace: InNamespace,
    name: Named,
    State(api): State<SharedApi>,
) -> Result<Json<Deployment>, Refusal> {
    let goes_on = api.orchestrator.resume(&namespace.name, &name.parse()?).await?;
    Ok(Json(describe(&api, &namespace.name, &goes_on).await?))
}

/// Brings a service back to an earlier revision.
#[utoipa::path(post, path = "/v1/namespaces/{ns}/services/{name}/rollback", tag = "deployments", request_body = RollBack,
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The service")), responses(
    (status = 201, body = Deployment), (status = 200, body = Deployment, description = "It runs that revision"),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 422, body = ErrorBody)))]
pub(crate) async fn roll_back(
    namespace: InNamespace,
    name: Named,
    State(api): State<SharedApi>,
    Body(ask): Body<RollBack>,
) -> Result<(StatusCode, Json<Deployment>), Refusal> {
    let to = ask.revision.map(|number| {
        Revision::new(number).ok_or_else(|| {
            Refusal::unprocessable("InvalidRevision", "revisions count from 1").field("revision")
        })
    });
    let name: ServiceName = name.parse()?;
    let came_to = api
        .orchestrator
        .roll_back(&namespace.name, &name, to.transpose()?)
        .await?;
    answer(&api, &namespace.name, came_to).await
}

async fn answer(
    api: &Api,
    namespace: &NamespaceName,
    came_to: Deployed,
) -> Result<(StatusCode, Json<Deployment>), Refusal> {
    let (status, deployment, changes) = match came_to {
        Deployed::New(deployment) => (StatusCode::CREATED, deployment, Vec::new()),
        Deployed::Unchanged(deployment, changes) => (StatusCode::OK, deployment, changes),
    };
    let mut wire = describe(api, namespace, &deployment).await?;
    wire.unchanged = status == StatusCode::OK;
    wire.changes = changes.into_iter().map(convert::change).collect();
    Ok((status, Json(wire)))
}

/// Which task definitions are listed.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct ListDefinitions {
    /// Of this family only.
    family: Option<String>,
}

/// Task definitions, newest revision first.
#[utoipa::path(get, path = "/v1/namespaces/{ns}/task-definitions", tag = "task definitions",
    params(("ns" = String, Path, description = "The namespace"), ListDefinitions), responses(
    (status = 200, body = TaskDefinitionList), (status = 404, body = ErrorBody)))]
pub(crate) async fn list_definitions(
    namespace: InNamespace,
    Query(query): Query<ListDefinitions>,
    State(api): State<SharedApi>,
) -> Result<Json<TaskDefinitionList>, Refusal> {
    let orchestrator = &api.orchestrator;
    let mut definitions = match query.family {
        Some(family) => {
            orchestrator
                .revisions(&namespace.name, &Named(family).parse()?)
                .await?
        }
        None => orchestrator.definitions(&namespace.name).await?,
    };
    definitions.sort_by(|a, b| {
        a.id.family
            .cmp(&b.id.family)
            .then(b.id.revision.cmp(&a.id.revision))
    });
    let mut task_definitions = Vec::new();
    for definition in definitions {
        let blueprint: Arc<_> = orchestrator
            .blueprints
            .load(&namespace.name, &definition.id)
            .await?;
        task_definitions.push(convert::definition(&definition, &blueprint));
    }
    Ok(Json(TaskDefinitionList { task_definitions }))
}

/// A task definition: `family:revision`, or the latest of `family`.
#[utoipa::path(get, path = "/v1/namespaces/{ns}/task-definitions/{name}", tag = "task definitions",
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "family or family:revision")),
    responses((status = 200, body = TaskDefinition), (status = 404, body = ErrorBody)))]
pub(crate) async fn get_definition(
    namespace: InNamespace,
    Named(text): Named,
    State(api): State<SharedApi>,
) -> Result<Json<TaskDefinition>, Refusal> {
    let id = api.orchestrator.find_definition(&namespace.name, &text).await?;
    let blueprint = api.orchestrator.blueprints.load(&namespace.name, &id).await?;
    Ok(Json(convert::definition(&blueprint.definition, &blueprint)))
}
