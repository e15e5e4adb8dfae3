//! How long nothing has been heard or said.
//!
//! Whoever moves bytes notes the time; the timer is only looked at when there is nothing else to do, and is set anew
//! when it goes off rather than with every byte.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

use super::failure;
use crate::{
    body::Seconds,
    target::{TargetError, TargetErrorKind},
};

/// When something was last heard or said.
#[derive(Clone, Debug)]
pub(super) struct Activity(Arc<Noted>);

#[derive(Debug)]
struct Noted {
    born: Instant,
    /// In milliseconds since then.
    last: AtomicU64,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self(Arc::new(Noted {
            born: Instant::now(),
            last: AtomicU64::new(0),
        }))
    }

    pub(super) fn note(&self) {
        let passed = self.0.born.elapsed().as_millis();
        self.0
            .last
            .store(u64::try_from(passed).unwrap_or(u64::MAX), Relaxed);
    }

    fn last(&self) -> Instant {
        self.0.born + Duration::from_millis(self.0.last.load(Relaxed))
    }
}

/// The bound on silence.
#[derive(Debug)]
pub(super) struct Silence {
    activity: Activity,
    allowed: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Silence {
    /// Must be called where timers run.
    pub(super) fn new(activity: Activity, allowed: Duration) -> Self {
        let timer = Box::pin(tokio::time::sleep(allowed));
        Self {
            activity,
            allowed,
            timer,
        }
    }

    /// Begins anew: the silence before does not count.
    pub(super) fn begin(&self) {
        self.activity.note();
    }

    /// Ready when it has lasted too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<TargetError> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let due = self.activity.last() + self.allowed;
            if Instant::now() >= due {
                let reason = format!("the target was silent for {}", Seconds(self.allowed));
                return Poll::Ready(failure(TargetErrorKind::IdleTimeout, reason));
            }
            self.timer.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_silence_counts() {
        let allowed = Duration::from_secs(60);
        let activity = Activity::new();
        let mut silence = Silence::new(activity.clone(), allowed);
        silence.begin();
        let begun = Instant::now();
        let talking = async {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_secs(50)).await;
                activity.note();
            }
            std::future::pending::<()>().await;
        };
        let error = tokio::select! {
            error = poll_fn(|cx| silence.poll(cx)) => error,
            () = talking => unreachable!("it never ends"),
        };
        assert_eq!(error.kind, TargetErrorKind::IdleTimeout);
        assert_eq!(error.reason, "the target was silent for 60 s");
        assert_eq!(begun.elapsed().as_secs(), 250 + 60);
        // What was before does not count for the next request.
        tokio::time::advance(Duration::from_secs(1000)).await;
        silence.begin();
        let begun = Instant::now();
        poll_fn(|cx| silence.poll(cx)).await;
        assert_eq!(begun.elapsed().as_secs(), 60);
    }
}
