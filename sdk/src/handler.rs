//! Functions that answer requests: their arguments are extracted, what they return becomes a response.

use crate::{FromRequest, FromRequestParts, IntoResponse, Request, Response};
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

/// What answers requests: an async function of up to six [extractors](FromRequestParts), of which the last may
/// [read the body](FromRequest), that returns what [becomes a response](IntoResponse); or a [`Router`](crate::Router).
///
/// If an argument can't be extracted, its error is the answer and the function is not called. `M` tells the compiler the
/// functions' kinds apart and is always inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    note = "a handler is an `async fn` whose arguments are extractors, the one that reads the body last, and that returns what becomes a response: `async fn(Request) -> Result<Response>`"
)]
pub trait Handler<M>: 'static {
    /// Answers a request.
    fn call(&self, request: Request) -> impl Future<Output = Response>;
}

macro_rules! functions {
    ($(($($head:ident)*))*) => {$(
        #[allow(non_snake_case, reason = "one name for the type and its value")]
        impl<F, R, M, $($head,)* Last> Handler<(M, $($head,)* Last)> for F
        where
            F: AsyncFn($($head,)* Last) -> R + 'static,
            R: IntoResponse,
            $($head: FromRequestParts,)*
            Last: FromRequest<M>,
        {
            async fn call(&self, request: Request) -> Response {
                $(
                    let $head = match $head::from_request_parts(&request).await {
                        Ok(value) => value,
                        Err(error) => return error.into_response(),
                    };
                )*
                match Last::from_request(request).await {
                    Ok(last) => self($($head,)* last).await.into_response(),
                    Err(error) => error.into_response(),
                }
            }
        }
    )*};
}

functions! { () (A) (A B) (A B C) (A B C D) (A B C D E) }

impl<F, R> Handler<()> for F
where
    F: AsyncFn() -> R + 'static,
    R: IntoResponse,
{
    async fn call(&self, _: Request) -> Response {
        self().await.into_response()
    }
}

pub(crate) type Answering<'a> = Pin<Box<dyn Future<Output = Response> + 'a>>;

/// A handler whose type is forgotten.
pub(crate) trait AnyHandler {
    fn answer(&self, request: Request) -> Answering<'_>;
}

pub(crate) fn boxed<H: Handler<M>, M: 'static>(handler: H) -> Box<dyn AnyHandler> {
    Box::new(Forgotten(handler, PhantomData))
}

struct Forgotten<H, M>(H, PhantomData<M>);

impl<H: Handler<M>, M: 'static> AnyHandler for Forgotten<H, M> {
    fn answer(&self, request: Request) -> Answering<'_> {
        Box::pin(self.0.call(request))
    }
}
