//! The API's client: JSON requests, NDJSON streams and blob uploads over one pooled HTTP client.

use std::io;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde::de::DeserializeOwned;

mod error;
mod fault;
mod lines;

pub(crate) use error::{ApiError, Refusal};
pub(crate) use lines::Lines;

use fault::{CONNECT_PATIENCE, Fault};

use crate::settings::Settings;

/// The largest answer that is read as one JSON value; lists are bounded by the server far below it.
const MAX_ANSWER: usize = 64 << 20;

/// What a request can carry.
pub(crate) type RequestBody = UnsyncBoxBody<Bytes, io::Error>;

/// A server's API, for one namespace.
pub(crate) struct Api {
    base: Uri,
    namespace: String,
    authorization: HeaderValue,
    http: Client<HttpsConnector<HttpConnector>, RequestBody>,
}

impl Api {
    /// A client for these settings, in this namespace. Nothing is connected yet.
    pub(crate) fn new(settings: Settings, namespace: &str) -> anyhow::Result<Self> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", settings.token))
            .map_err(|_| crate::exit::Usage("the token holds characters that no token has".into()))?;
        authorization.set_sensitive(true);
        let http = Client::builder(TokioExecutor::new()).build(connector(&settings.api));
        Ok(Self {
            base: settings.api,
            namespace: namespace.to_owned(),
            authorization,
            http,
        })
    }

    /// The namespace that [`Api::path`] starts in.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The path of something in the namespace, each part escaped.
    pub(crate) fn path(&self, parts: &[&str]) -> String {
        let mut path = format!("/v1/namespaces/{}", escape(&self.namespace));
        for part in parts {
            path.push('/');
            path.push_str(&escape(part));
        }
        path
    }

    /// `GET` a JSON value.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        let answer = self.call(Method::GET, path, empty()).await?;
        self.read(answer).await
    }

    /// Send a JSON value, get one back.
    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ApiError> {
        let json = serde_json::to_vec(body).map_err(|source| self.garbled(source))?;
        let body = Full::from(json).map_err(|never| match never {}).boxed_unsync();
        let request = self
            .request(method, path)
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let answer = self.answer(request).await?;
        self.read(answer).await
    }

    /// `DELETE` something that answers with nothing.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), ApiError> {
        self.call(Method::DELETE, path, empty()).await.map(drop)
    }

    /// `DELETE` something that answers with what is left to do.
    pub(crate) async fn delete_begun<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        let answer = self.call(Method::DELETE, path, empty()).await?;
        self.read(answer).await
    }

    /// Whether `HEAD` finds something.
    pub(crate) async fn exists(&self, path: &str) -> Result<bool, ApiError> {
        match self.call(Method::HEAD, path, empty()).await {
            Ok(_) => Ok(true),
            Err(ApiError::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// `PUT` so many bytes.
    pub(crate) async fn upload(&self, path: &str, body: RequestBody, length: u64) -> Result<(), ApiError> {
        let request = self
            .request(Method::PUT, path)
            .header(CONTENT_TYPE, "application/octet-stream");
        self.answer(request.header(CONTENT_LENGTH, length).body(body))
            .await
            .map(drop)
    }

    /// `GET` a stream of JSON lines.
    pub(crate) async fn lines<T: DeserializeOwned>(&self, path: &str) -> Result<Lines<T>, ApiError> {
        Ok(Lines::new(
            self.call(Method::GET, path, empty()).await?.into_body(),
            self.base.clone(),
        ))
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: RequestBody,
    ) -> Result<Response<Incoming>, ApiError> {
        let request = self.request(method, path).body(body);
        self.answer(request).await
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let base = self.base.to_string();
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", base.trim_end_matches('/')))
            .header(AUTHORIZATION, self.authorization.clone())
    }

    /// Send a request; any status but a success becomes the error the server words.
    async fn answer(
        &self,
        request: http::Result<Request<RequestBody>>,
    ) -> Result<Response<Incoming>, ApiError> {
        let request = request.map_err(|source| self.garbled(source))?;
        let sent = self.http.request(request).await;
        let answer = sent.map_err(|error| ApiError::Unreachable {
            api: self.base.clone(),
            fault: Fault::of(&error),
        })?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let bytes = body.map(|body| body.to_bytes()).unwrap_or_default();
        Err(Refusal::new(status, &bytes).into())
    }

    async fn read<T: DeserializeOwned>(&self, answer: Response<Incoming>) -> Result<T, ApiError> {
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let bytes = body
            .map_err(|error| ApiError::Broken {
                api: self.base.clone(),
                fault: Fault::of(&*error),
            })?
            .to_bytes();
        serde_json::from_slice(&bytes).map_err(|source| self.garbled(source))
    }

    fn garbled(&self, cause: impl Into<error::BoxError>) -> ApiError {
        ApiError::Garbled {
            api: self.base.clone(),
            cause: cause.into(),
        }
    }
}

fn empty() -> RequestBody {
    Full::default().map_err(|never| match never {}).boxed_unsync()
}

/// Over plain HTTP no root certificates are looked for. A machine that has none trusts nobody, and is told so
/// when it meets a certificate.
fn connector(api: &Uri) -> HttpsConnector<HttpConnector> {
    let native = match api.scheme_str() {
        Some("https") => HttpsConnectorBuilder::new().with_native_roots().ok(),
        _ => None,
    };
    let builder = native.unwrap_or_else(|| {
        HttpsConnectorBuilder::new().with_tls_config(
            rustls::ClientConfig::builder()
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth(),
        )
    });
    let mut http = HttpConnector::new();
    http.set_connect_timeout(Some(CONNECT_PATIENCE));
    http.enforce_http(false); // https goes over it, too
    builder.https_or_http().enable_http1().wrap_connector(http)
}

/// Percent-encode everything in a path segment or query value that RFC 3986 does not call unreserved.
pub(crate) fn escape(part: &str) -> String {
    let mut escaped = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
