//! Counts checks in a row and says what they make of a target. No time, no I/O.

use super::{Health, HealthReason, HealthSpec};

/// What one check found: nothing wrong, or what was.
pub(crate) type Outcome = Result<(), HealthReason>;

/// The checks of one target so far.
#[derive(Debug)]
pub(crate) struct Tally {
    state: Health,
    /// Checks in a row that contradict the state.
    against: u32,
}

impl Tally {
    /// Begins with what the target is already.
    pub(crate) fn new(standing: Health) -> Self {
        Self {
            state: standing,
            against: 0,
        }
    }

    /// What the target is.
    pub(crate) fn state(&self) -> &Health {
        &self.state
    }

    /// Takes a check into account; the answer is what the target is now.
    pub(crate) fn record(&mut self, outcome: Outcome, spec: &HealthSpec) -> &Health {
        let (next, needed) = match (&self.state, outcome) {
            (Health::Healthy, Ok(())) => (Health::Healthy, 0),
            // ALB: a new target takes traffic after one pass.
            (Health::Initial, Ok(())) => (Health::Healthy, 1),
            (_, Ok(())) => (Health::Healthy, spec.healthy.get()),
            // Already so: only the reason may be new.
            (Health::Unhealthy { .. }, Err(reason)) => (Health::Unhealthy { reason }, 0),
            (_, Err(reason)) => (Health::Unhealthy { reason }, spec.unhealthy.get()),
        };
        self.against = if needed == 0 { 0 } else { self.against + 1 };
        if self.against >= needed {
            self.state = next;
            self.against = 0;
        }
        &self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `+` is a pass, `-` a failure; the answer is the state after each: Initial, Healthy or Unhealthy.
    fn run(standing: Health, healthy: u32, unhealthy: u32, outcomes: &str) -> String {
        let mut spec = HealthSpec::new("/".parse().unwrap());
        spec.healthy = healthy.try_into().unwrap();
        spec.unhealthy = unhealthy.try_into().unwrap();
        let mut tally = Tally::new(standing);
        outcomes
            .chars()
            .map(|outcome| {
                match tally.record(
                    if outcome == '+' {
                        Ok(())
                    } else {
                        Err(HealthReason::Timeout)
                    },
                    &spec,
                ) {
                    Health::Initial => 'I',
                    Health::Healthy => 'H',
                    Health::Unhealthy { .. } => 'U',
                    Health::Draining => 'D',
                }
            })
            .collect()
    }

    #[test]
    fn thresholds_count_in_a_row() {
        for (healthy, unhealthy, outcomes, expected) in [
            (1, 2, "+", "H"),
            (5, 2, "+", "H"), // a new target needs only one pass
            (1, 2, "-+", "IH"),
            (1, 2, "--+", "IUH"),
            (1, 2, "+-+-+", "HHHHH"), // never two in a row
            (1, 2, "+--+", "HHUH"),
            (3, 1, "-+++", "UUUH"),
            (3, 1, "-++-+++", "UUUUUUH"), // a failure starts the count again
            (2, 3, "+--+---", "HHHHHHU"),
        ] {
            assert_eq!(
                run(Health::Initial, healthy, unhealthy, outcomes),
                expected,
                "{healthy}/{unhealthy} {outcomes}"
            );
        }
    }

    /// When checks are changed under way.
    #[test]
    fn who_has_traffic_keeps_it_until_it_has_failed_often_enough() {
        assert_eq!(run(Health::Healthy, 5, 4, "---+----"), "HHHHHHHU");
    }

    #[test]
    fn an_unhealthy_targets_reason_is_the_latest() {
        let spec = HealthSpec::new("/".parse().unwrap());
        let mut tally = Tally::new(Health::Initial);
        for reason in [500, 501, 502] {
            tally.record(Err(HealthReason::ResponseCodeMismatch(reason)), &spec);
        }
        assert_eq!(
            *tally.record(Err(HealthReason::Timeout), &spec),
            Health::Unhealthy {
                reason: HealthReason::Timeout
            }
        );
    }
}
