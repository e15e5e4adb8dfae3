//! What lies below: WASI in a component, [`crate::test::Host`] in a native test. Both have the same few functions,
//! so that everything above is the same code in both.

#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(target_family = "wasm")]
mod wasi;

#[cfg(not(target_family = "wasm"))]
pub(crate) use native::{
    Current, Upstream, World, env_var, kv, log_line, now, random, send, sleep, stopping,
};
#[cfg(target_family = "wasm")]
pub(crate) use wasi::{
    Incoming, env_var, header_of, kv, log_line, now, random, request_of, respond, send, sleep, stopping,
};

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// What the future gives, or None if it takes longer.
pub(crate) async fn timeout<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    either(future, sleep(limit)).await
}

/// What the future gives, or None if the other one ends before it.
pub(crate) async fn either<F: Future>(future: F, end: impl Future<Output = ()>) -> Option<F::Output> {
    let (mut future, mut end) = (pin!(future), pin!(end));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => end.as_mut().poll(cx).map(|()| None),
    })
    .await
}
