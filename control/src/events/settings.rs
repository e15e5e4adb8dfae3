//! What events say of how a service is to be: of its count, its scaling, and how it is deployed.

use super::Word;
use crate::manifest::{Bounds, DeploymentSpec, OnFailure, Strategy, show_duration};
use crate::model::Service;
use crate::scaling::{self, ScalingSpec};

/// Why a service's count is another after a deployment was given up: it is what it was before.
pub const GIVEN_UP: &str = "its deployment was given up";

/// Why a service's settings are others after a deploy.
pub const DEPLOYED: &str = "it was deployed so";

/// A key of a manifest's table, with its value.
type Setting = (&'static str, String);

/// What is told of a service that was as `before` and is as `after`, because of `cause`.
pub fn changed(before: &Service, after: &Service, cause: &str) -> Vec<Word> {
    let name = &after.name;
    let count =
        (before.count != after.count).then(|| scaling::said(name, (before.count, after.count), cause));
    let scaling = match (&before.scaling, &after.scaling) {
        (None, None) => None,
        (Some(_), None) => Some(format!(
            "(service {name}) does not scale any more. Cause: {cause}."
        )),
        (None, Some(scales)) => Some(format!(
            "(service {name}) scales from now on: {}. Cause: {cause}.",
            difference(&[], &of_scaling(scales))
        )),
        (Some(before), Some(after)) => told(
            name.as_str(),
            "scaling",
            (of_scaling(before), of_scaling(after)),
            cause,
        ),
    };
    let specs = (
        of_deployment(&before.deployment),
        of_deployment(&after.deployment),
    );
    let deployment = told(name.as_str(), "deployment", specs, cause);
    let messages = [count, scaling, deployment].into_iter().flatten();
    messages
        .map(|message| Word::new(&after.namespace, name, message))
        .collect()
}

fn told(
    name: &str,
    table: &str,
    (before, after): (Vec<Setting>, Vec<Setting>),
    cause: &str,
) -> Option<String> {
    (before != after).then(|| {
        let what = difference(&before, &after);
        format!("(service {name}) has its [{table}] changed: {what}. Cause: {cause}.")
    })
}

/// `max = 20, no cpu`.
fn difference(before: &[Setting], after: &[Setting]) -> String {
    let set = after.iter().filter(|setting| !before.contains(setting));
    let set = set.map(|(key, value)| format!("{key} = {value}"));
    let is_gone = |(key, _): &&Setting| after.iter().all(|(other, _)| other != key);
    let gone = before.iter().filter(is_gone).map(|(key, _)| format!("no {key}"));
    set.chain(gone).collect::<Vec<_>>().join(", ")
}

fn of_scaling(spec: &ScalingSpec) -> Vec<Setting> {
    let mut settings = vec![("min", spec.min.to_string()), ("max", spec.max.to_string())];
    let targets = spec.targets.iter();
    settings.extend(targets.map(|target| (target.signal.key(), target.value.to_string())));
    settings.push(("cooldown_in", show_duration(spec.cooldown_in)));
    settings.push(("cooldown_out", show_duration(spec.cooldown_out)));
    if let Some(idle) = spec.idle {
        settings.push(("idle", show_duration(idle.after)));
        settings.push(("wait", show_duration(idle.wait)));
    }
    settings
}

fn of_deployment(spec: &DeploymentSpec) -> Vec<Setting> {
    let mut settings = vec![("strategy", spec.strategy.as_str().to_owned())];
    match spec.strategy {
        Strategy::Rolling(Bounds {
            minimum_healthy,
            maximum,
        }) => {
            settings.push(("minimum_healthy", minimum_healthy.to_string()));
            settings.push(("maximum", maximum.to_string()));
        }
        Strategy::Canary { step } | Strategy::Linear { step } => settings.push(("step", step.to_string())),
        Strategy::Recreate => {}
    }
    settings.push(("bake", show_duration(spec.bake)));
    settings.push(("deadline", show_duration(spec.deadline)));
    settings.extend(
        spec.failed_tasks
            .map(|failed| ("failed_tasks", failed.to_string())),
    );
    settings.push(("rollback", (spec.on_failure == OnFailure::RollBack).to_string()));
    settings.push(("max_errors", spec.tolerance.max_errors.to_string()));
    settings.push(("min_requests", spec.tolerance.min_requests.to_string()));
    settings
}
