//! What handlers are given: who asks, in which namespace, and a body that was read within its bound.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use futures_util::FutureExt as _;
use http::header::AUTHORIZATION;
use http::request::Parts;
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;

use super::SharedApi;
use crate::names::NamespaceName;
use crate::orchestrator::no_namespace;
use crate::refusal::{Kind, Refusal};
use crate::tokens::Principal;

/// Who asks: a request without a good token has no caller, and gets 401.
#[derive(Debug, Clone)]
pub(super) struct Caller(pub(super) Principal);

impl Caller {
    /// Only the administrator may.
    pub(super) fn administrator(&self, what: &str) -> Result<(), Refusal> {
        if self.0.is_administrator() {
            return Ok(());
        }
        let message = format!("only the administrator may {what}");
        Err(Refusal::new(Kind::Forbidden, "AccessDenied", message)
            .hint("use the administrator's token, which is in <data>/admin-token on the server"))
    }
}

impl FromRequestParts<SharedApi> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &SharedApi) -> Result<Self, Refusal> {
        let header = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.split_once(' '));
        // RFC 9110, 11.1: the scheme's case doesn't matter.
        let token = token
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        let (code, message) = match token {
            None => ("MissingToken", "there is no bearer token"),
            Some(token) => match api.orchestrator.tokens.authenticate(token).await? {
                Some(principal) => return Ok(Self(principal)),
                None => ("InvalidToken", "the token is not known, or was revoked"),
            },
        };
        Err(Refusal::new(Kind::Unauthorized, code, message)
            .hint("set WHARF_TOKEN, or WHARF_DATA on the server's own machine"))
    }
}

/// A place among the API's connections. What was begun for one keeps it, also when its client has gone away.
#[derive(Debug, Clone)]
pub(crate) struct Place(#[expect(dead_code, reason = "it is held")] Arc<OwnedSemaphorePermit>);

impl Place {
    /// From what was acquired.
    pub(crate) fn new(permit: OwnedSemaphorePermit) -> Self {
        Self(Arc::new(permit))
    }
}

/// Where the connection of a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// A namespace of the path that exists and that the caller may enter; anything else is the same 404.
#[derive(Debug, Clone)]
pub(super) struct InNamespace {
    pub(super) caller: Caller,
    pub(super) name: NamespaceName,
}

impl FromRequestParts<SharedApi> for InNamespace {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &SharedApi) -> Result<Self, Refusal> {
        let caller = Caller::from_request_parts(parts, api).await?;
        let text = param(parts, api, "ns").await?;
        let name: NamespaceName = text.parse().map_err(|_| {
            Refusal::not_found(
                "NamespaceNotFound",
                format!("there is no namespace `{}`", text.escape_debug()),
            )
        })?;
        if !caller.0.may_use(&name) {
            return Err(no_namespace(&name));
        }
        api.orchestrator.namespace(&name).await?;
        Ok(Self { caller, name })
    }
}

/// The part of the path after the namespace: a service's name, an id, a digest.
#[derive(Debug, Clone)]
pub(super) struct Named(pub(super) String);

impl FromRequestParts<SharedApi> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &SharedApi) -> Result<Self, Refusal> {
        param(parts, api, "name").await.map(Self)
    }
}

impl Named {
    /// The name as what it should be.
    pub(super) fn parse<T: std::str::FromStr>(&self) -> Result<T, Refusal>
    where
        T::Err: std::fmt::Display,
    {
        self.0
            .parse()
            .map_err(|error: T::Err| Refusal::new(Kind::Malformed, "InvalidName", error.to_string()))
    }
}

async fn param(parts: &mut Parts, api: &SharedApi, name: &str) -> Result<String, Refusal> {
    let malformed = |e: &dyn std::fmt::Display| Refusal::new(Kind::Malformed, "InvalidPath", e.to_string());
    let params = RawPathParams::from_request_parts(parts, api)
        .await
        .map_err(|e| malformed(&e))?;
    let found = params
        .iter()
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned());
    found.ok_or_else(|| malformed(&format!("the path has no `{name}`")))
}

/// The number that the path ends with, or nearly: a run's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbered(pub(super) u64);

impl FromRequestParts<SharedApi> for Numbered {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &SharedApi) -> Result<Self, Refusal> {
        let text = param(parts, api, "number").await?;
        text.parse().map(Self).map_err(|_| {
            let message = format!("`{}` is no run's number", text.escape_debug());
            Refusal::new(Kind::Malformed, "InvalidName", message)
        })
    }
}

/// A body that is parsed [aside](crate::aside): it takes a millisecond or more.
const LARGE_BODY: usize = 64 << 10;

/// A JSON body; what is wrong with it is answered as every other error is.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned + Send + 'static> FromRequest<SharedApi> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, api: &SharedApi) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let read = Bytes::from_request(Request::from_parts(parts.clone(), body), api).await;
        let body = read.map_err(|rejection| bad_body(&rejection.into()))?;
        let is_large = body.len() > LARGE_BODY;
        let request = Request::from_parts(parts, body.into());
        // Everything is there: nothing is waited for.
        let parse = move || axum::Json::<T>::from_request(request, &()).now_or_never();
        let parsed = match is_large {
            true => api.orchestrator.aside.run(parse).await?,
            false => parse(),
        };
        match parsed {
            Some(Ok(axum::Json(value))) => Ok(Self(value)),
            Some(Err(rejection)) => Err(bad_body(&rejection)),
            None => Err(Refusal::new(
                Kind::Internal,
                "WorkFailed",
                "the body was not there",
            )),
        }
    }
}

fn bad_body(rejection: &JsonRejection) -> Refusal {
    let text = rejection.body_text();
    match rejection {
        JsonRejection::BytesRejection(_) if rejection.status() == http::StatusCode::PAYLOAD_TOO_LARGE => {
            let message = format!(
                "the body is larger than {} bytes, or {} in an apply",
                super::MAX_JSON_BODY,
                super::MAX_APPLY_BODY
            );
            Refusal::new(Kind::TooLarge, "BodyTooLarge", message)
        }
        JsonRejection::JsonDataError(_) => Refusal::unprocessable("InvalidBody", text),
        JsonRejection::MissingJsonContentType(_) => {
            Refusal::new(Kind::Malformed, "InvalidBody", text).hint("send it as application/json")
        }
        _ => Refusal::new(Kind::Malformed, "InvalidBody", text),
    }
}

/// What follows the `?`.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<SharedApi> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &SharedApi) -> Result<Self, Refusal> {
        let query: Result<axum::extract::Query<T>, QueryRejection> =
            axum::extract::Query::from_request_parts(parts, api).await;
        let query = query.map_err(|e| Refusal::new(Kind::Malformed, "InvalidQuery", e.body_text()))?;
        Ok(Self(query.0))
    }
}
