//! Uploaded bytes, by their digest.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::State;
use futures_util::StreamExt as _;
use http::StatusCode;

use crate::api::SharedApi;
use crate::api::extract::{InNamespace, Named};
use crate::api::types::ErrorBody;
use crate::blobs::Uploaded;
use crate::manifest::MAX_BUNDLE_SIZE;
use crate::names::Digest;
use crate::refusal::Refusal;

/// How long a client may go on sending what is not wanted any more.
const LINGER: Duration = Duration::from_secs(5);

/// Whether a blob is there.
#[utoipa::path(head, path = "/v1/namespaces/{ns}/blobs/{name}", tag = "deployments",
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "sha256:<hex>")),
    responses((status = 200), (status = 404)))]
pub(crate) async fn head(
    namespace: InNamespace,
    name: Named,
    State(api): State<SharedApi>,
) -> Result<StatusCode, Refusal> {
    let digest: Digest = name.parse()?;
    match api.orchestrator.blobs.size(&namespace.name, &digest).await? {
        Some(_) => Ok(StatusCode::OK),
        None => Err(Refusal::not_found(
            "BlobNotFound",
            format!("there is no blob {digest}"),
        )),
    }
}

/// Uploads a blob; it is streamed to the disk and checked against its digest.
#[utoipa::path(put, path = "/v1/namespaces/{ns}/blobs/{name}", tag = "deployments",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "sha256:<hex>")),
    responses((status = 201), (status = 200, description = "It was there"), (status = 404, body = ErrorBody),
    (status = 413, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn put(
    namespace: InNamespace,
    name: Named,
    State(api): State<SharedApi>,
    body: Body,
) -> Result<StatusCode, Refusal> {
    let digest: Digest = name.parse()?;
    let mut body = body.into_data_stream();
    // A component's own bound is checked where it is registered: here nobody knows what it will be.
    let uploaded = api
        .orchestrator
        .blobs
        .put(&namespace.name, &digest, MAX_BUNDLE_SIZE, &mut body)
        .await;
    if uploaded.is_err() {
        read_on(body).await;
    }
    Ok(match uploaded? {
        Uploaded::Created => StatusCode::CREATED,
        Uploaded::Existed => StatusCode::OK,
    })
}

/// Has a client finish what it sends: closing the connection before makes its kernel throw the answer away (RFC 9112 9.6).
async fn read_on(mut body: BodyDataStream) {
    let to_the_end = async { while let Some(Ok(_)) = body.next().await {} };
    // Who takes longer than this may miss why.
    let _ = tokio::time::timeout(LINGER, to_the_end).await;
}
