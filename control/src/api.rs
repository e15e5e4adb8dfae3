//! The API: JSON over HTTP under `/v1`, described by the checked-in `openapi.json`.
//!
//! Bearer tokens everywhere but on the two probes. `{ns}` is a namespace; one that the token is not
//! bound to answers 404, as one that doesn't exist does, so that names don't leak. Errors are
//! [`types::ErrorBody`]. Streams are NDJSON (`application/x-ndjson`), one value of the named type a line.
//!
//! | route | body | answer |
//! |---|---|---|
//! | `GET /healthz`, `GET /readyz` | – | 200 / 503, plain text, no token |
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
//! | `GET /v1/namespaces/{ns}/task-definitions?family=` | – | [`types::TaskDefinitionList`] |
//! | `GET /v1/namespaces/{ns}/task-definitions/{family}:{revision}` | – | [`types::TaskDefinition`]; without `:revision`, the latest |
//! | `GET /v1/namespaces/{ns}/tasks?service=&status=` | – | [`types::TaskList`]; `status` is `running` (default), `stopped` or `all` |
//! | `POST /v1/namespaces/{ns}/tasks` | [`types::RunTask`] | 201 [`types::TaskList`]: a job, run once |
//! | `GET /v1/namespaces/{ns}/tasks/{id}?follow=true` | – | [`types::Task`]; with `follow`, NDJSON until it is `STOPPED` |
//! | `POST /v1/namespaces/{ns}/tasks/{id}/stop` | [`types::StopTask`] | 202 [`types::Task`] |
//! | `GET /v1/namespaces/{ns}/logs/{name}?task=&since=&tail=&follow=true` | – | NDJSON [`types::LogLine`]; `name` is a service or job family |
//! | `GET /v1/namespaces/{ns}/events?service=&since=&follow=true` | – | NDJSON [`types::Event`] |
//! | `GET /v1/namespaces/{ns}/secrets` | – | [`types::SecretList`]: names and versions, never a value |
//! | `PUT /v1/namespaces/{ns}/secrets/{name}` | [`types::PutSecret`] | [`types::Secret`]; a `/` of the name is sent as `%2F` |
//! | `DELETE /v1/namespaces/{ns}/secrets/{name}` | – | 204; 409 naming who refers to it |
//!
//! `since` is an RFC 3339 time. `follow` on logs of a task ends when the task has stopped and its
//! output was read; on anything else, when the client goes away. A task's id may be shortened to a
//! prefix that is unique in its namespace.

pub mod types;
