//! `[[target_group]]`, and what `[service]` says of its own.

mod connection;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use http::uri::PathAndQuery;
use wharf_gateway::{
    Algorithm, Checks, FailOpen, GroupSpec, HealthPort, HealthSpec, Matcher, RetrySpec, SlowStart, StickyFor,
    TargetWeight, UpstreamUrl, UpstreamVersion,
};

use super::super::error::FieldPath;
use super::super::routing::{OutsideTarget, TargetGroup};
use super::super::text::{
    RetryText, ServiceText, TargetGroupText, TargetHealthText, TargetText, WeightedTargetText,
};
use super::super::values::Report;

/// The most `[[target_group]]`s of one file, and of a namespace, its services' aside (ALB: 3000 of a region).
pub const MAX_TARGET_GROUPS: usize = 5000;

/// The most targets of one group (ALB: 1000).
const MAX_TARGETS: usize = 1000;

/// ALB: 0 to 3600 s, 300 s.
const DELAYS: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(3600));
const DEFAULT_DELAY: Duration = Duration::from_secs(300);

const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("round_robin", Algorithm::RoundRobin),
    ("least_outstanding_requests", Algorithm::LeastOutstanding),
    ("weighted_random", Algorithm::WeightedRandom),
    ("power_of_two", Algorithm::PowerOfTwo),
];

const VERSIONS: &[(&str, UpstreamVersion)] = &[
    ("http1", UpstreamVersion::Http1),
    ("http2", UpstreamVersion::Http2),
    ("grpc", UpstreamVersion::Grpc),
];

pub(in super::super) fn target_groups(
    texts: &[TargetGroupText],
    here: &FieldPath,
    report: &mut Report,
) -> Vec<TargetGroup> {
    report.length(here.clone(), texts.len(), MAX_TARGET_GROUPS);
    let mut names: HashMap<String, usize> = HashMap::new();
    let mut groups = Vec::new();
    for (at, text) in texts.iter().take(MAX_TARGET_GROUPS).enumerate() {
        let here = here.index(at);
        let Some(group) = target_group(text, &here, report) else {
            continue;
        };
        if let Some(first) = names.insert(group.name.to_string(), at) {
            let message = format!(
                "[[target_group]] number {} is called `{}`, as number {} is",
                at + 1,
                group.name,
                first + 1
            );
            report.refuse(here.key("name"), message, "give one of them another name");
        }
        groups.push(group);
    }
    groups
}

fn target_group(text: &TargetGroupText, here: &FieldPath, report: &mut Report) -> Option<TargetGroup> {
    if text.name.is_none() {
        report.refuse(
            here.clone(),
            "[[target_group]] has no `name`",
            "add one, like name = \"legacy\"",
        );
    }
    let name = report.parsed(here.key("name"), text.name.as_deref().map(str::parse));
    let version = report
        .word(here, "version", text.version.as_deref(), VERSIONS)
        .unwrap_or_default();
    let spec = GroupSpec {
        algorithm: report
            .word(here, "algorithm", text.algorithm.as_deref(), ALGORITHMS)
            .unwrap_or_default(),
        slow_start: slow_start(text.slow_start.as_deref(), here, report),
        stickiness: stickiness(text.stickiness.as_deref(), here, report),
        fail_open: fail_open(text.fail_open),
        checks: checks(text.health.as_ref(), version, &here.key("health"), report),
        retry: retry(text.retry.as_ref(), &here.key("retry"), report),
        // Targets outside are there, or they aren't: nobody brings them.
        hold: None,
    };
    let delay = text.deregistration_delay.as_deref();
    let targets = targets(&text.targets, &here.key("targets"), report);
    refuse_idle_slow_start(&spec, here, report);
    refuse_idle_weights(&text.targets, spec.algorithm, &here.key("targets"), report);
    Some(TargetGroup {
        spec,
        connection: connection::connection(text, version, &targets, here, report),
        targets,
        deregistration_delay: report.duration(here, "deregistration_delay", delay, DELAYS, DEFAULT_DELAY),
        text: text.clone(),
        name: name?,
    })
}

