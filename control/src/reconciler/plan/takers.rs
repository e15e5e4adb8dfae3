//! Which tasks take requests, whatever is thought of their health.

use super::{Action, Observed, ObservedTask, Phase};

/// Whether requests come to a task that is RUNNING.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// As to one that is well: it is, or nothing but its liveness fails.
    Requests,
    /// For want of a better one (`fail_open`).
    IfNoneIsWell,
    /// None.
    Nothing,
}

impl ObservedTask {
    /// Whether it takes requests, given that there is none that is better.
    pub fn takes(&self) -> Takes {
        match self.phase {
            Phase::Healthy => Takes::Requests,
            Phase::Retiring { .. } | Phase::Unhealthy | Phase::Unready => self.takes,
            Phase::Blocked { .. } | Phase::Starting | Phase::Leaving => Takes::Nothing,
        }
    }
}

impl Observed {
    /// The tasks that take requests, and as what.
    pub fn takers(&self) -> (Takes, Vec<&ObservedTask>) {
        let of = |takes| self.tasks.iter().filter(move |task| task.takes() == takes);
        for takes in [Takes::Requests, Takes::IfNoneIsWell] {
            let takers: Vec<_> = of(takes).collect();
            if !takers.is_empty() {
                return (takes, takers);
            }
        }
        (Takes::Nothing, Vec::new())
    }
}

/// Whether one of the actions stops the task.
pub fn stops(actions: &[Action], task: &ObservedTask) -> bool {
    let stops = |action: &Action| matches!(action, Action::Stop { task: other, .. } if *other == task.id);
    actions.iter().any(stops)
}
