//! Where observations are counted.

use super::*;

fn counts(durations: &Durations) -> Vec<u64> {
    let counts = durations.counts.iter();
    counts.map(|count| count.load(Ordering::Relaxed)).collect()
}

/// Prometheus: a bucket holds what is less than or equal to its bound.
#[test]
fn an_observation_is_in_the_bucket_of_the_first_bound_that_it_does_not_exceed() {
    for (microseconds, bucket) in [
        (0, 0),
        (500, 0),
        (501, 1),
        (1_000, 1),
        (60_000_000, 13),
        (60_000_001, 14),
        (u64::MAX, 14),
    ] {
        let durations = Durations::default();
        durations.observe(Duration::from_micros(microseconds));
        let mut expected = vec![0; BOUNDS.len() + 1];
        expected[bucket] = 1;
        assert_eq!(counts(&durations), expected, "{microseconds}");
        assert_eq!(durations.count(), 1);
    }
}

#[test]
fn bounds_are_told_in_seconds_and_rise() {
    for (microseconds, seconds) in BOUNDS {
        assert!((microseconds as f64 / 1e6 - seconds).abs() < 1e-12, "{seconds}");
    }
    assert!(BOUNDS.is_sorted());
}

/// What docs/limits.md says.
#[test]
fn a_histogram_takes_128_bytes_and_a_rule_that_nobody_meets_has_none() {
    assert_eq!(size_of::<Durations>(), 128);
    let rule = RuleCounts::default();
    assert!(rule.durations().is_none());
    rule.count(Duration::from_millis(1));
    assert_eq!(rule.requests(), 1);
}
