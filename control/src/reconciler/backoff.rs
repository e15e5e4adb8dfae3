//! How long the successor of a failed task waits.

use std::time::Duration;

/// The wait after a first failure.
pub const FIRST_DELAY: Duration = Duration::from_secs(1);

/// The longest wait.
pub const LONGEST_DELAY: Duration = Duration::from_secs(5 * 60);

/// A task that ran this long was well: its failure counts as the first.
pub const WELL_AFTER: Duration = Duration::from_secs(10 * 60);

/// The failures in a row after one more, of a task that had `before` and ran for `ran`.
pub fn failures_in_a_row(before: u32, ran: Duration) -> u32 {
    if ran >= WELL_AFTER {
        1
    } else {
        before.saturating_add(1)
    }
}

/// How long to wait after the `failures`th failure in a row: 1 s doubling to 5 min.
pub fn delay(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST_DELAY.saturating_mul(1 << doublings).min(LONGEST_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_from_one_second_to_five_minutes() {
        let seconds: Vec<u64> = (1..=11).map(|n| delay(n).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(delay(u32::MAX), LONGEST_DELAY);
    }

    #[test]
    fn ten_minutes_well_start_over() {
        assert_eq!(failures_in_a_row(4, Duration::from_secs(599)), 5);
        assert_eq!(failures_in_a_row(4, WELL_AFTER), 1);
        assert_eq!(failures_in_a_row(u32::MAX, Duration::ZERO), u32::MAX);
    }
}
