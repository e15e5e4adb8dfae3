//! The CPU of a task's connections (TLS, HTTP framing, name look-ups), on the task's account.
//!
//! It is spent beside the guest, in tasks of the connections' own. What they use puts the task in debt like anything
//! else it does; it is the guest that is paused then, and with nobody reading or writing the connections rest too.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::cpu::{CpuAccount, thread_time};

/// Runs futures on an account.
#[derive(Debug, Clone)]
pub(super) struct Metered(Arc<CpuAccount>);

impl Metered {
    pub(super) fn new(account: Arc<CpuAccount>) -> Self {
        Self(account)
    }

    /// The same future, with every poll charged.
    pub(super) fn meter<F: Future>(&self, future: F) -> MeteredFuture<F> {
        MeteredFuture {
            metered: self.clone(),
            future: Box::pin(future),
        }
    }

    /// Does `work` at once, and charges it.
    pub(super) fn charged<T>(&self, work: impl FnOnce() -> T) -> T {
        let begin = thread_time();
        let done = work();
        self.0.charge(thread_time().saturating_sub(begin));
        done
    }
}

impl<F> hyper::rt::Executor<F> for Metered
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        tokio::spawn(self.meter(future));
    }
}

/// A future whose polls are charged.
#[derive(Debug)]
pub(super) struct MeteredFuture<F> {
    metered: Metered,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for MeteredFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { metered, future } = &mut *self;
        metered.charged(|| future.as_mut().poll(cx))
    }
}

#[cfg(test)]
mod tests;
