//! Whether the server lives and whether it serves; without a token.

use axum::extract::State;
use http::StatusCode;

use crate::api::SharedApi;

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
