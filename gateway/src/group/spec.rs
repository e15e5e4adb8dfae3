//! What is asked of a target group: how it chooses, whom it spares, what it does about failures.
//!
//! Quantities with bounds are types of their own, checked where they are made; [`SpecError`] names the field.

use std::time::Duration;

use crate::health::Checks;

/// Everything that can be said of a target group but its targets. The default is ALB's, without health checks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupSpec {
    /// Who gets the next request.
    pub algorithm: Algorithm,
    /// How long a target that has just become healthy gets less than its share. ALB: off.
    pub slow_start: Option<SlowStart>,
    /// How long a client stays with the target it first met. ALB: off.
    pub stickiness: Option<StickyFor>,
    /// What happens when no target is healthy.
    pub fail_open: FailOpen,
    /// How targets are checked that come without checks of their own.
    pub checks: Checks,
    /// When a failed request is tried on another target.
    pub retry: RetrySpec,
    /// Whether requests wait while there is no target; without, they are answered 503 at once.
    pub hold: Option<Hold>,
}

/// How a group chooses among the targets that take requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// One after the other. ALB: `round_robin`.
    #[default]
    RoundRobin,
    /// The one with the fewest requests. ALB: `least_outstanding_requests`.
    LeastOutstanding,
    /// By lot, in proportion to the targets' weights. ALB: `weighted_random`.
    WeightedRandom,
    /// The better of two drawn by lot, judged by queue and CPU credit: what balances tasks best, whose queue the
    /// gateway can see.
    PowerOfTwo,
}

/// What a group does when none of its targets is healthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailOpen {
    /// All targets get requests: nobody knows better. ALB's way. Where requests wait ([`GroupSpec::hold`]), they wait for
    /// the first checks of those that are new, and get such a target only when their time is up.
    #[default]
    Open,
    /// None does: requests are answered 503. Targets whose first check is not over get them all the same, unless they wait
    /// for it ([`GroupSpec::hold`]).
    Closed,
}

/// Why a value is none for a target group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be {allowed}, not {found}")]
pub struct SpecError {
    /// Which value.
    pub field: &'static str,
    /// What it may be.
    pub allowed: &'static str,
    /// What it was.
    pub found: String,
}

