//! Which handler answers, by path and method; and what is around all of them.

mod method;
mod middleware;
mod pattern;

pub use method::{MethodRouter, any, delete, get, on, patch, post, put};
pub use middleware::Next;

use crate::handler::{AnyHandler, boxed};
use crate::{Error, Extensions, Handler, IntoResponse, Request, Response, StatusCode};
use middleware::Layer;
use pattern::Pattern;
use std::fmt;

/// Chooses a handler by path and method.
///
/// ```
/// use wharf::{Json, Path, Router, StatusCode, routing::{get, post}};
///
/// async fn list() -> Json<[u32; 2]> {
///     Json([1, 2])
/// }
///
/// async fn item(Path(id): Path<u32>) -> String {
///     format!("item {id}")
/// }
///
/// async fn file(Path(path): Path<String>) -> String {
///     format!("the file {path}")
/// }
///
/// #[wharf::http]
/// fn app() -> Router {
///     Router::new()
///         .route("/items", get(list).post(async || StatusCode::CREATED))
///         .route("/items/{id}", get(item))
///         .route("/files/{*path}", get(file))
/// }
/// # use wharf::test::{Host, delete, get as ask};
/// # let host = Host::new();
/// # assert_eq!(host.call(app(), ask("/items/7")).text(), "item 7");
/// # assert_eq!(host.call(app(), ask("/files/a/b.txt")).text(), "the file a/b.txt");
/// # let refused = host.call(app(), delete("/items"));
/// # assert_eq!((refused.status(), refused.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, Some("GET, HEAD, POST")));
/// ```
///
/// # Paths
/// `{name}` is one segment, not empty; `{*name}`, at the end, is all that is left, slashes included, and not empty. Of
/// several routes the one whose first difference is the more literal answers: `/a/b` before `/a/{x}` before `/a/{*x}`. A
/// slash at the end counts. Literal segments are compared as they were sent, not percent-decoded.
///
/// # What the router answers by itself
/// * 404 where no route has the path, unless there is a [`fallback`](Self::fallback).
/// * 405 with `Allow` where the route has no handler for the method.
/// * HEAD by the handler for GET, without its body.
/// * OPTIONS with 204 and `Allow`.
///
/// A handler of that method goes first in both.
#[derive(Default)]
pub struct Router {
    /// The more literal first.
    routes: Vec<(Pattern, MethodRouter)>,
    fallback: Option<Box<dyn AnyHandler>>,
    layers: Vec<Box<dyn Layer>>,
    states: Extensions,
}

impl Router {
    /// A router without routes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds handlers for a path. Handlers for other methods of the same path may follow in another call.
    ///
    /// # Panics
    /// If the path is not one, or if there is a handler for the same method and path: both are mistakes in the program.
    #[must_use]
    #[expect(
        clippy::panic,
        reason = "a mistake in the program, which every start would meet"
    )]
    pub fn route(mut self, path: &str, methods: MethodRouter) -> Self {
        let pattern = match Pattern::parse(path) {
            Ok(pattern) => pattern,
            Err(mistake) => panic!("the route `{path}`: {mistake}"),
        };
        match self.routes.binary_search_by(|(other, _)| other.cmp(&pattern)) {
            Ok(at) => {
                if let Some((other, known)) = self.routes.get_mut(at)
                    && let Err(mistake) = other.check_names(&pattern).and_then(|()| known.merge(methods))
                {
                    panic!("the route `{path}`: {mistake}");
                }
            }
            Err(at) => self.routes.insert(at, (pattern, methods)),
        }
        self
    }

    /// What answers where no route has the path.
    ///
    /// ```
    /// use wharf::{Router, StatusCode, Uri};
    ///
    /// let app = Router::new().fallback(async |uri: Uri| (StatusCode::NOT_FOUND, format!("no page {uri}")));
    /// # assert_eq!(wharf::test::Host::new().call(app, wharf::test::get("/x")).text(), "no page /x");
    /// ```
    #[must_use]
    pub fn fallback<H: Handler<M>, M: 'static>(mut self, handler: H) -> Self {
        self.fallback = Some(boxed(handler));
        self
    }

    /// Puts a function around everything that the router answers, its 404 and 405 included. Of several, the one
    /// that was added last is outermost.
    ///
    /// ```
    /// use wharf::{Error, Next, Request, Response, Result, Router, StatusCode, routing::get};
    ///
    /// #[derive(Clone)]
    /// struct User(String);
    ///
    /// async fn login(mut request: Request, next: Next<'_>) -> Result<Response> {
    ///     let user = request.header("x-user").map(|name| User(name.to_owned()));
    ///     let user = user.ok_or_else(|| Error::new(StatusCode::UNAUTHORIZED, "who are you?"))?;
    ///     // For the handler, as `State<User>`.
    ///     request.extensions_mut().insert(user);
    ///     next.run(request).await.with_header("cache-control", "private")
    /// }
    ///
    /// let app = Router::new().route("/", get(async || "welcome")).layer(login);
    /// # let host = wharf::test::Host::new();
    /// # assert_eq!(host.call(app, wharf::test::get("/")).status(), StatusCode::UNAUTHORIZED);
    /// ```
    #[must_use]
    pub fn layer<F, R>(mut self, function: F) -> Self
    where
        F: AsyncFn(Request, Next<'_>) -> R + 'static,
        R: IntoResponse,
    {
        self.layers.push(Box::new(function));
        self
    }

    /// Gives handlers and middleware a value, as [`State`](crate::State), by its type. It is cloned for each; where that
    /// costs something, put it in an `Rc`. It lives as long as the router: with `#[wharf::http] fn app() -> Router` as long
    /// as the instance, which answers one request, or with `isolation = "task"` many.
    #[must_use]
    pub fn with_state<T: Clone + 'static>(mut self, state: T) -> Self {
        self.states.insert(state);
        self
    }

    async fn dispatch(&self, mut request: Request) -> Response {
        let found = self
            .routes
            .iter()
            .find_map(|(pattern, methods)| Some((pattern.matches(request.path())?, methods)));
        match (found, &self.fallback) {
            (Some((parameters, methods)), _) => {
                request.parameters = parameters;
                methods.dispatch(request).await
            }
            (None, Some(fallback)) => fallback.answer(request).await,
            (None, None) => {
                let message = format!("nothing at {}", request.path());
                Error::new(StatusCode::NOT_FOUND, message).into_response()
            }
        }
    }
}

/// Marks a router among the handlers. Only for the compiler.
#[derive(Debug)]
pub enum Routed {}

impl Handler<Routed> for Router {
    async fn call(&self, mut request: Request) -> Response {
        request.extensions_mut().extend(&self.states);
        Next::new(self, &self.layers).run(request).await
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.routes.iter().map(|(pattern, methods)| (pattern, methods)))
            .finish()
    }
}

#[cfg(test)]
mod tests;
