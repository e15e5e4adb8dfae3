//! `[health]` and `[[route]]`.

use std::num::NonZeroU32;
use std::time::Duration;

use http::uri::PathAndQuery;
use wharf_gateway::{HealthSpec, HostPattern, Matcher, PathPattern, Priority, StatusCodes};

use super::super::Route;
use super::super::error::{FieldPath, ManifestError};
use super::super::text::{HealthText, RouteText};
use super::super::values::Report;

/// The most `[[route]]`s of one service (ALB: 100 rules per listener).
const MAX_ROUTES: usize = 100;

/// The most hosts, and paths, of one `[[route]]`.
const MAX_PATTERNS: usize = 50;

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

pub(super) fn routes(texts: &[RouteText], here: &FieldPath, report: &mut Report) -> Vec<Route> {
    report.length(here.clone(), texts.len(), MAX_ROUTES);
    let routes: Vec<Route> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| route(text, &here.index(at), report))
        .collect();
    let mut seen: Vec<(&str, &str, usize)> = Vec::new();
    for (at, route) in routes.iter().take(MAX_ROUTES).enumerate() {
        // A route whose patterns were refused matches less than was meant: comparing it would mislead.
        if report
            .errors
            .iter()
            .any(|error| error.field.is_within(&here.index(at)))
        {
            continue;
        }
        for (host, path) in pairs(route) {
            match seen.iter().find(|(h, p, _)| (*h, *p) == (host, path)) {
                None => seen.push((host, path, at)),
                Some((_, _, first)) => {
                    let message = duplicate(host, path, *first, at);
                    report.refuse(
                        here.index(at),
                        message,
                        "each pair of host and path goes in one of them",
                    );
                }
            }
        }
    }
    routes
}

fn duplicate(host: &str, path: &str, first: usize, second: usize) -> String {
    let host = if host.is_empty() {
        "any host".to_owned()
    } else {
        format!("host `{host}`")
    };
    let path = if path.is_empty() {
        "any path".to_owned()
    } else {
        format!("path `{path}`")
    };
    match first == second {
        true => format!("[[route]] number {} names {host} with {path} twice", second + 1),
        false => format!(
            "[[route]] number {} repeats number {}: {host} with {path}",
            second + 1,
            first + 1
        ),
    }
}

/// Every host with every path; empty for "any".
fn pairs(route: &Route) -> impl Iterator<Item = (&str, &str)> {
    let hosts = any_of(route.hosts.iter().map(HostPattern::as_str));
    let paths = any_of(route.paths.iter().map(PathPattern::as_str));
    hosts
        .into_iter()
        .flat_map(move |host| paths.clone().into_iter().map(move |path| (host, path)))
}

fn any_of<'a>(patterns: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let patterns: Vec<&str> = patterns.collect();
    if patterns.is_empty() { vec![""] } else { patterns }
}

fn route(text: &RouteText, here: &FieldPath, report: &mut Report) -> Route {
    let priority = text.priority.and_then(|number| {
        let priority = u32::try_from(number)
            .ok()
            .and_then(|number| Priority::new(number).ok());
        if priority.is_none() {
            let message = format!("`priority` in [[route]] is {number}");
            report.refuse(
                here.key("priority"),
                message,
                "it goes from 1 to 50000, lower goes first",
            );
        }
        priority
    });
    let hosts = patterns(&text.host, here.key("host"), report);
    let paths = patterns(&text.path, here.key("path"), report);
    Route {
        priority,
        hosts,
        paths,
    }
}

fn patterns<T>(texts: &[String], here: FieldPath, report: &mut Report) -> Vec<T>
where
    T: std::str::FromStr<Err = wharf_gateway::PatternError>,
{
    report.length(here.clone(), texts.len(), MAX_PATTERNS);
    let mut patterns = Vec::new();
    for (at, text) in texts.iter().take(MAX_PATTERNS).enumerate() {
        match text.parse::<T>() {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => report
                .errors
                .push(ManifestError::new(here.index(at), error.to_string())),
        }
    }
    patterns
}
