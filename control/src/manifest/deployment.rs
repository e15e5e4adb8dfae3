//! How a service goes from one revision to the next: what `[deployment]` comes to.

use std::time::Duration;

/// How a service is brought to a new revision, and when that is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentSpec {
    /// In which way.
    pub strategy: Strategy,
    /// How long the new revision's figures are watched: after each step but the last, or, with strategies that
    /// take no steps, once it runs alone.
    pub bake: Duration,
    /// How long each stage but a bake may take.
    pub deadline: Duration,
    /// How many tasks may fail; none: by the number of tasks, as ECS has it.
    pub failed_tasks: Option<u32>,
    /// What happens when it fails.
    pub on_failure: OnFailure,
    /// What of the new revision's answers is too bad.
    pub tolerance: Tolerance,
}

/// In which way a service is brought to a new revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// New tasks start and old ones stop, within bounds; all get requests alike.
    Rolling(Bounds),
    /// All new tasks start; one share of the requests goes to them, then all do.
    Canary {
        /// The first share, in percent.
        step: u32,
    },
    /// All new tasks start; their share of the requests grows by equal steps.
    Linear {
        /// By how much, in percent.
        step: u32,
    },
    /// The old tasks stop, then the new ones start.
    Recreate,
}

impl Strategy {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rolling(_) => "rolling",
            Self::Canary { .. } => "canary",
            Self::Linear { .. } => "linear",
            Self::Recreate => "recreate",
        }
    }

    /// Whether requests are shared between the revisions by weight.
    pub fn shifts(self) -> bool {
        matches!(self, Self::Canary { .. } | Self::Linear { .. })
    }

    /// Between how many tasks a service is kept that is deployed like this, between deployments too. What can't share
    /// stops before another starts.
    pub fn bounds(self) -> Bounds {
        match self {
            Self::Rolling(bounds) => bounds,
            Self::Canary { .. } | Self::Linear { .. } => Bounds::default(),
            Self::Recreate => Bounds {
                minimum_healthy: 0,
                maximum: 100,
            },
        }
    }

    /// The new revision's share of the requests after `share`, in percent; none where no shares are shifted.
    pub fn next_share(self, share: u32) -> Option<u32> {
        match self {
            Self::Rolling(_) | Self::Recreate => None,
            Self::Canary { step } if share < step => Some(step),
            Self::Canary { .. } => Some(100),
            Self::Linear { step } => Some(share.saturating_add(step).min(100)),
        }
    }
}

/// Between how many tasks a service is kept, in percent of its count, while it is deployed and while an unhealthy task is
/// replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// So many stay healthy.
    pub minimum_healthy: u32,
    /// So many at most are PENDING or RUNNING.
    pub maximum: u32,
}

impl Default for Bounds {
    /// ECS's.
    fn default() -> Self {
        Self {
            minimum_healthy: 100,
            maximum: 200,
        }
    }
}

impl Bounds {
    /// The fewest healthy tasks of `count`. ECS: rounded up.
    pub fn lower(self, count: u32) -> u32 {
        let percent = u64::from(count) * u64::from(self.minimum_healthy);
        u32::try_from(percent.div_ceil(100)).unwrap_or(u32::MAX)
    }

    /// The most tasks of `count`. ECS: rounded down.
    pub fn upper(self, count: u32) -> u32 {
        let percent = u64::from(count) * u64::from(self.maximum);
        u32::try_from(percent / 100).unwrap_or(u32::MAX)
    }

    /// Why `count` tasks can never be replaced within these bounds, if that is so.
    pub fn deadlock(self, count: u32) -> Option<String> {
        let (lower, upper) = (self.lower(count), self.upper(count));
        (count > 0 && lower >= count && upper <= count).then(|| {
            format!(
                "with {count} tasks, minimum_healthy = {} lets none stop ({lower} stay) and maximum = {} lets none \
                 start ({upper} may be)",
                self.minimum_healthy, self.maximum
            )
        })
    }
}

/// What happens when a deployment fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The service goes back to the last revision that was completed.
    RollBack,
    /// Nothing more is started; what runs stays.
    Halt,
}

/// What of a new revision's answers fails a deployment, while they are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerance {
    /// By how many percent points more of them may be 5xx than of the old revision's.
    pub max_errors: u32,
    /// So many answers are needed for a judgement.
    pub min_requests: u32,
}

impl Default for Tolerance {
    /// One in twenty more is more than chance, of a number that says something.
    fn default() -> Self {
        Self {
            max_errors: 5,
            min_requests: 20,
        }
    }
}

/// ECS has 15 minutes for most waits; a task here starts in milliseconds.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(5 * 60);

impl Default for DeploymentSpec {
    fn default() -> Self {
        Self {
            strategy: Strategy::Rolling(Bounds::default()),
            bake: Duration::ZERO,
            deadline: DEFAULT_DEADLINE,
            failed_tasks: None,
            on_failure: OnFailure::RollBack,
            tolerance: Tolerance::default(),
        }
    }
}

impl DeploymentSpec {
    /// How a service goes back when a deployment of this spec failed, or a person asks for it: at once, and
    /// with two revisions side by side only if they may be.
    pub fn rollback(&self) -> Self {
        let strategy = match self.strategy {
            Strategy::Rolling(_) | Strategy::Recreate => self.strategy,
            Strategy::Canary { .. } | Strategy::Linear { .. } => Strategy::Rolling(Bounds::default()),
        };
        Self {
            strategy,
            bake: Duration::ZERO,
            ..self.clone()
        }
    }
}
