//! What handlers take: each argument is made of the request, or the client is told why it can't be.

mod fields;
pub(crate) mod json;

use crate::{
    Body, Deadline, Error, HeaderMap, IntoResponse, Method, Request, Response, Result, StatusCode, Uri,
};
use bytes::Bytes;
use fields::{Fault, Fields};
use http::header::CONTENT_TYPE;
use serde::{Serialize, de::DeserializeOwned};
use std::future::Future;

/// What is made of a request's head: any argument of a handler can be it.
///
/// ```
/// use wharf::{Error, FromRequestParts, Request, Result, StatusCode};
///
/// struct ApiKey(String);
///
/// impl FromRequestParts for ApiKey {
///     async fn from_request_parts(request: &Request) -> Result<Self> {
///         let key = request.header("x-api-key");
///         let key = key.ok_or_else(|| Error::new(StatusCode::UNAUTHORIZED, "the header x-api-key is missing"))?;
///         Ok(Self(key.to_owned()))
///     }
/// }
///
/// async fn whoami(ApiKey(key): ApiKey) -> String {
///     key
/// }
/// # use wharf::test::{Host, get};
/// # assert_eq!(Host::new().call(whoami, get("/")).status(), StatusCode::UNAUTHORIZED);
/// # assert_eq!(Host::new().call(whoami, get("/").header("x-api-key", "k")).text(), "k");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a handler before the last",
    note = "what reads the body (`Request`, `Json`, `Form`, `String`, `Bytes`, `Body`) comes last"
)]
pub trait FromRequestParts: Sized {
    /// Reads the request's head.
    ///
    /// # Errors
    /// What the client is told instead of the handler's answer.
    fn from_request_parts(request: &Request) -> impl Future<Output = Result<Self>>;
}

/// What is made of a whole request: the last argument of a handler can be it.
///
/// `M` keeps those that want the body apart from those that don't, and is left out: `impl FromRequest for …`.
#[diagnostic::on_unimplemented(message = "`{Self}` cannot be an argument of a handler")]
pub trait FromRequest<M = WithBody>: Sized {
    /// Reads the request.
    ///
    /// # Errors
    /// What the client is told instead of the handler's answer.
    fn from_request(request: Request) -> impl Future<Output = Result<Self>>;
}

/// Marks an extractor that takes the whole request. Only for the compiler.
#[derive(Debug)]
pub enum WithBody {}

/// Marks an extractor that takes the head alone. Only for the compiler.
#[derive(Debug)]
pub enum WithoutBody {}

impl<T: FromRequestParts> FromRequest<WithoutBody> for T {
    async fn from_request(request: Request) -> Result<Self> {
        T::from_request_parts(&request).await
    }
}

/// The parts of the path that the route names, in braces: one value, a tuple in their order, or a struct by their
/// names. Percent-encoding is undone. What doesn't parse is 400, and the answer names it.
///
/// ```
/// use wharf::{Path, Router, routing::get};
///
/// async fn line(Path((order, line)): Path<(u64, usize)>) -> String {
///     format!("line {line} of order {order}")
/// }
///
/// fn app() -> Router {
///     Router::new().route("/orders/{order}/{line}", get(line))
/// }
/// # use wharf::test::Host;
/// # assert_eq!(Host::new().call(app(), wharf::test::get("/orders/17/3")).text(), "line 3 of order 17");
/// # let refused = Host::new().call(app(), wharf::test::get("/orders/17/last"));
/// # assert_eq!(refused.json::<serde_json::Value>()["error"], "path: `line`: expected a whole number from 0, found `last`");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts for Path<T> {
    async fn from_request_parts(request: &Request) -> Result<Self> {
        let read = Fields::of_path(&request.parameters).and_then(|fields| T::deserialize(fields));
        read.map(Self).map_err(|fault| match fault.field {
            Some(_) => refused(StatusCode::BAD_REQUEST, "path", &fault),
            // The path names what it names: the handler expects something else.
            None => Error::internal(format!("the handler's `Path` does not fit its route: {fault}")),
        })
    }
}

/// The query as a type of yours. What is missing or doesn't parse is 400, and the answer names it. A field that is
/// given several times goes into a `Vec`, one that may be missing into an `Option`.
///
/// ```
/// use wharf::Query;
///
/// #[derive(serde::Deserialize)]
/// struct Search {
///     text: String,
///     page: Option<u32>,
///     #[serde(default)]
///     tag: Vec<String>,
/// }
///
/// async fn search(Query(search): Query<Search>) -> String {
///     format!("page {} of {} in {}", search.page.unwrap_or(1), search.text, search.tag.join("+"))
/// }
/// # use wharf::test::{Host, get};
/// # let found = |target: &str| Host::new().call(search, get(target)).text().to_owned();
/// # assert_eq!(found("/?text=tea&tag=a&tag=b"), "page 1 of tea in a+b");
/// # assert_eq!(found("/?page=2"), r#"{"error":"query: `text` is missing"}"#);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts for Query<T> {
    async fn from_request_parts(request: &Request) -> Result<Self> {
        let fields = Fields::encoded(request.query_text().as_bytes());
        let read = T::deserialize(fields);
        read.map(Self)
            .map_err(|fault| refused(StatusCode::BAD_REQUEST, "query", &fault))
    }
}

