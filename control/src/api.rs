//! The API: JSON over HTTP under `/v1`, described by the checked-in `openapi.json`.
//!
//! Bearer tokens everywhere but on the two probes. `{ns}` is a namespace; one that the token is not
//! bound to answers 404, as one that doesn't exist does, so that names don't leak. Errors are
//! [`types::ErrorBody`]. Streams are NDJSON (`application/x-ndjson`), one value of the named type a line.
//!
//! | route | body | answer |
//! |---|---|---|
//! | `GET /healthz`, `GET /readyz` | – | 200 / 503, plain text, no token |
//! | `GET /metrics` | – | 200, OpenMetrics text; from this machine without a token, else with one of `metrics-tokens` |
//! | `GET /v1/metrics-tokens` | – | [`types::TokenList`]; the administrator's, as the next two |
//! | `POST /v1/metrics-tokens` | [`types::CreateToken`] | 201 [`types::CreatedToken`], the secret shown once |
//! | `DELETE /v1/metrics-tokens/{id}` | – | 204 |
//! | `GET /v1/openapi.json` | – | this as an OpenAPI document, no token |
//! | `GET /v1/namespaces` | – | [`types::NamespaceList`] (a bound token sees its own only) |
//! | `POST /v1/namespaces` | [`types::CreateNamespace`] | 201 [`types::Namespace`] |
//! | `DELETE /v1/namespaces/{ns}` | – | 204; 409 naming what is still in it |
//! | `GET /v1/namespaces/{ns}/tokens` | – | [`types::TokenList`] |
//! | `POST /v1/namespaces/{ns}/tokens` | [`types::CreateToken`] | 201 [`types::CreatedToken`], the secret shown once |
//! | `DELETE /v1/namespaces/{ns}/tokens/{id}` | – | 204 |
//! | `HEAD /v1/namespaces/{ns}/blobs/{digest}` | – | 200 or 404 |
//! | `PUT /v1/namespaces/{ns}/blobs/{digest}` | the bytes | 201, or 200 when it was there |
//! | `POST /v1/namespaces/{ns}/bundles` | [`types::RegisterBundle`] | [`types::Bundle`]; 422 naming the import or offset |
//! | `POST /v1/namespaces/{ns}/deployments` | [`types::CreateDeployment`] | 201 [`types::Deployment`], 200 when unchanged |
//! | `GET /v1/namespaces/{ns}/deployments?service=` | – | [`types::DeploymentList`], newest first |
//! | `GET /v1/namespaces/{ns}/deployments/{id}?follow=true` | – | [`types::Deployment`]; with `follow`, NDJSON until it ends |
//! | `GET /v1/namespaces/{ns}/services` | – | [`types::ServiceList`] |
//! | `GET /v1/namespaces/{ns}/services/{name}` | – | [`types::ServiceDescription`] |
//! | `PATCH /v1/namespaces/{ns}/services/{name}` | [`types::UpdateService`] | [`types::Service`] |
//! | `DELETE /v1/namespaces/{ns}/services/{name}` | – | 202 [`types::Service`] (status `DRAINING`; 404 on `GET` once gone) |
//! | `POST /v1/namespaces/{ns}/services/{name}/rollback` | [`types::RollBack`] | 201 [`types::Deployment`], 200 when it runs that |
//! | `POST /v1/namespaces/{ns}/services/{name}/abort` | – | [`types::Deployment`]: the one that was given up |
//! | `POST /v1/namespaces/{ns}/services/{name}/pause` | – | [`types::Deployment`]; 409 when none is in progress |
//! | `POST /v1/namespaces/{ns}/services/{name}/continue` | – | [`types::Deployment`]; 409 when none is held |
//! | `GET /v1/namespaces/{ns}/task-definitions?family=` | – | [`types::TaskDefinitionList`] |
//! | `GET /v1/namespaces/{ns}/task-definitions/{family}:{revision}` | – | [`types::TaskDefinition`]; without `:revision`, the latest |
//! | `POST /v1/namespaces/{ns}/runs` | [`types::RunJob`] | 201 [`types::Run`]: a job, run once |
//! | `GET /v1/namespaces/{ns}/jobs` | – | [`types::JobList`] |
//! | `GET /v1/namespaces/{ns}/jobs/{name}` | – | [`types::JobDescription`] |
//! | `PUT /v1/namespaces/{ns}/jobs/{name}` | [`types::CreateDeployment`] | 201 [`types::Job`] with a schedule, 200 when unchanged |
//! | `PATCH /v1/namespaces/{ns}/jobs/{name}` | [`types::UpdateJob`] | [`types::Job`]: its schedule paused or not |
//! | `DELETE /v1/namespaces/{ns}/jobs/{name}` | – | 204: a job and its history are forgotten; 409 while a run goes on or a service has its name |
//! | `GET /v1/namespaces/{ns}/jobs/{name}/runs/{number}?follow=true` | – | [`types::Run`]; with `follow`, NDJSON until it ends |
//! | `POST /v1/namespaces/{ns}/jobs/{name}/runs/{number}/cancel` | [`types::CancelRun`] | 202 [`types::Run`] |
//! | `GET /v1/namespaces/{ns}/tasks?service=&status=` | – | [`types::TaskList`]; `status` is `running` (default), `stopped` or `all` |
//! | `GET /v1/namespaces/{ns}/tasks/{id}?follow=true` | – | [`types::Task`]; with `follow`, NDJSON until it is `STOPPED` |
//! | `POST /v1/namespaces/{ns}/tasks/{id}/stop` | [`types::StopTask`] | 202 [`types::Task`] |
//! | `GET /v1/namespaces/{ns}/logs/{name}?task=&since=&tail=&follow=true` | – | NDJSON [`types::LogLine`]; `name` is a service or job family |
//! | `GET /v1/namespaces/{ns}/events?service=&since=&follow=true` | – | NDJSON [`types::Event`] |
//! | `GET /v1/namespaces/{ns}/routes` | – | [`types::RouteList`]: those of services too, in the order they are asked |
//! | `GET /v1/namespaces/{ns}/routes/{name}` | – | [`types::Route`] |
//! | `PUT /v1/namespaces/{ns}/routes/{name}` | a `[[route]]` as JSON | [`types::Applied`] |
//! | `DELETE /v1/namespaces/{ns}/routes/{name}` | – | 204 |
//! | `POST /v1/namespaces/{ns}/routes/priorities` | [`types::SetPriorities`] | [`types::Applied`]: all at once |
//! | `POST /v1/namespaces/{ns}/routes/test` | [`types::TestRoute`] | [`types::RouteTest`] |
//! | `GET /v1/namespaces/{ns}/target-groups` | – | [`types::TargetGroupList`] |
//! | `GET /v1/namespaces/{ns}/target-groups/{name}` | – | [`types::TargetGroup`]: every target with its health |
//! | `PUT /v1/namespaces/{ns}/target-groups/{name}` | a `[[target_group]]` as JSON | [`types::Applied`] |
//! | `DELETE /v1/namespaces/{ns}/target-groups/{name}` | – | 204; 409 naming the route that forwards to it |
//! | `POST /v1/namespaces/{ns}/apply` | [`types::Apply`], ≤ 32 MiB | [`types::Applied`]: all or nothing |
//! | `GET /v1/capacity?by=` | – | [`types::Capacity`]; `by` is `service` (default) or `task` |
//! | `GET /v1/listeners` | – | [`types::ListenerList`]; the administrator's, as all that follow |
//! | `GET /v1/listeners/{name}` | – | [`types::Listener`] |
//! | `PUT /v1/listeners/{name}` | a `[[listener]]` as JSON | [`types::Applied`] |
//! | `DELETE /v1/listeners/{name}` | – | 204; 409 naming the route that is on it |
//! | `GET /v1/namespaces/{ns}/secrets` | – | [`types::SecretList`]: names and versions, never a value |
//! | `PUT /v1/namespaces/{ns}/secrets/{name}` | [`types::PutSecret`] | [`types::Secret`]; a `/` of the name is sent as `%2F` |
//! | `DELETE /v1/namespaces/{ns}/secrets/{name}` | – | 204; 409 naming who refers to it |
//!
//! `since` is an RFC 3339 time. `follow` on logs of a task ends when the task has stopped and its
//! output was read; on anything else, when the client goes away. A task's id may be shortened to a
//! prefix that is unique in its namespace.

