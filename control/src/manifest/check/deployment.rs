//! `[deployment]`.

use std::time::Duration;

use super::super::deployment::{Bounds, DEFAULT_DEADLINE, DeploymentSpec, OnFailure, Strategy, Tolerance};
use super::super::error::FieldPath;
use super::super::text::DeploymentText;
use super::super::values::Report;

/// Watching nothing is no bake; a day is longer than anybody waits (ECS: 1440 min).
const BAKES: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(24 * 3600));

/// Shorter than a second it would be the machine's load that fails it.
const DEADLINES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(24 * 3600));

/// ECS: canaryBakeTime.
const CANARY_BAKE: Duration = Duration::from_secs(10 * 60);

/// ECS: stepBakeTime.
const LINEAR_BAKE: Duration = Duration::from_secs(6 * 60);

/// ECS: canaryPercent.
const CANARY_STEP: u32 = 5;

/// ECS: stepPercent.
const LINEAR_STEP: u32 = 10;

/// More than ECS's largest threshold by far.
const MAX_FAILED_TASKS: u32 = 10_000;

/// Answers that a judgement may need.
const MAX_REQUESTS: u32 = 1_000_000_000;

/// The strategies, as they are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Rolling,
    Canary,
    Linear,
    Recreate,
}

const STRATEGIES: &[(&str, Word)] = &[
    ("rolling", Word::Rolling),
    ("canary", Word::Canary),
    ("linear", Word::Linear),
    ("recreate", Word::Recreate),
];

pub(super) fn deployment(
    text: Option<&DeploymentText>,
    count: Option<u32>,
    here: &FieldPath,
    report: &mut Report,
) -> DeploymentSpec {
    let Some(text) = text else {
        return DeploymentSpec::default();
    };
    let word = text.strategy.as_deref();
    let word = report
        .word(here, "strategy", word, STRATEGIES)
        .unwrap_or(Word::Rolling);
    let strategy = strategy(word, text, count, here, report);
    let default_bake = match strategy {
        Strategy::Rolling(_) | Strategy::Recreate => Duration::ZERO,
        Strategy::Canary { .. } => CANARY_BAKE,
        Strategy::Linear { .. } => LINEAR_BAKE,
    };
    let bake = report.duration(here, "bake", text.bake.as_deref(), BAKES, default_bake);
    let deadline = text.deadline.as_deref();
    DeploymentSpec {
        strategy,
        bake,
        deadline: report.duration(here, "deadline", deadline, DEADLINES, DEFAULT_DEADLINE),
        failed_tasks: text
            .failed_tasks
            .map(|_| report.number(here, "failed_tasks", text.failed_tasks, (1, MAX_FAILED_TASKS), 1)),
        on_failure: match text.rollback {
            Some(false) => OnFailure::Halt,
            Some(true) | None => OnFailure::RollBack,
        },
        tolerance: tolerance(text, bake, here, report),
    }
}

fn strategy(
    word: Word,
    text: &DeploymentText,
    count: Option<u32>,
    here: &FieldPath,
    report: &mut Report,
) -> Strategy {
    if word != Word::Rolling {
        let given = [
            ("minimum_healthy", text.minimum_healthy),
            ("maximum", text.maximum),
        ];
        for (key, _) in given.iter().filter(|(_, value)| value.is_some()) {
            refuse_beside(
                key,
                word,
                "a rolling deployment's tasks only are kept within bounds",
                here,
                report,
            );
        }
    }
    if matches!(word, Word::Rolling | Word::Recreate) && text.step.is_some() {
        refuse_beside(
            "step",
            word,
            "canary and linear deployments only take steps",
            here,
            report,
        );
    }
    match word {
        Word::Rolling => Strategy::Rolling(bounds(text, count, here, report)),
        // A first step of everything would be no canary.
        Word::Canary => Strategy::Canary {
            step: report.number(here, "step", text.step, (1, 99), CANARY_STEP),
        },
        Word::Linear => Strategy::Linear {
            step: report.number(here, "step", text.step, (1, 100), LINEAR_STEP),
        },
        Word::Recreate => Strategy::Recreate,
    }
}

fn refuse_beside(key: &str, word: Word, why: &str, here: &FieldPath, report: &mut Report) {
    let name = STRATEGIES
        .iter()
        .find(|(_, other)| *other == word)
        .map_or("", |(name, _)| name);
    let message = format!(
        "`{key}` in {} together with strategy \"{name}\": {why}",
        here.heading()
    );
    report.refuse(here.key(key), message, "remove one of the two");
}

/// ECS: 0 to 100 and 100 to 200.
fn bounds(text: &DeploymentText, count: Option<u32>, here: &FieldPath, report: &mut Report) -> Bounds {
    let before = report.errors.len();
    let default = Bounds::default();
    let bounds = Bounds {
        minimum_healthy: report.number(
            here,
            "minimum_healthy",
            text.minimum_healthy,
            (0, 100),
            default.minimum_healthy,
        ),
        maximum: report.number(here, "maximum", text.maximum, (100, 200), default.maximum),
    };
    if report.errors.len() > before {
        return bounds;
    }
    let key = if text.maximum.is_some() {
        "maximum"
    } else {
        "minimum_healthy"
    };
    if bounds.minimum_healthy == 100 && bounds.maximum == 100 {
        let message = "minimum_healthy = 100 lets no task stop and maximum = 100 lets none start: no task could ever \
                       be replaced";
        report.refuse(here.key(key), message, "lower the one, or raise the other");
    } else if let Some(deadlock) = count.and_then(|count| bounds.deadlock(count)) {
        let message = format!("{deadlock}: no task could ever be replaced");
        report.refuse(here.key(key), message, "lower minimum_healthy, or raise maximum");
    }
    bounds
}

fn tolerance(text: &DeploymentText, bake: Duration, here: &FieldPath, report: &mut Report) -> Tolerance {
    let default = Tolerance::default();
    let judged = [
        ("max_errors", text.max_errors),
        ("min_requests", text.min_requests),
    ];
    if let Some((key, _)) = judged.iter().find(|(_, value)| value.is_some())
        && bake.is_zero()
    {
        let message = format!(
            "`{key}` in {} without a bake: it is during one that answers are judged",
            here.heading()
        );
        report.refuse(here.key(key), message, "set bake, like bake = \"1m\"");
    }
    Tolerance {
        max_errors: report.number(here, "max_errors", text.max_errors, (0, 100), default.max_errors),
        min_requests: report.number(
            here,
            "min_requests",
            text.min_requests,
            (1, MAX_REQUESTS),
            default.min_requests,
        ),
    }
}
