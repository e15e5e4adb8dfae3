//! Meters a guest: measures the CPU of every poll, ends its slice, and stops it at its CPU limit.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use wasmtime::UpdateDeadline;

use crate::cpu::{CpuAccount, SLICE, thread_time};
use crate::ticker::Ticker;

/// Ticks until the engine looks at a guest again.
pub(crate) const TICKS_PER_LOOK: u64 = 1;

/// What one request (or one job) has used, and whether it must give way.
#[derive(Debug)]
pub(crate) struct Meter {
    account: Arc<CpuAccount>,
    /// CPU time used in finished polls, in nanoseconds.
    used: AtomicU64,
    /// The thread's CPU clock when the current poll began.
    slice_start: AtomicU64,
    /// The guest used up its slice in the last poll.
    preempted: AtomicBool,
    /// The guest was stopped at its CPU limit.
    exhausted: AtomicBool,
    cpu_limit: u64,
}

impl Meter {
    pub(crate) fn new(account: Arc<CpuAccount>, cpu_limit: Option<Duration>) -> Self {
        let nanos = |limit: Duration| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        Self {
            account,
            used: AtomicU64::new(0),
            slice_start: AtomicU64::new(0),
            preempted: AtomicBool::new(false),
            exhausted: AtomicBool::new(false),
            cpu_limit: cpu_limit.map_or(u64::MAX, nanos),
        }
    }

    /// CPU time used so far.
    pub(crate) fn used(&self) -> Duration {
        Duration::from_nanos(self.used.load(Ordering::Relaxed))
    }

    /// Whether the guest used up its slice in the last poll and wants to go on.
    pub(crate) fn preempted(&self) -> bool {
        self.preempted.load(Ordering::Relaxed)
    }

    /// Whether the guest was stopped at its CPU limit.
    pub(crate) fn exhausted(&self) -> bool {
        self.exhausted.load(Ordering::Relaxed)
    }

    /// The engine's question at each tick: may this guest go on?
    pub(crate) fn look(&self) -> UpdateDeadline {
        let slice = thread_time().saturating_sub(self.slice_start.load(Ordering::Relaxed));
        if self.used.load(Ordering::Relaxed).saturating_add(slice) > self.cpu_limit {
            self.exhausted.store(true, Ordering::Relaxed);
            return UpdateDeadline::Interrupt;
        }
        // A tick may fall anywhere: a guest that has only just begun keeps its turn.
        if u128::from(slice) < SLICE.as_nanos() / 2 {
            return UpdateDeadline::Continue(TICKS_PER_LOOK);
        }
        self.preempted.store(true, Ordering::Relaxed);
        UpdateDeadline::YieldCustom(TICKS_PER_LOOK, Box::pin(YieldOnce { yielded: false }))
    }

    /// Polls `guest` with its CPU time measured and booked.
    pub(crate) fn poll<F: Future + ?Sized>(
        &self,
        ticker: &Ticker,
        guest: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        let running = ticker.guest_runs();
        self.preempted.store(false, Ordering::Relaxed);
        let begin = thread_time();
        self.slice_start.store(begin, Ordering::Relaxed);
        let poll = guest.poll(cx);
        let used = thread_time().saturating_sub(begin);
        drop(running);
        self.used.fetch_add(used, Ordering::Relaxed);
        self.account.charge(used);
        poll
    }
}

/// Pending once, and at once ready to be polled again.
struct YieldOnce {
    yielded: bool,
}

impl Future for YieldOnce {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
