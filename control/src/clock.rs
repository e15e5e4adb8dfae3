//! The wall clock, which jobs go by: schedules are written in it, and a deadline or a back-off goes on while the server
//! is down. Tests have one that goes with tokio's paused clock.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// The longest that a wait for a moment of the wall clock goes without a look at it: the clock may be set, or the
/// machine sleep, and timers know of neither.
pub const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// What time it is.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    #[cfg(test)]
    paused: Option<std::sync::Arc<Paused>>,
}

#[cfg(test)]
#[derive(Debug)]
struct Paused {
    since: Instant,
    at: Timestamp,
    /// In seconds.
    set: std::sync::atomic::AtomicI64,
    /// Looks at it so far: no two see the same time.
    looks: std::sync::atomic::AtomicI64,
}

impl Clock {
    /// The system's.
    pub fn system() -> Self {
        Self::default()
    }

    /// One that shows `at` now, and goes with tokio's.
    #[cfg(test)]
    pub(crate) fn paused(at: Timestamp) -> Self {
        Self {
            paused: Some(std::sync::Arc::new(Paused {
                since: Instant::now(),
                at,
                set: std::sync::atomic::AtomicI64::new(0),
                looks: std::sync::atomic::AtomicI64::new(0),
            })),
        }
    }

    /// Sets the clock, as a person or the network does.
    #[cfg(test)]
    pub(crate) fn set_on(&self, seconds: i64) {
        if let Some(paused) = &self.paused {
            paused
                .set
                .fetch_add(seconds, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        #[cfg(test)]
        if let Some(paused) = &self.paused {
            let order = std::sync::atomic::Ordering::Relaxed;
            let set = jiff::SignedDuration::from_secs(paused.set.load(order))
                + jiff::SignedDuration::from_nanos(paused.looks.fetch_add(1, order));
            let shown = paused.at.checked_add(paused.since.elapsed());
            return shown
                .and_then(|time| time.checked_add(set))
                .unwrap_or(Timestamp::MAX);
        }
        Timestamp::now()
    }

    /// When to look whether `time` has come: then, or after [`LONGEST_SLEEP`].
    pub fn look_at(&self, time: Timestamp) -> Instant {
        let left = time.duration_since(self.now());
        let left = Duration::try_from(left).unwrap_or(Duration::ZERO);
        Instant::now() + left.min(LONGEST_SLEEP)
    }
}
