//! `[health]` and the checks of its own that it may have: `[health.readiness]`, `[health.liveness]`,
//! `[health.startup]`.

use std::num::NonZeroU32;
use std::time::Duration;

use http::uri::PathAndQuery;
use wharf_gateway::{Checks, HealthSpec, Matcher, StatusCodes};

use super::super::error::{FieldPath, ManifestError};
use super::super::text::{CheckText, HealthText};
use super::super::values::Report;

/// Between two checks: often enough to notice, not so often that checks are the load.
const INTERVALS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3600));

/// For one check's answer.
const TIMEOUTS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(300));

/// Passes or failures in a row (ALB: 2-10; 1 is for tasks, which start in no time).
const IN_A_ROW: (u32, u32) = (1, 10);

/// Until failures count (ECS: 68 years; a task that needs more than an hour has another problem).
const GRACES: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(3600));

pub(super) fn checks(text: &HealthText, here: &FieldPath, report: &mut Report) -> Checks {
    let mut of_its_own = |name: &str, text: Option<&CheckText>| {
        let here = here.key(name);
        text.and_then(|text| check(text, &here, report))
    };
    let readiness = of_its_own("readiness", text.readiness.as_ref());
    let liveness = of_its_own("liveness", text.liveness.as_ref());
    let startup = of_its_own("startup", text.startup.as_ref());
    let own = own_check(text);
    let others = [&text.readiness, &text.liveness, &text.startup];
    let only_others = own == CheckText::default() && others.iter().any(|other| other.is_some());
    Checks {
        health: if only_others {
            None
        } else {
            check(&own, here, report)
        },
        readiness,
        liveness,
        startup,
        grace: report.duration(here, "grace", text.grace.as_deref(), GRACES, Duration::ZERO),
    }
}

/// The check that `[health]` itself is.
fn own_check(text: &HealthText) -> CheckText {
    let text = text.clone();
    CheckText {
        path: text.path,
        interval: text.interval,
        timeout: text.timeout,
        healthy: text.healthy,
        unhealthy: text.unhealthy,
        codes: text.codes,
    }
}

fn check(text: &CheckText, here: &FieldPath, report: &mut Report) -> Option<HealthSpec> {
    let path = path(text, here, report);
    let defaults = HealthSpec::new(PathAndQuery::from_static("/"));
    let mut duration = |key, text: &Option<String>, bounds, default| {
        report.duration(here, key, text.as_deref(), bounds, default)
    };
    let interval = duration("interval", &text.interval, INTERVALS, defaults.interval);
    let timeout = duration("timeout", &text.timeout, TIMEOUTS, defaults.timeout);
    let mut in_a_row = |key, number, default: NonZeroU32| {
        let number = report.number(here, key, number, IN_A_ROW, default.get());
        NonZeroU32::new(number).unwrap_or(default)
    };
    let healthy = in_a_row("healthy", text.healthy, defaults.healthy);
    let unhealthy = in_a_row("unhealthy", text.unhealthy, defaults.unhealthy);
    let codes = text.codes.as_deref().map(str::parse::<StatusCodes>);
    let wrong = |error| format!("`codes` in {}: {error}", here.heading());
    let codes = report.parsed(here.key("codes"), codes.map(|codes| codes.map_err(wrong)));
    Some(HealthSpec {
        path: path?,
        interval,
        timeout,
        healthy,
        unhealthy,
        matcher: Matcher::Http(codes.unwrap_or_default()),
        ..defaults
    })
}

fn path(text: &CheckText, here: &FieldPath, report: &mut Report) -> Option<PathAndQuery> {
    let heading = here.heading();
    let Some(path) = &text.path else {
        if !report.errors.iter().any(|error| error.field == here.key("path")) {
            let hint = "say what to ask for, like path = \"/health\"; without checks, alive is healthy";
            report.refuse(here.clone(), format!("{heading} has no `path`"), hint);
        }
        return None;
    };
    match path.parse::<PathAndQuery>() {
        Ok(parsed) if path.starts_with('/') => Some(parsed),
        _ => {
            let message = format!("`path` in {heading} is `{}`", path.escape_debug());
            let hint = "it is a path from the root, like \"/health\"";
            report
                .errors
                .push(ManifestError::new(here.key("path"), message).hint(hint));
            None
        }
    }
}
