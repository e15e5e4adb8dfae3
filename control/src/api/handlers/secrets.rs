//! Secrets: their values go in and don't come out.

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::api::SharedApi;
use crate::api::extract::{InNamespace, Json as Body, Named};
use crate::api::types::{ErrorBody, PutSecret, Secret, SecretList};
use crate::names::SecretName;
use crate::refusal::Refusal;
use crate::secrets::SecretSummary;

/// A namespace's secrets: names and versions.
#[utoipa::path(get, path = "/v1/namespaces/{ns}/secrets", tag = "secrets",
    params(("ns" = String, Path, description = "The namespace")), responses(
    (status = 200, body = SecretList), (status = 404, body = ErrorBody)))]
pub(crate) async fn list(
    namespace: InNamespace,
    State(api): State<SharedApi>,
) -> Result<Json<SecretList>, Refusal> {
    let secrets = api.orchestrator.secrets.list(&namespace.name);
    Ok(Json(SecretList {
        secrets: secrets.into_iter().map(wire).collect(),
    }))
}

/// Sets a secret's next version.
#[utoipa::path(put, path = "/v1/namespaces/{ns}/secrets/{name}", tag = "secrets", request_body = PutSecret,
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The secret; `/` as %2F")),
    responses((status = 200, body = Secret), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn put(
    namespace: InNamespace,
    name: Named,
    State(api): State<SharedApi>,
    Body(ask): Body<PutSecret>,
) -> Result<Json<Secret>, Refusal> {
    let name: SecretName = name.parse()?;
    let encoded = Zeroizing::new(ask.value_base64);
    // What the decoder says repeats bytes of the value.
    let bad = |_| Refusal::unprocessable("InvalidSecret", "the value is not base64").field("valueBase64");
    let bytes = Zeroizing::new(STANDARD.decode(encoded.as_bytes()).map_err(bad)?);
    let not_text = |_| {
        let message = "the value is not UTF-8, which an environment variable needs to be";
        Refusal::unprocessable("InvalidSecret", message)
            .field("valueBase64")
            .hint("encode it, as base64 say")
    };
    let value = SecretString::from(std::str::from_utf8(&bytes).map_err(not_text)?);
    let secret = api
        .orchestrator
        .set_secret(&namespace.name, &name, &value)
        .await?;
    Ok(Json(wire(secret)))
}

/// Deletes a secret that nobody refers to.
#[utoipa::path(delete, path = "/v1/namespaces/{ns}/secrets/{name}", tag = "secrets",
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The secret; `/` as %2F")),
    responses((status = 204), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn delete(
    namespace: InNamespace,
    name: Named,
    State(api): State<SharedApi>,
) -> Result<StatusCode, Refusal> {
    api.orchestrator
        .delete_secret(&namespace.name, &name.parse()?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn wire(secret: SecretSummary) -> Secret {
    Secret {
        name: secret.name.to_string(),
        version: secret.version.get(),
        updated_at: secret.updated_at,
    }
}
