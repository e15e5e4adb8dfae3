//! A request, as the handler gets it.

mod deadline;
mod extensions;

pub use deadline::Deadline;
pub use extensions::Extensions;

use crate::extract::{FromRequest, json};
use crate::{Body, HeaderMap, Method, Result, Uri, host};
use bytes::Bytes;
use http::uri::PathAndQuery;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::cell::LazyCell;
use std::rc::Rc;
use std::time::Duration;

/// What is asked of the host when somebody wants it.
type Lazy<T> = LazyCell<T, Box<dyn FnOnce() -> T>>;

/// A request: its head is there, its body arrives as it is read.
#[derive(Debug)]
pub struct Request {
    method: Method,
    target: PathAndQuery,
    uri: Lazy<Uri>,
    headers: Lazy<HeaderMap>,
    body: Body,
    /// When it was there.
    arrived: Duration,
    /// What the route's path names, as it was sent.
    pub(crate) parameters: Vec<(Rc<str>, String)>,
    extensions: Extensions,
}

impl Request {
    pub(crate) fn new(
        method: Method,
        target: PathAndQuery,
        uri: impl FnOnce() -> Uri + 'static,
        headers: impl FnOnce() -> HeaderMap + 'static,
        body: Body,
    ) -> Self {
        Self {
            method,
            target,
            uri: LazyCell::new(Box::new(uri)),
            headers: LazyCell::new(Box::new(headers)),
            body,
            arrived: host::now(),
            parameters: Vec::new(),
            extensions: Extensions::default(),
        }
    }

    /// Of what is known already.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn known(method: Method, uri: Uri, headers: HeaderMap, body: Body) -> Self {
        let target = uri.path_and_query().cloned();
        let target = target.unwrap_or(PathAndQuery::from_static("/"));
        Self::new(method, target, || uri, || headers, body)
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The target, with the query.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The host the client asked for, without the port: what other guests read from a `Host` header, which WASI
    /// has none of. With the port it is [`uri`](Self::uri)'s authority.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.uri().host()
    }

    /// The path, as it was sent: not percent-decoded.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.path()
    }

    /// The first query parameter of that name, decoded. All of them as a type of yours: [`Query`](crate::Query).
    #[must_use]
    pub fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        self.queries()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// All query parameters in their order, decoded.
    pub fn queries(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        form_urlencoded::parse(self.query_text().as_bytes())
    }

    /// The query as it was sent, nothing if there is none.
    pub(crate) fn query_text(&self) -> &str {
        self.target.query().unwrap_or_default()
    }

    /// The first header of that name, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// All headers, to be changed: for middleware.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    /// When the answer has to be there.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        Deadline::of(&self.headers, self.arrived)
    }

    /// As a server gives it that lets it take so long from now on.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn with_timeout(mut self, timeout: Duration) -> Self {
        let milliseconds = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        self.headers
            .insert(deadline::X_WHARF_TIMEOUT_MS, milliseconds.into());
        self.arrived = host::now();
        self
    }

    /// What middleware found out about the request, by type. A handler gets it as [`State`](crate::State).
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// As [`extensions`](Self::extensions), to be added to.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    /// The whole body, up to [`Body::MAX_COLLECTED`].
    ///
    /// # Errors
    /// 413 if the body is longer, 400 if it ends early.
    pub async fn bytes(self) -> Result<Bytes> {
        self.body.bytes().await
    }

    /// The whole body as text.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes); 400 if it isn't UTF-8.
    pub async fn text(self) -> Result<String> {
        self.body.text().await
    }

    /// The whole body as JSON, as the extractor [`Json`](crate::Json) reads it.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes); 415 if the content type isn't JSON, 400 if the body isn't, 422 that says where it
    /// departs from `T`.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T> {
        json::of_request(self).await
    }

    /// What an extractor makes of the request: for middleware, and for handlers that choose what to read.
    ///
    /// ```
    /// use wharf::{Form, Json, Request, Result};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Order { item: String }
    ///
    /// async fn order(request: Request) -> Result<String> {
    ///     if request.header("content-type") == Some("application/json") {
    ///         let Json(order): Json<Order> = request.extract().await?;
    ///         return Ok(order.item);
    ///     }
    ///     let Form(order): Form<Order> = request.extract().await?;
    ///     Ok(order.item)
    /// }
    /// # use wharf::test::{Host, post};
    /// # assert_eq!(Host::new().call(order, post("/").form(&[("item", "tea")])).text(), "tea");
    /// ```
    ///
    /// # Errors
    /// What the extractor refuses.
    pub async fn extract<T: FromRequest<M>, M>(self) -> Result<T> {
        T::from_request(self).await
    }

    /// The body, to be read as it arrives or handed on.
    #[must_use]
    pub fn into_body(self) -> Body {
        self.body
    }
}

#[cfg(test)]
mod tests;
