//! The epoch clock: advances the engine's epoch every millisecond while a guest runs, and parks otherwise.
//!
//! It is a thread of its own because a task on an executor would be starved by the very guest it has to
//! stop. An idle server has no guest and so no ticks: parked, it costs nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use wasmtime::Engine;

/// The longest time between two looks at a running guest.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// Ticks without a guest after which the thread parks: long enough that a busy server never has to wake it
/// (a wake costs a system call in a request's path), short enough not to count on an idle one.
const LINGER_TICKS: u32 = 50;

/// Counts running guests and owns the ticking thread.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    running: AtomicUsize,
    parked: AtomicBool,
    stop: AtomicBool,
}

impl Ticker {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub(crate) fn start(engine: Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = std::thread::Builder::new().name("wharf-ticker".into()).spawn({
            let shared = Arc::clone(&shared);
            move || tick(&engine, &shared)
        })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Says that a guest runs, until the answer is dropped.
    pub(crate) fn guest_runs(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        // SeqCst on both sides: either this sees `parked`, or the ticker's last look sees `running`.
        if self.shared.parked.load(Ordering::SeqCst) {
            self.wake();
        }
        Running { shared: &self.shared }
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            Thread::unpark(thread.thread());
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // The thread can't panic; a failed join would have nothing to tell.
            let _ = thread.join();
        }
    }
}

/// A guest is running.
#[derive(Debug)]
pub(crate) struct Running<'a> {
    shared: &'a Shared,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.shared.running.fetch_sub(1, Ordering::SeqCst);
    }
}

fn tick(engine: &Engine, shared: &Shared) {
    let mut idle = 0;
    while !shared.stop.load(Ordering::SeqCst) {
        std::thread::park_timeout(TICK);
        if shared.running.load(Ordering::SeqCst) > 0 {
            engine.increment_epoch();
            idle = 0;
        } else {
            idle += 1;
        }
        if idle >= LINGER_TICKS {
            park_until_needed(shared);
            idle = 0;
        }
    }
}

fn park_until_needed(shared: &Shared) {
    shared.parked.store(true, Ordering::SeqCst);
    while shared.running.load(Ordering::SeqCst) == 0 && !shared.stop.load(Ordering::SeqCst) {
        std::thread::park();
    }
    shared.parked.store(false, Ordering::SeqCst);
}

#[cfg(test)]
mod tests;
