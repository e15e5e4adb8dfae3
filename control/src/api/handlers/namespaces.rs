//! Namespaces and tokens.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use secrecy::ExposeSecret as _;

use crate::api::extract::{Caller, InNamespace, Json as Body, Named};
use crate::api::types::{
    CreateNamespace, CreateToken, CreatedToken, ErrorBody, Namespace, NamespaceList, Token, TokenList,
};
use crate::api::{SharedApi, convert};
use crate::names::NamespaceName;
use crate::refusal::{Kind, Refusal};
use crate::tokens::{NewToken, Scope};

/// The namespaces the token may see.
#[utoipa::path(get, path = "/v1/namespaces", tag = "namespaces", responses(
    (status = 200, body = NamespaceList), (status = 401, body = ErrorBody)))]
pub(crate) async fn list(
    caller: Caller,
    State(api): State<SharedApi>,
) -> Result<Json<NamespaceList>, Refusal> {
    let mut namespaces = api.orchestrator.namespaces().await?;
    namespaces.retain(|namespace| caller.0.may_use(&namespace.name));
    Ok(Json(NamespaceList {
        namespaces: namespaces.into_iter().map(convert::namespace).collect(),
    }))
}

/// Makes a namespace.
#[utoipa::path(post, path = "/v1/namespaces", tag = "namespaces", request_body = CreateNamespace, responses(
    (status = 201, body = Namespace), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn create(
    caller: Caller,
    State(api): State<SharedApi>,
    Body(ask): Body<CreateNamespace>,
) -> Result<(StatusCode, Json<Namespace>), Refusal> {
    caller.administrator("create namespaces")?;
    let name: NamespaceName = ask.name.parse().map_err(|error: crate::names::NameError| {
        Refusal::new(Kind::Malformed, "InvalidName", error.to_string()).field("name")
    })?;
    let namespace = api.orchestrator.create_namespace(name).await?;
    Ok((StatusCode::CREATED, Json(convert::namespace(namespace))))
}

/// Deletes an empty namespace.
#[utoipa::path(delete, path = "/v1/namespaces/{ns}", tag = "namespaces",
    params(("ns" = String, Path, description = "The namespace")), responses(
    (status = 204), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn delete(
    namespace: InNamespace,
    State(api): State<SharedApi>,
) -> Result<StatusCode, Refusal> {
    namespace.caller.administrator("delete namespaces")?;
    api.orchestrator.delete_namespace(&namespace.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The tokens bound to a namespace.
#[utoipa::path(get, path = "/v1/namespaces/{ns}/tokens", tag = "tokens",
    params(("ns" = String, Path, description = "The namespace")), responses(
    (status = 200, body = TokenList), (status = 404, body = ErrorBody)))]
pub(crate) async fn list_tokens(
    namespace: InNamespace,
    State(api): State<SharedApi>,
) -> Result<Json<TokenList>, Refusal> {
    let tokens = api
        .orchestrator
        .tokens
        .list(&Scope::Namespace(namespace.name))
        .await?;
    let wire = tokens.into_iter().map(|token| Token {
        id: token.id,
        description: token.description,
        created_at: token.created_at,
    });
    Ok(Json(TokenList {
        tokens: wire.collect(),
    }))
}

/// Makes a token bound to a namespace.
#[utoipa::path(post, path = "/v1/namespaces/{ns}/tokens", tag = "tokens", request_body = CreateToken,
    params(("ns" = String, Path, description = "The namespace")), responses(
    (status = 201, body = CreatedToken), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn create_token(
    namespace: InNamespace,
    State(api): State<SharedApi>,
    Body(ask): Body<CreateToken>,
) -> Result<(StatusCode, Json<CreatedToken>), Refusal> {
    namespace.caller.administrator("create tokens")?;
    let scope = Scope::Namespace(namespace.name);
    let NewToken { summary, secret } = api.orchestrator.tokens.create(scope, &ask.description).await?;
    tracing::info!(token = summary.id, "a token was made");
    let created = CreatedToken {
        id: summary.id,
        token: secret.expose_secret().to_owned(),
        description: summary.description,
        created_at: summary.created_at,
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Revokes a token.
#[utoipa::path(delete, path = "/v1/namespaces/{ns}/tokens/{name}", tag = "tokens",
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The token's id")),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn revoke_token(
    namespace: InNamespace,
    Named(id): Named,
    State(api): State<SharedApi>,
) -> Result<StatusCode, Refusal> {
    namespace.caller.administrator("revoke tokens")?;
    api.orchestrator
        .tokens
        .revoke(&Scope::Namespace(namespace.name), &id)
        .await?;
    tracing::info!(token = id, "a token was revoked");
    Ok(StatusCode::NO_CONTENT)
}