impl SpecError {
    pub(crate) fn new(field: &'static str, allowed: &'static str, found: impl ToString) -> Self {
        Self {
            field,
            allowed,
            found: found.to_string(),
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

/// How long a target's share grows until it is a full one. ALB: 30 to 900 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowStart(Duration);

impl SlowStart {
    /// Checks and takes a duration.
    ///
    /// # Errors
    /// When it is less than 30 s or more than 900 s.
    pub fn new(duration: Duration) -> Result<Self, SpecError> {
        let allowed = Duration::from_secs(30)..=Duration::from_secs(900);
        if !allowed.contains(&duration) {
            return Err(SpecError::new(
                "slow_start",
                "from 30 s to 900 s",
                seconds(duration),
            ));
        }
        Ok(Self(duration))
    }

    /// The duration.
    #[must_use]
    pub fn get(self) -> Duration {
        self.0
    }
}

/// How long a client's last request binds it to a target or to a group. ALB: 1 s to 7 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StickyFor(Duration);

impl StickyFor {
    /// ALB's default: a day.
    pub const DEFAULT: Self = Self(Duration::from_secs(86_400));

    /// Checks and takes a duration.
    ///
    /// # Errors
    /// When it is less than 1 s or more than 7 days.
    pub fn new(duration: Duration) -> Result<Self, SpecError> {
        let allowed = Duration::from_secs(1)..=Duration::from_secs(7 * 86_400);
        if !allowed.contains(&duration) {
            return Err(SpecError::new(
                "stickiness",
                "from 1 s to 604800 s",
                seconds(duration),
            ));
        }
        Ok(Self(duration))
    }

    /// The duration.
    #[must_use]
    pub fn get(self) -> Duration {
        self.0
    }
}

/// A target's share under [`Algorithm::WeightedRandom`]: 0 to 999, nought for nothing. No other algorithm looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetWeight(u16);

impl TargetWeight {
    /// Checks and takes a weight.
    ///
    /// # Errors
    /// When it is more than 999.
    pub fn new(weight: u32) -> Result<Self, SpecError> {
        match u16::try_from(weight) {
            Ok(weight) if weight <= 999 => Ok(Self(weight)),
            _ => Err(SpecError::new("weight", "from 0 to 999", weight)),
        }
    }

    /// The weight as a number.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}

impl Default for TargetWeight {
    /// All alike.
    fn default() -> Self {
        Self(1)
    }
}

/// When a request that failed is tried again, on another target where there is one.
///
/// Always tried again may be what never reached its target (no connection, a task that is stopping or full). Of the rest
/// only what is safe to repeat: an idempotent request without a body whose connection ended before a response.
///
/// The budget keeps a failing group from being buried under its own retries: they may be this share of the
/// requests of the last ten seconds, plus some that are always allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrySpec {
    per_request: u8,
    percent: u8,
    per_second: u16,
}

/// The most attempts after the first.
const MAX_RETRIES_PER_REQUEST: u8 = 10;

impl RetrySpec {
    /// No second attempts.
    pub const OFF: Self = Self {
        per_request: 0,
        percent: 0,
        per_second: 0,
    };

    /// `per_request` more attempts at most, for `percent` of the requests, and `per_second` whatever their number.
    ///
    /// # Errors
    /// When there are more than 10 per request, or more than 100 %.
    pub fn new(per_request: u8, percent: u8, per_second: u16) -> Result<Self, SpecError> {
        if per_request > MAX_RETRIES_PER_REQUEST {
            return Err(SpecError::new("retry.per_request", "at most 10", per_request));
        }
        if percent > 100 {
            return Err(SpecError::new("retry.percent", "at most 100", percent));
        }
        Ok(Self {
            per_request,
            percent,
            per_second,
        })
    }

    /// Attempts after the first that one request may have.
    #[must_use]
    pub fn per_request(self) -> u8 {
        self.per_request
    }

    /// Retries allowed for a hundred requests.
    #[must_use]
    pub fn percent(self) -> u8 {
        self.percent
    }

    /// Retries allowed in a second besides.
    #[must_use]
    pub fn per_second(self) -> u16 {
        self.per_second
    }
}

impl Default for RetrySpec {
    /// Two per request, for a fifth of the requests, and ten a second: enough to hide a target that dies, too few
    /// to double the load of a group that is failing.
    fn default() -> Self {
        Self {
            per_request: 2,
            percent: 20,
            per_second: 10,
        }
    }
}

/// How requests wait for a target while a group has none.
///
/// For a group whose targets come when they are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    pub(super) wait: Duration,
    pub(super) most: u32,
}

impl Hold {
    /// Requests that wait for one group at most, unless it is said otherwise: a connection each.
    pub const MOST: u32 = 1000;

    /// `wait` for each, `most` at once.
    ///
    /// # Errors
    /// When the wait is less than 1 ms or more than an hour, or none may wait.
    pub fn new(wait: Duration, most: u32) -> Result<Self, SpecError> {
        let allowed = Duration::from_millis(1)..=Duration::from_secs(3600);
        if !allowed.contains(&wait) {
            return Err(SpecError::new("wait", "from 1 ms to 3600 s", seconds(wait)));
        }
        if most == 0 {
            return Err(SpecError::new("hold.most", "at least 1", most));
        }
        Ok(Self { wait, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn bounds_are_albs_and_errors_name_the_field() {
        for (seconds, is_ok) in [(29, false), (30, true), (900, true), (901, false)] {
            assert_eq!(
                SlowStart::new(SECOND * seconds).is_ok(),
                is_ok,
                "slow start {seconds}"
            );
        }
        for (seconds, is_ok) in [(0, false), (1, true), (604_800, true), (604_801, false)] {
            assert_eq!(
                StickyFor::new(SECOND * seconds).is_ok(),
                is_ok,
                "stickiness {seconds}"
            );
        }
        for (weight, is_ok) in [(0, true), (999, true), (1000, false), (70_000, false)] {
            assert_eq!(TargetWeight::new(weight).is_ok(), is_ok, "weight {weight}");
        }
        assert_eq!(
            SlowStart::new(SECOND).unwrap_err().to_string(),
            "slow_start must be from 30 s to 900 s, not 1 s"
        );
        assert_eq!(
            RetrySpec::new(11, 0, 0).unwrap_err().to_string(),
            "retry.per_request must be at most 10, not 11"
        );
        assert_eq!(RetrySpec::new(1, 101, 0).unwrap_err().field, "retry.percent");
        assert_eq!(Hold::new(Duration::ZERO, 1).unwrap_err().field, "wait");
        assert_eq!(Hold::new(SECOND * 3601, 1).unwrap_err().field, "wait");
        assert_eq!(Hold::new(SECOND, 0).unwrap_err().field, "hold.most");
        assert!(Hold::new(SECOND * 3600, Hold::MOST).is_ok());
    }
}
