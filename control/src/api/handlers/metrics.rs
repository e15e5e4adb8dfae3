//! What the gateway counted, as Prometheus reads it; and the tokens that may read nothing else.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode, header};
use secrecy::ExposeSecret as _;

use crate::api::SharedApi;
use crate::api::extract::{Caller, Json as Body, Named, Peer};
use crate::api::types::{CreateToken, CreatedToken, ErrorBody, Token, TokenList};
use crate::refusal::{Kind, Refusal};
use crate::tokens::{NewToken, Scope};

/// OpenMetrics is what the gateway writes.
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Who may read: programs on this machine, and who has a token for it. A request that a proxy on this machine passed on
/// is not from this machine; nor are guests of tenants, who don't reach it ([`wharf_runtime::Reach`]).
#[derive(Debug)]
pub(crate) struct Reader;

/// The gateway, which may be such a proxy, always adds one of them.
const PASSED_ON: [&str; 7] = [
    "forwarded",
    "via",
    "x-amzn-trace-id",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

impl FromRequestParts<SharedApi> for Reader {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &SharedApi) -> Result<Self, Refusal> {
        let peer = parts.extensions.get::<Peer>();
        let is_here = peer.is_some_and(|Peer(address)| address.is_loopback())
            && !PASSED_ON.iter().any(|name| parts.headers.contains_key(*name));
        if is_here && !parts.headers.contains_key(header::AUTHORIZATION) {
            return Ok(Self);
        }
        let Caller(principal) = Caller::from_request_parts(parts, api).await?;
        if principal.may_read_metrics() {
            return Ok(Self);
        }
        let message = "this token may not read metrics";
        Err(Refusal::new(Kind::Forbidden, "AccessDenied", message)
            .hint("`wharf token create --metrics` makes one that may"))
    }
}

/// What was counted, per listener, rule, target group and target: for programs on this machine without a token, for
/// others with one that may read metrics.
#[utoipa::path(get, path = "/metrics", tag = "probes", responses(
    (status = 200, body = String), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn metrics(
    _: Reader,
    State(api): State<SharedApi>,
) -> Result<([(HeaderName, HeaderValue); 1], String), Refusal> {
    // Of ten thousand rules it is 15 MB: the threads that keep time are not for it.
    let written = tokio::task::spawn_blocking(move || api.orchestrator.edge.metrics()).await;
    let written = written.map_err(|error| Refusal::new(Kind::Internal, "WorkFailed", error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], written))
}

/// The tokens that may read metrics.
#[utoipa::path(get, path = "/v1/metrics-tokens", tag = "tokens", responses(
    (status = 200, body = TokenList), (status = 403, body = ErrorBody)))]
pub(crate) async fn list_tokens(
    caller: Caller,
    State(api): State<SharedApi>,
) -> Result<Json<TokenList>, Refusal> {
    caller.administrator("list metrics tokens")?;
    let tokens = api.orchestrator.tokens.list(&Scope::Metrics).await?;
    let wire = tokens.into_iter().map(|token| Token {
        id: token.id,
        description: token.description,
        created_at: token.created_at,
    });
    Ok(Json(TokenList {
        tokens: wire.collect(),
    }))
}

/// Makes a token that may read metrics and nothing else.
#[utoipa::path(post, path = "/v1/metrics-tokens", tag = "tokens", request_body = CreateToken, responses(
    (status = 201, body = CreatedToken), (status = 403, body = ErrorBody)))]
pub(crate) async fn create_token(
    caller: Caller,
    State(api): State<SharedApi>,
    Body(ask): Body<CreateToken>,
) -> Result<(StatusCode, Json<CreatedToken>), Refusal> {
    caller.administrator("create metrics tokens")?;
    let tokens = &api.orchestrator.tokens;
    let NewToken { summary, secret } = tokens.create(Scope::Metrics, &ask.description).await?;
    tracing::info!(token = summary.id, "a token was made");
    let created = CreatedToken {
        id: summary.id,
        token: secret.expose_secret().to_owned(),
        description: summary.description,
        created_at: summary.created_at,
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Revokes a token that may read metrics.
#[utoipa::path(delete, path = "/v1/metrics-tokens/{name}", tag = "tokens",
    params(("name" = String, Path, description = "The token's id")), responses(
    (status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn revoke_token(
    caller: Caller,
    Named(id): Named,
    State(api): State<SharedApi>,
) -> Result<StatusCode, Refusal> {
    caller.administrator("revoke metrics tokens")?;
    api.orchestrator.tokens.revoke(&Scope::Metrics, &id).await?;
    tracing::info!(token = id, "a token was revoked");
    Ok(StatusCode::NO_CONTENT)
}
