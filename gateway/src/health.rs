//! Whether a target should get requests, and how that is found out.
//!
//! Two sources: health checks, where a group asks for them (`checks` says which, `check` runs them, `tally` counts,
//! `standing` sums up), and what the target says of itself ([`crate::target::Condition`]). A target is healthy when neither
//! objects. A verdict of its own is whether its owner is asked to replace it.

pub(crate) mod check;
pub(crate) mod checks;
pub mod codes;
pub(crate) mod standing;
mod tally;

use std::{fmt, num::NonZeroU32, sync::Arc, time::Duration};

use http::uri::PathAndQuery;

pub use self::{
    checks::Checks,
    codes::{GrpcCodes, GrpcCodesError, StatusCodes, StatusCodesError},
};
use crate::group::SpecError;

/// What a target is, as far as traffic goes. "Running" is another matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Its first health check has not passed yet.
    Initial,
    /// It gets requests.
    Healthy,
    /// It gets none while others are healthy.
    Unhealthy {
        /// What was found.
        reason: HealthReason,
    },
    /// It was deregistered: no new requests, those it has may finish.
    Draining,
}

impl Health {
    /// ALB's word for it (`TargetHealth.State`).
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Healthy => "healthy",
            Self::Unhealthy { .. } => "unhealthy",
            Self::Draining => "draining",
        }
    }

    /// Why it gets no requests; none when it does.
    #[must_use]
    pub fn reason(&self) -> Option<HealthReason> {
        match self {
            Self::Initial => Some(HealthReason::InitialHealthChecking),
            Self::Healthy => None,
            Self::Unhealthy { reason } => Some(reason.clone()),
            Self::Draining => Some(HealthReason::DeregistrationInProgress),
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unhealthy { reason } => write!(f, "unhealthy: {reason}"),
            other => f.write_str(other.state()),
        }
    }
}

/// Why a target gets no requests. Prints ALB's description (`TargetHealth.Description`), with what is known besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthReason {
    /// The first check has not passed yet.
    InitialHealthChecking,
    /// The last check was answered with another code than those that pass: HTTP's, or gRPC's.
    ResponseCodeMismatch(u16),
    /// The last check was not answered in time.
    Timeout,
    /// The last check failed in another way; the text says in which.
    FailedHealthChecks(Arc<str>),
    /// It was deregistered and finishes what it has.
    DeregistrationInProgress,
    /// It says itself that it is unfit; the text says why. ALB has no such thing.
    Unfit(Arc<str>),
}

impl HealthReason {
    /// ALB's code (`TargetHealth.Reason`).
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InitialHealthChecking => "Elb.InitialHealthChecking",
            Self::ResponseCodeMismatch(_) => "Target.ResponseCodeMismatch",
            Self::Timeout => "Target.Timeout",
            Self::FailedHealthChecks(_) | Self::Unfit(_) => "Target.FailedHealthChecks",
            Self::DeregistrationInProgress => "Target.DeregistrationInProgress",
        }
    }
}

impl fmt::Display for HealthReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InitialHealthChecking => f.write_str("Initial health checks in progress"),
            Self::ResponseCodeMismatch(code) => write!(f, "Health checks failed with these codes: [{code}]"),
            Self::Timeout => f.write_str("Request timed out"),
            Self::FailedHealthChecks(how) => write!(f, "Health checks failed: {how}"),
            Self::DeregistrationInProgress => f.write_str("Target deregistration is in progress"),
            Self::Unfit(why) => f.write_str(why),
        }
    }
}

/// What one check asks, how often, and which answers pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthSpec {
    /// What is asked for: with GET, or as a gRPC method.
    pub path: PathAndQuery,
    /// Which port is asked. Means something for targets outside only: tasks have none.
    pub port: HealthPort,
    /// From the end of one check to the start of the next.
    pub interval: Duration,
    /// How long an answer, body included, may take.
    pub timeout: Duration,
    /// Passes in a row that make an unhealthy target healthy. A new target needs only one (ALB).
    pub healthy: NonZeroU32,
    /// Failures in a row that make a target unhealthy.
    pub unhealthy: NonZeroU32,
    /// The answers that pass.
    pub matcher: Matcher,
}

/// The port a check goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HealthPort {
    /// The one requests go to. ALB: `traffic-port`.
    #[default]
    Traffic,
    /// Another.
    Number(u16),
}

/// The answers that pass a check, and with it the kind of question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matcher {
    /// An HTTP response with one of these statuses.
    Http(StatusCodes),
    /// A gRPC call with one of these codes.
    Grpc(GrpcCodes),
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(codes) => codes.fmt(f),
            Self::Grpc(codes) => codes.fmt(f),
        }
    }
}

impl HealthSpec {
    /// A check of `path` with a task's defaults: every second, one second's time, one pass, two failures, 200-399.
    #[must_use]
    pub fn new(path: PathAndQuery) -> Self {
        Self {
            path,
            port: HealthPort::Traffic,
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            healthy: NonZeroU32::MIN,
            unhealthy: NonZeroU32::MIN.saturating_add(1),
            matcher: Matcher::Http(StatusCodes::default()),
        }
    }

    /// ALB's defaults, for targets outside: `/` every 30 s, 5 s' time, five passes, two failures, 200.
    #[must_use]
    pub fn outside() -> Self {
        Self {
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            healthy: NonZeroU32::MIN.saturating_add(4),
            matcher: Matcher::Http(StatusCodes::OK),
            ..Self::new(PathAndQuery::from_static("/"))
        }
    }

    /// ALB's defaults for gRPC: `/AWS.ALB/healthcheck`, which a healthy server answers 12, "unimplemented".
    #[must_use]
    pub fn outside_grpc() -> Self {
        Self {
            path: PathAndQuery::from_static("/AWS.ALB/healthcheck"),
            matcher: Matcher::Grpc(GrpcCodes::default()),
            ..Self::outside()
        }
    }

    /// Whether targets can be checked like this. ALB: interval 5 to 300 s, timeout 2 to 120 s, thresholds 2 to 10.
    /// Tasks are checked more often, so the bounds here are wider.
    ///
    /// # Errors
    /// When a value is out of bounds; the error names it.
    pub fn check(&self) -> Result<(), SpecError> {
        let within = |field, duration: Duration, longest: u64, allowed| {
            if duration.is_zero() || duration > Duration::from_secs(longest) {
                let found = format!("{} s", duration.as_secs_f64());
                return Err(SpecError::new(field, allowed, found));
            }
            Ok(())
        };
        within(
            "health.interval",
            self.interval,
            3600,
            "more than 0 and at most 3600 s",
        )?;
        within(
            "health.timeout",
            self.timeout,
            600,
            "more than 0 and at most 600 s",
        )?;
        for (field, threshold) in [
            ("health.healthy", self.healthy),
            ("health.unhealthy", self.unhealthy),
        ] {
            if threshold.get() > 100 {
                return Err(SpecError::new(field, "from 1 to 100", threshold));
            }
        }
        if self.port == HealthPort::Number(0) {
            return Err(SpecError::new("health.port", "from 1 to 65535", 0));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
