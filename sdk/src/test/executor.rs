//! Runs a future on the test's thread, and lets time pass when it waits.

use crate::host::{Current, World};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[expect(clippy::panic, reason = "in native tests only, where it is the way to say it")]
pub(super) fn block_on<F: Future>(world: &Rc<World>, future: F) -> F::Output {
    let _current = Current::enter(world);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        // A component has one thread: what neither woke itself nor waits for a time waits for ever.
        while !woken.0.swap(false, Ordering::Relaxed) {
            if !world.advance() {
                panic!("this waits for something that never comes");
            }
        }
    }
}
