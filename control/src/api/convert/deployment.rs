//! A deployment's record, and what is seen of it now.

use super::Counts;
use crate::api::types as wire;
use crate::model::{Deployment, Figures, Pace, RolloutState, Stage};
use crate::names::Revision;
use crate::orchestrator::ServiceChange;
use crate::tasks::registry::Progress;

/// What a deployment is seen with besides its record.
#[derive(Debug, Clone, Default)]
pub(in crate::api) struct Seen {
    pub(in crate::api) desired: u32,
    pub(in crate::api) counts: Counts,
    pub(in crate::api) progress: Option<Progress>,
    pub(in crate::api) urls: Vec<String>,
}

pub(in crate::api) fn deployment(deployment: &Deployment, seen: Seen) -> wire::Deployment {
    let Seen {
        desired,
        counts,
        progress,
        urls,
    } = seen;
    let progress = progress.filter(|_| deployment.state == RolloutState::InProgress);
    let failed_tasks = progress
        .as_ref()
        .map_or(deployment.failed_tasks, |progress| progress.failed_tasks);
    let compared = progress
        .as_ref()
        .map_or(deployment.figures, |progress| progress.figures);
    let note = progress
        .map(|progress| progress.note)
        .filter(|note| !note.is_empty());
    let weight =
        |share: u32| (deployment.spec.strategy.shifts() && deployment.before.is_some()).then_some(share);
    let of = |revision: Revision, share: u32, figures: Figures| wire::RevisionFigures {
        task_definition: format!("{}:{revision}", deployment.service),
        weight: weight(share),
        requests: figures.requests,
        errors: figures.errors,
        p99_ms: figures.p99_us.map(|us| us as f64 / 1000.0),
        cpu_used_ms: figures.cpu_ms,
    };
    let share = deployment.share.min(100);
    wire::Deployment {
        id: deployment.id.to_string(),
        service_name: deployment.service.to_string(),
        task_definition: format!("{}:{}", deployment.service, deployment.revision),
        unchanged: false,
        changes: Vec::new(),
        rollout_state: state(deployment.state),
        rollout_state_reason: note.unwrap_or_else(|| deployment.reason.clone()),
        strategy: deployment.spec.strategy.as_str().to_owned(),
        stage: stage(deployment.stage),
        paused: deployment.pace == Pace::Paused,
        figures: of(deployment.revision, share, compared.new),
        replaces: deployment
            .before
            .map(|before| of(before, 100 - share, compared.old)),
        rollback_of: deployment.rollback_of.as_ref().map(ToString::to_string),
        rolled_back_by: deployment.rolled_back_by.as_ref().map(ToString::to_string),
        desired_count: desired,
        pending_count: counts.pending,
        running_count: counts.running,
        healthy_count: counts.healthy,
        failed_tasks,
        created_at: deployment.created_at,
        updated_at: deployment.updated_at,
        urls,
    }
}

pub(in crate::api) fn change(change: ServiceChange) -> wire::ServiceChange {
    let (what, from, to) = match change {
        ServiceChange::Count { from, to } => (wire::ChangedPart::DesiredCount, Some(from), Some(to)),
        ServiceChange::Scaling => (wire::ChangedPart::Scaling, None, None),
        ServiceChange::Deployment => (wire::ChangedPart::Deployment, None, None),
    };
    wire::ServiceChange { what, from, to }
}

fn state(state: RolloutState) -> wire::RolloutState {
    match state {
        RolloutState::InProgress => wire::RolloutState::InProgress,
        RolloutState::Completed => wire::RolloutState::Completed,
        RolloutState::Failed => wire::RolloutState::Failed,
        RolloutState::Aborted => wire::RolloutState::Aborted,
        RolloutState::Superseded => wire::RolloutState::Superseded,
    }
}

fn stage(stage: Stage) -> wire::RolloutStage {
    match stage {
        Stage::ScaleDown => wire::RolloutStage::ScaleDown,
        Stage::ScaleUp => wire::RolloutStage::ScaleUp,
        Stage::Bake => wire::RolloutStage::BakeTime,
        Stage::CleanUp => wire::RolloutStage::CleanUp,
    }
}
