//! How many retries a group may still make: a share of its recent requests, plus a few that are always allowed.
//!
//! Requests are only counted, which the choice of a target does anyway; the budget is worked out when somebody wants
//! to spend of it.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::spec::RetrySpec;

/// How far back requests earn retries. What is not spent by then is lost: a quiet day must not pay for a storm.
const MEMORY: Duration = Duration::from_secs(10);

/// The retries a group has saved up.
#[derive(Debug)]
pub(super) struct Budget(Mutex<Savings>);

#[derive(Debug)]
struct Savings {
    retries: f64,
    /// When, and at which count of requests, they were worked out.
    at: Instant,
    requests: usize,
}

impl Budget {
    /// Begins with what a second earns, or a group's first request could not be retried.
    pub(super) fn new(spec: RetrySpec) -> Self {
        Self(Mutex::new(Savings {
            retries: f64::from(spec.per_second()),
            at: Instant::now(),
            requests: 0,
        }))
    }

    /// Takes one retry, if there is one. `requests` have been made so far.
    pub(super) fn spend(&self, spec: RetrySpec, requests: usize) -> bool {
        let mut savings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        savings.bring_up_to_date(spec, requests);
        let enough = savings.retries >= 1.0;
        if enough {
            savings.retries -= 1.0;
        }
        enough
    }
}

impl Savings {
    fn bring_up_to_date(&mut self, spec: RetrySpec, requests: usize) {
        let now = Instant::now();
        let passed = (now - self.at).as_secs_f64();
        let memory = MEMORY.as_secs_f64();
        let made = requests.wrapping_sub(self.requests) as f64;
        // When nobody asked for longer than the memory reaches, the requests count as spread evenly.
        let remembered = made * (memory / passed.max(memory));
        self.retries *= (1.0 - passed / memory).max(0.0);
        self.retries += remembered * f64::from(spec.percent()) / 100.0;
        self.retries += f64::from(spec.per_second()) * passed.min(memory);
        self.at = now;
        self.requests = requests;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(budget: &Budget, spec: RetrySpec, requests: usize) -> usize {
        (0..10_000).take_while(|_| budget.spend(spec, requests)).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_of_the_requests_and_a_floor_may_be_retried() {
        let pass = |seconds| tokio::time::advance(Duration::from_secs(seconds));
        let spec = RetrySpec::new(2, 20, 10).unwrap();
        let budget = Budget::new(spec);
        assert_eq!(spent(&budget, spec, 0), 10, "the first second's");
        assert_eq!(spent(&budget, spec, 100), 20, "a fifth of a hundred requests");
        assert_eq!(spent(&budget, spec, 100), 0, "no request earns twice");
        pass(1).await;
        assert_eq!(spent(&budget, spec, 100), 10, "a second's");
        pass(1000).await;
        assert_eq!(spent(&budget, spec, 100), 100, "ten seconds' at most");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_spent_is_lost() {
        let spec = RetrySpec::new(2, 50, 0).unwrap();
        let budget = Budget::new(spec);
        assert!(budget.spend(spec, 1000), "499 are left");
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(spent(&budget, spec, 1000), 249, "half of them");
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(spent(&budget, spec, 1000), 0);
    }
}
