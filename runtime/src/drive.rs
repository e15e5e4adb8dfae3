//! Drives a guest to its end: on the thread that asks while it is quick, on the guest threads when it is not.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::Runtime;
use crate::cpu::CpuAccount;
use crate::meter::Meter;

/// A guest's future: its result is delivered from within.
pub(crate) type GuestFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A guest with what it is metered by.
pub(crate) struct Guest {
    future: GuestFuture,
    meter: Arc<Meter>,
    runtime: Arc<Runtime>,
}

impl Guest {
    pub(crate) fn new(future: GuestFuture, meter: Arc<Meter>, runtime: Arc<Runtime>) -> Self {
        Self {
            future,
            meter,
            runtime,
        }
    }
}

impl Future for Guest {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self {
            future,
            meter,
            runtime,
        } = &mut *self;
        meter.poll(runtime.ticker(), future.as_mut(), cx)
    }
}

/// What became of a guest that was polled where it was.
enum Inline {
    Done,
    /// It used up its slice, or its task may not run here now.
    MustMove,
}

/// Runs `guest` to its end. Dropping the future drops the guest.
pub(crate) async fn drive(mut guest: Guest, account: Arc<CpuAccount>) {
    let runtime = Arc::clone(&guest.runtime);
    let inline = poll_fn(|cx| {
        if !runtime.scheduler().may_run_inline(&account) {
            return Poll::Ready(Inline::MustMove);
        }
        match Pin::new(&mut guest).poll(cx) {
            Poll::Ready(()) => Poll::Ready(Inline::Done),
            Poll::Pending if guest.meter.preempted() => Poll::Ready(Inline::MustMove),
            Poll::Pending => Poll::Pending,
        }
    });
    if let Inline::MustMove = inline.await {
        runtime.scheduler().spawn(&account, Box::pin(guest)).await;
    }
}
