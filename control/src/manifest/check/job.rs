//! `[job]`.

use std::time::Duration;

use super::super::error::FieldPath;
use super::super::job::{ConcurrencyPolicy, JobSpec, ScheduleSpec};
use super::super::text::JobText;
use super::super::values::{Report, show_duration};
use crate::jobs::cron::{Cron, CronError, DEFAULT_TIME_ZONE, Zone};
use crate::model::{
    DEFAULT_BACKOFF, DEFAULT_HISTORY, LONGEST_BACKOFF, MAX_ATTEMPTS, MAX_HISTORY, MAX_JOB_TASKS, MAX_RETRIES,
    RunSpec,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A run's deadline and a start's.
const DEADLINES: (Duration, Duration) = (Duration::from_secs(1), DAY.saturating_mul(30));

/// How long an ended run may be kept.
const TTLS: (Duration, Duration) = (Duration::ZERO, DAY.saturating_mul(365));

const POLICIES: &[(&str, ConcurrencyPolicy)] = &[
    ("allow", ConcurrencyPolicy::Allow),
    ("forbid", ConcurrencyPolicy::Forbid),
    ("replace", ConcurrencyPolicy::Replace),
];

pub(super) fn check(text: &JobText, here: &FieldPath, report: &mut Report) -> JobSpec {
    JobSpec {
        run: run(text, here, report),
        schedule: schedule(text, here, report),
    }
}

fn run(text: &JobText, here: &FieldPath, report: &mut Report) -> RunSpec {
    let before = report.errors.len();
    let count = report.number(here, "count", text.count, (1, MAX_JOB_TASKS), 1);
    let spec = RunSpec {
        count,
        parallelism: report.number(here, "parallelism", text.parallelism, (1, MAX_JOB_TASKS), count),
        retries: report.number(here, "retries", text.retries, (0, MAX_RETRIES), 0),
        backoff: report.duration(
            here,
            "backoff",
            text.backoff.as_deref(),
            (Duration::ZERO, LONGEST_BACKOFF),
            DEFAULT_BACKOFF,
        ),
        deadline: optional(text.deadline.as_deref(), here, "deadline", DEADLINES, report),
        ttl: optional(text.ttl.as_deref(), here, "ttl", TTLS, report),
        history: report.number(here, "history", text.history, (0, MAX_HISTORY), DEFAULT_HISTORY),
    };
    if report.errors.len() == before {
        agreement(&spec, here, report);
    }
    spec
}

/// What the values say together.
fn agreement(spec: &RunSpec, here: &FieldPath, report: &mut Report) {
    if spec.parallelism > spec.count {
        let message = format!(
            "`parallelism` in [job] is {}, more than `count`, {}",
            spec.parallelism, spec.count
        );
        let hint = "no more tasks than there are can run at once: lower it, or raise `count`";
        report.refuse(here.key("parallelism"), message, hint);
    }
    if spec.attempts() > MAX_ATTEMPTS {
        let message = format!(
            "`retries` in [job] is {}, which with {} tasks makes {} attempts",
            spec.retries,
            spec.count,
            spec.attempts()
        );
        report.refuse(
            here.key("retries"),
            message,
            format!("a run may have {MAX_ATTEMPTS}: lower it, or `count`"),
        );
    }
    if let Some(deadline) = spec.deadline
        && spec.retries > 0
        && spec.backoff >= deadline
    {
        let (backoff, deadline) = (show_duration(spec.backoff), show_duration(deadline));
        let message =
            format!("`backoff` in [job] is {backoff}, and `deadline` {deadline}: no retry would ever begin");
        let hint = "shorten `backoff`, lengthen `deadline`, or set `retries` to 0";
        report.refuse(here.key("backoff"), message, hint);
    }
}

fn optional(
    text: Option<&str>,
    here: &FieldPath,
    key: &str,
    bounds: (Duration, Duration),
    report: &mut Report,
) -> Option<Duration> {
    text.map(|text| report.duration(here, key, Some(text), bounds, bounds.1))
}

fn schedule(text: &JobText, here: &FieldPath, report: &mut Report) -> Option<ScheduleSpec> {
    let Some(expression) = text.schedule.as_deref() else {
        let scheduling = [
            ("timezone", &text.timezone),
            ("concurrency_policy", &text.concurrency_policy),
            ("starting_deadline", &text.starting_deadline),
        ];
        for (key, _) in scheduling.into_iter().filter(|(_, value)| value.is_some()) {
            let hint = "it is about a schedule: add one, like schedule = \"0 3 * * *\", or remove it";
            report.refuse(
                here.key(key),
                format!("`{key}` in [job] without `schedule`"),
                hint,
            );
        }
        return None;
    };
    let zone = zone(
        text.timezone.as_deref().unwrap_or(DEFAULT_TIME_ZONE),
        here,
        report,
    );
    // The expression is looked at whatever the zone is.
    let utc = || Zone::named(DEFAULT_TIME_ZONE).ok();
    let cron = Cron::parse(expression, zone.clone().or_else(utc)?).map_err(|error| {
        let message = format!("`schedule` in [job] is `{}`: {error}", expression.escape_debug());
        let hint = match error {
            CronError::NeverFires => "no month it names has such a day",
            _ => "write minute, hour, day of month, month and day of week, like \"0 3 * * *\"",
        };
        report.refuse(here.key("schedule"), message, hint);
    });
    let policy = report.word(
        here,
        "concurrency_policy",
        text.concurrency_policy.as_deref(),
        POLICIES,
    );
    let starting_deadline = text.starting_deadline.as_deref();
    let starting_deadline = optional(starting_deadline, here, "starting_deadline", DEADLINES, report);
    zone?;
    Some(ScheduleSpec {
        cron: cron.ok()?,
        concurrency_policy: policy.unwrap_or(ConcurrencyPolicy::Allow),
        starting_deadline,
    })
}

fn zone(name: &str, here: &FieldPath, report: &mut Report) -> Option<Zone> {
    match Zone::named(name) {
        Ok(zone) => Some(zone),
        Err(error) => {
            let hint = match &error.close {
                Some(close) => format!("did you mean `{close}`?"),
                None => "write a name of the IANA database, like \"Europe/Paris\"".to_owned(),
            };
            report.refuse(
                here.key("timezone"),
                format!("`timezone` in [job]: {error}"),
                hint,
            );
            None
        }
    }
}
