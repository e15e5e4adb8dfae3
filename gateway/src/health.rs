//! Whether a target should get requests, and how that is found out.
//!
//! Two sources, one verdict: health checks, where a group asks for them (`check` runs them, `tally` counts), and what
//! the target says of itself ([`crate::target::Condition`]). A target is healthy when neither objects.

pub(crate) mod check;
pub mod codes;
pub(crate) mod tally;

use std::{fmt, num::NonZeroU32, sync::Arc, time::Duration};

use http::uri::PathAndQuery;

pub use self::codes::{StatusCodes, StatusCodesError};

/// What a target is, as far as traffic goes. "Running" is another matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Its first health check has not passed yet.
    Initial,
    /// It gets requests.
    Healthy,
    /// It gets none while others are healthy.
    Unhealthy {
        /// What was found, in ALB's words where it has some.
        reason: Arc<str>,
    },
    /// It was deregistered: no new requests, those it has may finish.
    Draining,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Initial => f.write_str("initial"),
            Self::Healthy => f.write_str("healthy"),
            Self::Unhealthy { reason } => write!(f, "unhealthy: {reason}"),
            Self::Draining => f.write_str("draining"),
        }
    }
}

/// How the targets of a group are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthSpec {
    /// What is asked for, with GET.
    pub path: PathAndQuery,
    /// From the end of one check to the start of the next.
    pub interval: Duration,
    /// How long an answer, body included, may take.
    pub timeout: Duration,
    /// Passes in a row that make an unhealthy target healthy. A new target needs only one (ALB).
    pub healthy: NonZeroU32,
    /// Failures in a row that make a target unhealthy.
    pub unhealthy: NonZeroU32,
    /// The statuses that pass.
    pub codes: StatusCodes,
}

impl HealthSpec {
    /// A check of `path` with a task's defaults: every second, one second's time, one pass, two failures, 200-399.
    #[must_use]
    pub fn new(path: PathAndQuery) -> Self {
        Self {
            path,
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            healthy: NonZeroU32::MIN,
            unhealthy: NonZeroU32::MIN.saturating_add(1),
            codes: StatusCodes::default(),
        }
    }
}
