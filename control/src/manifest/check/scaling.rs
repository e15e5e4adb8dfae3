//! `[scaling]`.

use std::time::Duration;

use super::super::error::FieldPath;
use super::super::text::ScalingText;
use super::super::values::{Report, show_duration};
use super::MAX_COUNT;
use crate::scaling::{Idle, ScalingSpec, Signal, Target};

/// What can't be measured of a single task would be nothing to keep.
const PERCENT: (u32, u32) = (1, 100);

/// Requests a second of one task: more than one can answer.
const REQUESTS: (u32, u32) = (1, 1_000_000);

/// Requests at once, or waiting, of one task: as many as it may have.
const AT_ONCE: (u32, u32) = (1, 10_000);

/// ECS: 300 s.
const COOLDOWNS: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(3600));
const DEFAULT_COOLDOWN: Duration = Duration::from_secs(300);

/// What is looked at is of a second.
const IDLES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(24 * 3600));

/// For a first request: as long as a request may take by default.
const WAITS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(3600));
const DEFAULT_WAIT: Duration = Duration::from_secs(30);

/// What is kept at which value if nothing is said (ECS Express Mode: CPU at 60 %).
const DEFAULT_TARGET: Target = Target {
    signal: Signal::Cpu,
    value: 60,
};

pub(super) fn scaling(
    text: &ScalingText,
    count: u32,
    here: &FieldPath,
    report: &mut Report,
) -> Option<ScalingSpec> {
    let before = report.errors.len();
    let idle = idle(text, here, report);
    let least = u32::from(text.idle.is_none());
    let min = report.number(here, "min", text.min, (0, MAX_COUNT), least);
    let written = targets(text, here, report);
    if text.max.is_none() && !written.is_empty() {
        let hint = "say how many tasks there may be at most: max = 10";
        report.refuse(here.clone(), "[scaling] has no `max`", hint);
    }
    let max = report.number(here, "max", text.max, (1, MAX_COUNT), count.max(min).max(1));
    let mut cooldown =
        |key, text: Option<&str>| report.duration(here, key, text, COOLDOWNS, DEFAULT_COOLDOWN);
    let cooldown_in = cooldown("cooldown_in", text.cooldown_in.as_deref());
    let cooldown_out = cooldown("cooldown_out", text.cooldown_out.as_deref());
    if report.errors.len() > before {
        return None;
    }
    let targets = match written.is_empty() && max > min.max(1) && text.max.is_some() {
        true => vec![DEFAULT_TARGET],
        false => written,
    };
    let spec = ScalingSpec {
        min,
        max,
        targets,
        cooldown_in,
        cooldown_out,
        idle,
    };
    make_sense(text, &spec, here, report);
    (report.errors.len() == before).then_some(spec)
}

fn idle(text: &ScalingText, here: &FieldPath, report: &mut Report) -> Option<Idle> {
    let wait = report.duration(here, "wait", text.wait.as_deref(), WAITS, DEFAULT_WAIT);
    if text.wait.is_some() && text.idle.is_none() {
        let hint = "only a service that sleeps lets requests wait: remove it, or add idle = \"5m\"";
        report.refuse(here.key("wait"), "`wait` in [scaling] without `idle`", hint);
    }
    let written = text.idle.as_deref()?;
    let after = report.duration(here, "idle", Some(written), IDLES, DEFAULT_COOLDOWN);
    Some(Idle { after, wait })
}

fn targets(text: &ScalingText, here: &FieldPath, report: &mut Report) -> Vec<Target> {
    let written = [
        (Signal::Cpu, text.cpu, PERCENT),
        (Signal::Memory, text.memory, PERCENT),
        (Signal::Requests, text.requests, REQUESTS),
        (Signal::Concurrency, text.concurrency, AT_ONCE),
        (Signal::Queue, text.queue, AT_ONCE),
    ];
    let written = written.into_iter().filter(|(_, value, _)| value.is_some());
    let target = |(signal, value, bounds): (Signal, _, _)| Target {
        signal,
        value: report.number(here, signal.key(), value, bounds, bounds.0),
    };
    written.map(target).collect()
}

/// Refuses values that are right by themselves and not together.
fn make_sense(text: &ScalingText, spec: &ScalingSpec, here: &FieldPath, report: &mut Report) {
    let ScalingSpec { min, max, .. } = *spec;
    if min > max {
        let message = format!("`min` in [scaling] is {min}, more than `max`, {max}");
        report.refuse(here.key("min"), message, "lower it, or raise `max`");
        return;
    }
    match &spec.idle {
        None if min == 0 => {
            let hint = "say how long without requests until the last task stops: idle = \"5m\"";
            report.refuse(here.key("min"), "`min` in [scaling] is 0 without `idle`", hint);
        }
        Some(idle) if min > 0 => {
            let message = format!(
                "`idle` in [scaling] is {} and `min` is {min}: it would never sleep",
                show_duration(idle.after)
            );
            report.refuse(here.key("idle"), message, "set min = 0, or remove `idle`");
        }
        _ => {}
    }
    let is_fixed = max <= min.max(1) && spec.idle.is_none();
    if is_fixed {
        let message = format!("[scaling] leaves nothing to decide: there are always {max} tasks");
        let hint = "raise `max`, or remove it and say `count` in [service]";
        report.refuse(here.clone(), message, hint);
    } else if let Some(target) = spec.targets.first().filter(|_| max == 1) {
        let message = format!(
            "[scaling] is to keep `{}` and has one task at most",
            target.signal
        );
        report.refuse(here.key("max"), message, "raise `max`, or remove the targets");
    } else if spec.targets.is_empty() {
        let written = [
            ("cooldown_in", &text.cooldown_in),
            ("cooldown_out", &text.cooldown_out),
        ];
        for (key, _) in written.into_iter().filter(|(_, text)| text.is_some()) {
            let message = format!("`{key}` in [scaling] without anything to scale by");
            report.refuse(
                here.key(key),
                message,
                "remove it, or add `max` and a target like cpu = 60",
            );
        }
    }
}
