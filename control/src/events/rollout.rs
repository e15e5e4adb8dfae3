//! What events say of deployments, in ECS's words where ECS has them.

use crate::model::{Deployment, Pace, RolloutState};

use super::Word;

impl Deployment {
    /// What is told of it with a change.
    pub fn word(&self, message: String) -> Word {
        Word::new(&self.namespace, &self.service, message)
    }
}

/// It begins, or goes on after a restart.
pub fn begins(deployment: &Deployment) -> String {
    let Deployment { reason, stage, .. } = deployment;
    format!("{} {reason}: {stage}.", who(deployment))
}

/// It came from where `was` is to another stage, or shifted the share of the requests.
pub fn advanced(was: &Deployment, now: &Deployment) -> Vec<String> {
    let Deployment {
        service,
        revision,
        stage,
        share,
        ..
    } = now;
    let is_in = (was.stage != *stage).then(|| format!("{} is in stage {stage}.", who(now)));
    let shifted = was.share != *share && now.spec.strategy.shifts();
    let shifted = shifted.then(|| {
        format!(
            "{} has shifted {share} % of the requests to {service}:{revision}.",
            who(now)
        )
    });
    is_in.into_iter().chain(shifted).collect()
}

/// What became of `was`, as a person had it, or a deployment that takes its place; none if that is nothing to tell.
pub fn changed(was: &Deployment, now: &Deployment) -> Option<String> {
    let Deployment { reason, stage, .. } = now;
    let what = match (now.state, was.pace, now.pace) {
        (RolloutState::Superseded, ..) => format!("was {reason}."),
        (RolloutState::Aborted, ..) => format!("deployment aborted: {reason}."),
        (RolloutState::InProgress, Pace::Going, Pace::Paused) => format!("deployment paused in {stage}."),
        (RolloutState::InProgress, Pace::Paused, Pace::Going) => {
            format!("deployment continues with {stage}.")
        }
        _ => return None,
    };
    Some(format!("{} {what}", who(now)))
}

/// It was completed.
pub fn completed(deployment: &Deployment) -> String {
    format!("{} deployment completed.", who(deployment))
}

/// Why it failed, what comes of it, and what its last task wrote.
pub fn failed(deployment: &Deployment, lines: &[String]) -> String {
    let (service, reason) = (&deployment.service, &deployment.reason);
    let next = match (&deployment.rolled_back_by, deployment.before) {
        (Some(back), Some(before)) => {
            format!(" Rolling back to {service}:{before} with (deployment {back}).")
        }
        _ => String::new(),
    };
    let head = format!("{} deployment failed: {reason}.{next}", who(deployment));
    match lines.is_empty() {
        true => head,
        // One line: a terminal is not given line breaks that came from elsewhere.
        false => format!("{head} The last lines of its task: {}", lines.join(" | ")),
    }
}

fn who(deployment: &Deployment) -> String {
    format!("(service {}) (deployment {})", deployment.service, deployment.id)
}
