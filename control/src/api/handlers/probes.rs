//! Whether the server lives, whether it serves, and what its API is; without a token.

use std::sync::LazyLock;

use axum::extract::State;
use http::{HeaderValue, StatusCode, header};

use crate::api::{SharedApi, description};

/// Whether the server lives.
#[utoipa::path(get, path = "/healthz", tag = "probes", security(()), responses((status = 200, body = String)))]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether every service the store holds was started once.
#[utoipa::path(get, path = "/readyz", tag = "probes", security(()), responses(
    (status = 200, body = String), (status = 503, body = String)))]
pub(crate) async fn readyz(State(api): State<SharedApi>) -> (StatusCode, &'static str) {
    match (api.closing.is_cancelled(), api.orchestrator.reconciler.is_ready()) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        (false, true) => (StatusCode::OK, "ready\n"),
        (false, false) => (StatusCode::SERVICE_UNAVAILABLE, "services are being started\n"),
    }
}

/// What `openapi.json` of this repository is.
static DESCRIPTION: LazyLock<String> = LazyLock::new(description);

/// This description, as OpenAPI. It takes no token.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "probes", security(()), responses(
    (status = 200, body = Object)))]
pub(crate) async fn openapi() -> ([(header::HeaderName, HeaderValue); 1], &'static str) {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, JSON)], DESCRIPTION.as_str())
}