/// What `[service]` says of the group of its tasks; health has a section of its own.
pub(super) fn of_service(text: Option<&ServiceText>, here: &FieldPath, report: &mut Report) -> GroupSpec {
    let text = text.cloned().unwrap_or_default();
    let spec = GroupSpec {
        // It sees queues and CPU credit.
        algorithm: report
            .word(here, "algorithm", text.algorithm.as_deref(), ALGORITHMS)
            .unwrap_or(Algorithm::PowerOfTwo),
        slow_start: slow_start(text.slow_start.as_deref(), here, report),
        stickiness: stickiness(text.stickiness.as_deref(), here, report),
        fail_open: fail_open(text.fail_open),
        ..GroupSpec::default()
    };
    refuse_idle_slow_start(&spec, here, report);
    spec
}

fn slow_start(text: Option<&str>, here: &FieldPath, report: &mut Report) -> Option<SlowStart> {
    let duration = report.any_duration(here, "slow_start", text)?;
    report.bounded(here, SlowStart::new(duration))
}

fn stickiness(text: Option<&str>, here: &FieldPath, report: &mut Report) -> Option<StickyFor> {
    let duration = report.any_duration(here, "stickiness", text)?;
    report.bounded(here, StickyFor::new(duration))
}

fn fail_open(text: Option<bool>) -> FailOpen {
    match text {
        Some(false) => FailOpen::Closed,
        Some(true) | None => FailOpen::Open,
    }
}

/// Whoever begins has the fewest requests, and would get them all: there is no share of it to give less of.
fn refuse_idle_slow_start(spec: &GroupSpec, here: &FieldPath, report: &mut Report) {
    if spec.algorithm == Algorithm::LeastOutstanding && spec.slow_start.is_some() {
        report.refuse(
            here.key("slow_start"),
            "`slow_start` does nothing with least_outstanding_requests, which goes by requests alone (ALB refuses both \
             together, too)",
            "remove it, or choose another `algorithm`",
        );
    }
}

/// Only shares by lot go by weights.
fn refuse_idle_weights(texts: &[TargetText], algorithm: Algorithm, here: &FieldPath, report: &mut Report) {
    if algorithm == Algorithm::WeightedRandom {
        return;
    }
    let has_weight = |text: &TargetText| {
        matches!(
            text,
            TargetText::Weighted(WeightedTargetText { weight: Some(_), .. })
        )
    };
    if let Some(at) = texts.iter().position(has_weight) {
        report.refuse(
            here.index(at).key("weight"),
            "the `weight` of a target does something only with `weighted_random`",
            "remove it, or write algorithm = \"weighted_random\"",
        );
    }
}

fn targets(texts: &[TargetText], here: &FieldPath, report: &mut Report) -> Vec<OutsideTarget> {
    report.length(here.clone(), texts.len(), MAX_TARGETS);
    let mut targets: Vec<OutsideTarget> = Vec::new();
    for (at, text) in texts.iter().take(MAX_TARGETS).enumerate() {
        let here = here.index(at);
        let (url, weight) = match text {
            TargetText::Url(url) => (Some(url), None),
            TargetText::Weighted(WeightedTargetText { url, weight }) => (url.as_ref(), *weight),
        };
        let Some(url) = url else {
            report.refuse(
                here,
                "a target has no `url`",
                "write it, like { url = \"http://10.0.0.1:9000\" }",
            );
            continue;
        };
        let weight = weight.map(|weight| {
            let weight = u32::try_from(weight).unwrap_or(u32::MAX);
            report.bounded(&here, TargetWeight::new(weight))
        });
        let Some(url) = report.parsed(here.clone(), Some(url.parse::<UpstreamUrl>())) else {
            continue;
        };
        if targets.iter().any(|other| other.url == url) {
            report.refuse(
                here,
                format!("the target `{url}` is there twice"),
                "give it one weight",
            );
            continue;
        }
        let weight = weight.flatten().unwrap_or_default();
        targets.push(OutsideTarget { url, weight });
    }
    targets
}

