//! How long something has lasted, as planning counts it.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::Pace;

/// Counts time, but for pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopwatch {
    before: Duration,
    since: Option<Instant>,
}

impl Stopwatch {
    /// One that runs from `now` on.
    pub fn start(now: Instant) -> Self {
        Self {
            before: Duration::ZERO,
            since: Some(now),
        }
    }

    /// One that has counted `before` and runs on.
    pub fn resume(before: Duration, now: Instant) -> Self {
        Self {
            before,
            since: Some(now),
        }
    }

    /// What it has counted.
    pub fn elapsed(&self, now: Instant) -> Duration {
        let running = self.since.map(|since| now.saturating_duration_since(since));
        self.before + running.unwrap_or_default()
    }

    /// Holds it, or lets it go on.
    pub fn keep_pace(&mut self, pace: Pace, now: Instant) {
        self.before = self.elapsed(now);
        self.since = (pace == Pace::Going).then_some(now);
    }

    /// Takes back what it has counted beyond `counted`.
    pub fn set_back(&mut self, counted: Duration, now: Instant) {
        self.before = self.elapsed(now).min(counted);
        self.since = self.since.map(|_| now);
    }

    /// When it will have counted `duration`; never while it is held.
    pub fn reaches(&self, duration: Duration) -> Option<Instant> {
        Some(self.since? + duration.saturating_sub(self.before))
    }
}