mod convert;
mod error;
mod extract;
mod handlers;
mod stream;
pub mod types;

pub(crate) use self::extract::{Peer, Place};

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio_util::sync::CancellationToken;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder, SecurityRequirement};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::handlers::{
    blobs, capacity, deployments, edge, jobs, logs, metrics, namespaces, probes, secrets, services, tasks,
};
use crate::orchestrator::Orchestrator;
use crate::refusal::{Kind, Refusal};

/// The largest JSON body: a bundle of ten thousand files, or a manifest of its largest size.
pub const MAX_JSON_BODY: usize = 4 << 20;

/// The largest body of an apply: tens of thousands of routes.
pub const MAX_APPLY_BODY: usize = 32 << 20;

/// What handlers work with.
#[derive(Debug)]
pub struct Api {
    /// What is done.
    pub orchestrator: Orchestrator,
    /// Cancelled when the server stops: answers that go on end.
    pub closing: CancellationToken,
}

/// The API, shared by its connections.
pub type SharedApi = Arc<Api>;

/// The routes over an API.
pub fn router(api: SharedApi) -> Router {
    let (router, _) = routes().split_for_parts();
    router
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(axum::middleware::from_fn(see_through))
        .with_state(api)
}

/// What may change something is seen through, even if its client goes away: a change that was written is put in force. It
/// keeps its connection's place until then, so those who go away begin no more than those who wait.
pub(crate) async fn see_through(request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let place = request.extensions().get::<Place>().cloned();
    let work = async move {
        let _place = place;
        next.run(request).await
    };
    match tokio::spawn(work).await {
        Ok(response) => response,
        // It panicked, and has said so.
        Err(error) => Refusal::new(Kind::Internal, "WorkFailed", error.to_string()).into_response(),
    }
}