/// ALB's health check; none if it is switched off.
fn checks(
    text: Option<&TargetHealthText>,
    version: UpstreamVersion,
    here: &FieldPath,
    report: &mut Report,
) -> Checks {
    let defaults = match version {
        UpstreamVersion::Grpc => HealthSpec::outside_grpc(),
        UpstreamVersion::Http1 | UpstreamVersion::Http2 => HealthSpec::outside(),
    };
    let Some(text) = text else {
        return Checks::health(defaults);
    };
    let in_a_row = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    let row = (1, 100);
    let healthy = report.number(here, "healthy", text.healthy, row, defaults.healthy.get());
    let unhealthy = report.number(here, "unhealthy", text.unhealthy, row, defaults.unhealthy.get());
    let port = text
        .port
        .map(|_| report.number(here, "port", text.port, (1, u32::from(u16::MAX)), 1));
    let health = HealthSpec {
        path: path(text.path.as_deref(), here, report).unwrap_or(defaults.path),
        port: port
            .and_then(|port| u16::try_from(port).ok())
            .map_or(HealthPort::Traffic, HealthPort::Number),
        interval: report
            .any_duration(here, "interval", text.interval.as_deref())
            .unwrap_or(defaults.interval),
        timeout: report
            .any_duration(here, "timeout", text.timeout.as_deref())
            .unwrap_or(defaults.timeout),
        healthy: in_a_row(healthy),
        unhealthy: in_a_row(unhealthy),
        matcher: matcher(text.codes.as_deref(), defaults.matcher, here, report),
    };
    // The gateway's errors name `health.interval`.
    report.bounded(&here.parent(), health.check());
    let health = (text.enabled != Some(false)).then_some(health);
    health.map_or_else(Checks::default, Checks::health)
}

fn path(text: Option<&str>, here: &FieldPath, report: &mut Report) -> Option<PathAndQuery> {
    let text = text?;
    let parsed = text.parse().ok().filter(|_| text.starts_with('/'));
    let parsed = parsed.ok_or_else(|| {
        format!(
            "`{}` is no path from the root, like \"/health\"",
            text.escape_debug()
        )
    });
    report.parsed(here.key("path"), Some(parsed))
}

fn matcher(text: Option<&str>, default: Matcher, here: &FieldPath, report: &mut Report) -> Matcher {
    let Some(text) = text else { return default };
    let read = match default {
        Matcher::Http(_) => text
            .parse()
            .map(Matcher::Http)
            .map_err(|error| format!("{error}")),
        Matcher::Grpc(_) => text
            .parse()
            .map(Matcher::Grpc)
            .map_err(|error| format!("{error}")),
    };
    report.parsed(here.key("codes"), Some(read)).unwrap_or(default)
}

fn retry(text: Option<&RetryText>, here: &FieldPath, report: &mut Report) -> RetrySpec {
    let defaults = RetrySpec::default();
    let Some(text) = text else { return defaults };
    let narrow = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
    let per_request = report.number(
        here,
        "per_request",
        text.per_request,
        (0, 10),
        defaults.per_request().into(),
    );
    let percent = report.number(here, "percent", text.percent, (0, 100), defaults.percent().into());
    let most = u32::from(u16::MAX);
    let per_second = report.number(
        here,
        "per_second",
        text.per_second,
        (0, most),
        defaults.per_second().into(),
    );
    let per_second = u16::try_from(per_second).unwrap_or(u16::MAX);
    report
        .bounded(
            &here.parent(),
            RetrySpec::new(narrow(per_request), narrow(percent), per_second),
        )
        .unwrap_or(defaults)
}
