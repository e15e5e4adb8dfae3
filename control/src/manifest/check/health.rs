//! `[health]`.

use std::num::NonZeroU32;
use std::time::Duration;

use http::uri::PathAndQuery;
use wharf_gateway::{HealthSpec, Matcher, StatusCodes};

use super::super::error::{FieldPath, ManifestError};
use super::super::text::HealthText;
use super::super::values::Report;

/// Between two checks: often enough to notice, not so often that checks are the load.
const INTERVALS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3600));

/// For one check's answer.
const TIMEOUTS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(300));

/// Passes or failures in a row (ALB: 2-10; 1 is for tasks, which start in no time).
const IN_A_ROW: (u32, u32) = (1, 10);

pub(super) fn health(text: &HealthText, here: &FieldPath, report: &mut Report) -> Option<HealthSpec> {
    let path = health_path(text, here, report);
    let defaults = HealthSpec::new(PathAndQuery::from_static("/"));
    let interval = text.interval.as_deref();
    let interval = report.duration(here, "interval", interval, INTERVALS, defaults.interval);
    let timeout = report.duration(
        here,
        "timeout",
        text.timeout.as_deref(),
        TIMEOUTS,
        defaults.timeout,
    );
    let healthy = report.number(here, "healthy", text.healthy, IN_A_ROW, defaults.healthy.get());
    let unhealthy = report.number(
        here,
        "unhealthy",
        text.unhealthy,
        IN_A_ROW,
        defaults.unhealthy.get(),
    );
    let codes = match text.codes.as_deref().map(str::parse) {
        None => StatusCodes::default(),
        Some(Ok(codes)) => codes,
        Some(Err(error)) => {
            let error: wharf_gateway::StatusCodesError = error;
            report.errors.push(ManifestError::new(
                here.key("codes"),
                format!("`codes` in [health]: {error}"),
            ));
            StatusCodes::default()
        }
    };
    Some(HealthSpec {
        path: path?,
        interval,
        timeout,
        healthy: NonZeroU32::new(healthy)?,
        unhealthy: NonZeroU32::new(unhealthy)?,
        matcher: Matcher::Http(codes),
        ..defaults
    })
}

fn health_path(text: &HealthText, here: &FieldPath, report: &mut Report) -> Option<PathAndQuery> {
    let Some(path) = &text.path else {
        if !report.errors.iter().any(|error| error.field == here.key("path")) {
            let hint = "say what to ask for, like path = \"/health\"; without [health], alive is healthy";
            report.refuse(here.clone(), "[health] has no `path`", hint);
        }
        return None;
    };
    match path.parse::<PathAndQuery>() {
        Ok(parsed) if path.starts_with('/') => Some(parsed),
        _ => {
            let message = format!("`path` in [health] is `{}`", path.escape_debug());
            report.refuse(
                here.key("path"),
                message,
                "it is a path from the root, like \"/health\"",
            );
            None
        }
    }
}