/// A form, `application/x-www-form-urlencoded`: a request's body, of a GET or HEAD its query. Fields are as in
/// [`Query`].
///
/// 415 for another content type, 413 for a body over [`Body::MAX_COLLECTED`], 422 for what is missing or doesn't parse.
///
/// ```
/// use wharf::{Form, Redirect};
///
/// #[derive(serde::Deserialize)]
/// struct Entry { name: String, message: String }
///
/// async fn sign(Form(entry): Form<Entry>) -> Redirect {
///     println!("{}: {}", entry.name, entry.message);
///     Redirect::to("/")
/// }
/// # use wharf::test::{Host, post};
/// # let signed = Host::new().call(sign, post("/").form(&[("name", "Ada"), ("message", "hello")]));
/// # assert_eq!(signed.status(), 303);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Form<T>(pub T);

const FORM: &str = "application/x-www-form-urlencoded";

impl<T: DeserializeOwned> FromRequest for Form<T> {
    async fn from_request(request: Request) -> Result<Self> {
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            return Query::from_request_parts(&request)
                .await
                .map(|Query(value)| Self(value));
        }
        check_type(request.headers(), FORM, |found| found == FORM)?;
        let body = request.bytes().await?;
        T::deserialize(Fields::encoded(&body))
            .map(Self)
            .map_err(|fault| refused(StatusCode::UNPROCESSABLE_ENTITY, "form", &fault))
    }
}

/// A value as JSON: the body of a request, or of a response.
///
/// 415 for another content type, 413 for a body over [`Body::MAX_COLLECTED`], 400 for what is no JSON, 422 for JSON that
/// is not the value's: the answer says where.
///
/// ```
/// use wharf::{Json, StatusCode};
///
/// #[derive(serde::Deserialize, serde::Serialize)]
/// struct Order { item: String, count: u32 }
///
/// async fn order(Json(order): Json<Order>) -> (StatusCode, Json<Order>) {
///     (StatusCode::CREATED, Json(order))
/// }
/// # use wharf::test::{Host, post};
/// # let made = Host::new().call(order, post("/").json(&Order { item: "tea".into(), count: 2 }));
/// # assert_eq!((made.status(), made.text()), (StatusCode::CREATED, r#"{"item":"tea","count":2}"#));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Json<T> {
    async fn from_request(request: Request) -> Result<Self> {
        request.json().await.map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        Response::json(&self.0).into_response()
    }
}

/// What [`Router::with_state`](crate::Router::with_state) gave, or a middleware put into the request's
/// [extensions](Request::extensions_mut), by its type.
///
/// ```
/// use std::rc::Rc;
/// use wharf::{Router, State, routing::get};
///
/// struct Catalogue(Vec<&'static str>);
///
/// async fn items(State(catalogue): State<Rc<Catalogue>>) -> String {
///     catalogue.0.join(", ")
/// }
///
/// fn app() -> Router {
///     Router::new().route("/", get(items)).with_state(Rc::new(Catalogue(vec!["tea", "cups"])))
/// }
/// # assert_eq!(wharf::test::Host::new().call(app(), wharf::test::get("/")).text(), "tea, cups");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct State<T>(pub T);

impl<T: Clone + 'static> FromRequestParts for State<T> {
    async fn from_request_parts(request: &Request) -> Result<Self> {
        let state = request.extensions().get().cloned().map(Self);
        state.ok_or_else(|| {
            let name = std::any::type_name::<T>();
            Error::internal(format!(
                "the handler wants a `State<{name}>`: give it to the router with `with_state`"
            ))
        })
    }
}

impl FromRequestParts for Method {
    async fn from_request_parts(request: &Request) -> Result<Self> {
        Ok(request.method().clone())
    }
}

impl FromRequestParts for Uri {
    async fn from_request_parts(request: &Request) -> Result<Self> {
        Ok(request.uri().clone())
    }
}

impl FromRequestParts for HeaderMap {
    async fn from_request_parts(request: &Request) -> Result<Self> {
        Ok(request.headers().clone())
    }
}

impl FromRequestParts for Deadline {
    async fn from_request_parts(request: &Request) -> Result<Self> {
        Ok(request.deadline())
    }
}

impl FromRequest for Request {
    async fn from_request(request: Request) -> Result<Self> {
        Ok(request)
    }
}

impl FromRequest for Body {
    async fn from_request(request: Request) -> Result<Self> {
        Ok(request.into_body())
    }
}

impl FromRequest for Bytes {
    async fn from_request(request: Request) -> Result<Self> {
        request.bytes().await
    }
}

impl FromRequest for String {
    async fn from_request(request: Request) -> Result<Self> {
        request.text().await
    }
}

/// For handlers that want to say it in their own way.
impl<T: FromRequest<M>, M> FromRequest<(WithBody, M)> for Result<T> {
    async fn from_request(request: Request) -> Result<Self> {
        Ok(T::from_request(request).await)
    }
}

fn refused(status: StatusCode, place: &str, fault: &Fault) -> Error {
    Error::new(status, format!("{place}: {fault}"))
}

/// 415, unless the content type is one that is wanted.
fn check_type(headers: &HeaderMap, wanted: &str, fits: impl FnOnce(&str) -> bool) -> Result<()> {
    let found = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = found
        .and_then(|found| found.split(';').next())
        .unwrap_or_default();
    if fits(&essence.trim().to_ascii_lowercase()) {
        return Ok(());
    }
    let message = format!(
        "the body is to be sent with `content-type: {wanted}`, not {}",
        found.map_or_else(|| "without one".to_owned(), |found| format!("`{found}`"))
    );
    Err(Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
}

#[cfg(test)]
mod tests;
