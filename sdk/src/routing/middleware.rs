//! What is around the handlers.

use super::Router;
use crate::handler::Answering;
use crate::{IntoResponse, Request, Response};
use std::fmt;

/// What comes after a middleware: the next one, or the handler.
pub struct Next<'a> {
    router: &'a Router,
    /// Those that are left; the last is the next.
    layers: &'a [Box<dyn Layer>],
}

impl<'a> Next<'a> {
    pub(super) fn new(router: &'a Router, layers: &'a [Box<dyn Layer>]) -> Self {
        Self { router, layers }
    }

    /// The answer of what comes after. Errors are responses by then.
    pub async fn run(self, request: Request) -> Response {
        match self.layers.split_last() {
            Some((layer, layers)) => layer.answer(request, Next { layers, ..self }).await,
            None => self.router.dispatch(request).await,
        }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Next({} more)", self.layers.len())
    }
}

/// A middleware whose type is forgotten.
pub(super) trait Layer {
    fn answer<'a>(&'a self, request: Request, next: Next<'a>) -> Answering<'a>;
}

impl<F, R> Layer for F
where
    F: AsyncFn(Request, Next<'_>) -> R + 'static,
    R: IntoResponse,
{
    fn answer<'a>(&'a self, request: Request, next: Next<'a>) -> Answering<'a> {
        Box::pin(async move { self(request, next).await.into_response() })
    }
}