/// The description of the routes.
pub fn openapi() -> OpenApi {
    let (_, mut openapi) = routes().split_for_parts();
    openapi.info = InfoBuilder::new()
        .title("Wharf")
        .version("v1")
        .description(Some(
            "Runs WebAssembly components the way Fargate runs containers.",
        ))
        .build();
    let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    openapi
        .components
        .get_or_insert_default()
        .add_security_scheme("token", bearer);
    openapi.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
    openapi
}

/// The description as text: what is checked in, and what is served.
fn description() -> String {
    // It is made of texts and lists of them.
    openapi().to_pretty_json().unwrap_or_default() + "\n"
}

fn routes() -> OpenApiRouter<SharedApi> {
    OpenApiRouter::with_openapi(OpenApiBuilder::new().build())
        .routes(routes!(probes::healthz))
        .routes(routes!(probes::readyz))
        .routes(routes!(probes::openapi))
        .routes(routes!(namespaces::list, namespaces::create))
        .routes(routes!(namespaces::delete))
        .routes(routes!(namespaces::list_tokens, namespaces::create_token))
        .routes(routes!(namespaces::revoke_token))
        .routes(routes!(deployments::register_bundle))
        .routes(routes!(deployments::list, deployments::create))
        .routes(routes!(deployments::get))
        .routes(routes!(deployments::list_definitions))
        .routes(routes!(deployments::get_definition))
        .routes(routes!(services::list))
        .routes(routes!(services::get, services::update, services::delete))
        .routes(routes!(jobs::run))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::get, jobs::put, jobs::update, jobs::delete))
        .routes(routes!(jobs::get_run))
        .routes(routes!(jobs::cancel_run))
        .routes(routes!(deployments::roll_back))
        .routes(routes!(deployments::abort))
        .routes(routes!(deployments::pause))
        .routes(routes!(deployments::resume))
        .routes(routes!(tasks::list))
        .routes(routes!(tasks::get))
        .routes(routes!(tasks::stop))
        .routes(routes!(logs::logs))
        .routes(routes!(logs::events))
        .routes(routes!(capacity::get))
        .routes(routes!(secrets::list))
        .routes(routes!(secrets::put, secrets::delete))
        .routes(routes!(metrics::metrics))
        .routes(routes!(metrics::list_tokens, metrics::create_token))
        .routes(routes!(metrics::revoke_token))
        .routes(routes!(edge::list_routes))
        .routes(routes!(edge::get_route, edge::put_route, edge::delete_route))
        .routes(routes!(edge::set_priorities))
        .routes(routes!(edge::test_route))
        .routes(routes!(edge::list_target_groups))
        .routes(routes!(
            edge::get_target_group,
            edge::put_target_group,
            edge::delete_target_group
        ))
        .routes(routes!(edge::list_listeners))
        .routes(routes!(
            edge::get_listener,
            edge::put_listener,
            edge::delete_listener
        ))
        .layer(DefaultBodyLimit::max(MAX_JSON_BODY))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(edge::apply))
                .layer(DefaultBodyLimit::max(MAX_APPLY_BODY)),
        )
        // After the bound on JSON: what is uploaded has its own.
        .routes(routes!(blobs::head, blobs::put))
}

async fn no_route() -> Refusal {
    Refusal::not_found("RouteNotFound", "the API has no such path")
        .hint("GET /v1/openapi.json describes those there are")
}

async fn no_method() -> Refusal {
    Refusal::new(
        Kind::MethodNotAllowed,
        "MethodNotAllowed",
        "the API's path doesn't take this method",
    )
}

#[cfg(test)]
pub(crate) mod tests;
