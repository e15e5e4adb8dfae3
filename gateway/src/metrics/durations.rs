//! How long things took, as a histogram that is written without a lock.

use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};

/// Bounds in microseconds, each with itself in seconds: from what a guest needs to what a gateway waits for.
const BOUNDS: [(u64, f64); 14] = [
    (500, 0.0005),
    (1_000, 0.001),
    (2_500, 0.0025),
    (5_000, 0.005),
    (10_000, 0.01),
    (25_000, 0.025),
    (50_000, 0.05),
    (100_000, 0.1),
    (250_000, 0.25),
    (500_000, 0.5),
    (1_000_000, 1.0),
    (2_500_000, 2.5),
    (10_000_000, 10.0),
    (60_000_000, 60.0),
];

/// A histogram. It takes 128 bytes, and an observation two additions.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    /// Observations up to each bound, and no other; the last are beyond all.
    counts: [AtomicU64; BOUNDS.len() + 1],
    microseconds: AtomicU64,
}

impl Durations {
    pub(crate) fn observe(&self, duration: Duration) {
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let at = BOUNDS.partition_point(|(bound, _)| *bound < microseconds);
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .sum()
    }
}

impl EncodeMetric for Durations {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        // The encoder's word for what is beyond all bounds.
        let bounds = BOUNDS.iter().map(|(_, seconds)| *seconds).chain([f64::MAX]);
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: [(f64, u64); BOUNDS.len() + 1] = {
            let mut buckets = [(0.0, 0); BOUNDS.len() + 1];
            for (bucket, read) in buckets.iter_mut().zip(bounds.zip(counts)) {
                *bucket = read;
            }
            buckets
        };
        let seconds = self.microseconds.load(Ordering::Relaxed) as f64 / 1e6;
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(seconds, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// What is counted of a rule, of which there may be many that nobody meets: they have no histogram.
#[derive(Debug, Default)]
pub(crate) struct RuleCounts(OnceLock<Box<Durations>>);

impl RuleCounts {
    /// A request that met it has ended, and took this long.
    pub(crate) fn count(&self, duration: Duration) {
        self.0.get_or_init(Box::default).observe(duration);
    }

    /// Requests that met it.
    pub(super) fn requests(&self) -> u64 {
        self.0.get().map_or(0, |durations| durations.count())
    }

    /// How long they took, if there were any.
    pub(super) fn durations(&self) -> Option<&Durations> {
        self.0.get().map(|durations| &**durations)
    }
}

#[cfg(test)]
mod tests;
