//! The kinds of checks a group makes of its targets, and what follows when one fails.
//!
//! A gateway can only give requests or not; whether a target is replaced by another is its owner's to decide. So two
//! verdicts are told apart: whether a target gets requests, and whether its owner is asked to replace it.

use std::time::Duration;

use super::HealthSpec;
use crate::group::SpecError;

/// The longest grace, in seconds: an hour.
const LONGEST_GRACE: u64 = 3600;

/// How the targets of a group are checked. With none of these, a target is healthy unless it says otherwise itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// A target that fails it gets no requests, and its owner is asked to replace it. ALB's, as ECS uses it.
    pub health: Option<HealthSpec>,
    /// A target that fails it gets no requests until it passes again, and stays. Kubernetes: readiness probe.
    pub readiness: Option<HealthSpec>,
    /// A target that fails it keeps its requests until its owner has replaced it. Kubernetes: liveness probe.
    pub liveness: Option<HealthSpec>,
    /// Before it has passed, none of the others is made and the target gets no requests; when it fails, the owner is
    /// asked to replace the target. Kubernetes: startup probe.
    pub startup: Option<HealthSpec>,
    /// For how long from registration on failures ask for no replacement, nor count against a target that has
    /// not passed yet. ECS: `healthCheckGracePeriodSeconds`.
    pub grace: Duration,
}

impl Checks {
    /// One check, as ALB has it.
    #[must_use]
    pub fn health(spec: HealthSpec) -> Self {
        Self {
            health: Some(spec),
            ..Self::default()
        }
    }

    /// Whether nothing is checked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// Whether targets can be checked like this.
    ///
    /// # Errors
    /// When a value is out of bounds; the error names it.
    pub fn check(&self) -> Result<(), SpecError> {
        if self.grace > Duration::from_secs(LONGEST_GRACE) {
            let found = format!("{} s", self.grace.as_secs_f64());
            return Err(SpecError::new("health.grace", "at most 3600 s", found));
        }
        self.all().try_for_each(|(_, spec)| spec.check())
    }

    /// Those there are.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Kind, &HealthSpec)> {
        [
            (Kind::Startup, &self.startup),
            (Kind::Health, &self.health),
            (Kind::Readiness, &self.readiness),
            (Kind::Liveness, &self.liveness),
        ]
        .into_iter()
        .filter_map(|(kind, spec)| Some((kind, spec.as_ref()?)))
    }
}

/// Which of a group's checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Startup,
    Health,
    Readiness,
    Liveness,
}

impl Kind {
    /// Whether a target that fails it, or has not passed it yet, gets no requests.
    pub(super) fn takes_from_traffic(self) -> bool {
        match self {
            Self::Startup | Self::Health | Self::Readiness => true,
            Self::Liveness => false,
        }
    }

    /// Whether the owner of a target that fails it is asked to replace it.
    pub(super) fn asks_for_replacement(self) -> bool {
        match self {
            Self::Startup | Self::Health | Self::Liveness => true,
            Self::Readiness => false,
        }
    }
}
