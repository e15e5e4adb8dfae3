//! The stored form of a deployment. All that came after the first version has a default: what it was before.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Record, known};
use crate::manifest::{Bounds, DeploymentSpec, OnFailure, Strategy, Tolerance};
use crate::model::{Compared, Deployment, DeploymentId, Figures, Pace, RolloutState, Stage};
use crate::names::{NamespaceName, Revision, ServiceName};

/// A stored [`Deployment`].
#[derive(Debug, Serialize, Deserialize)]
pub struct StoredDeployment {
    id: String,
    namespace: NamespaceName,
    service: ServiceName,
    revision: Revision,
    #[serde(default)]
    before: Option<Revision>,
    #[serde(default)]
    spec: Option<StoredSpec>,
    state: String,
    reason: String,
    #[serde(default)]
    stage: Option<String>,
    #[serde(default)]
    share: u32,
    #[serde(default)]
    paused: bool,
    failed_tasks: u32,
    #[serde(default)]
    new: StoredFigures,
    #[serde(default)]
    old: StoredFigures,
    #[serde(default)]
    rollback_of: Option<String>,
    #[serde(default)]
    rolled_back_by: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(default)]
    stage_lasted_ms: u64,
    /// Once it was when the stage began: nothing of it was counted.
    #[serde(default, alias = "stage_began")]
    counted_at: Option<Timestamp>,
}

/// A stored [`DeploymentSpec`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredSpec {
    strategy: StoredStrategy,
    bake_ms: u64,
    deadline_ms: u64,
    failed_tasks: Option<u32>,
    rollback: bool,
    max_errors: u32,
    min_requests: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredStrategy {
    Rolling { minimum_healthy: u32, maximum: u32 },
    Canary { step: u32 },
    Linear { step: u32 },
    Recreate,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct StoredFigures {
    requests: u64,
    errors: u64,
    p99_us: Option<u64>,
    cpu_ms: u64,
}

impl Record for Deployment {
    type Stored = StoredDeployment;

    fn to_stored(&self) -> StoredDeployment {
        StoredDeployment {
            id: self.id.to_string(),
            namespace: self.namespace.clone(),
            service: self.service.clone(),
            revision: self.revision,
            before: self.before,
            spec: Some(store_spec(&self.spec)),
            state: self.state.to_string(),
            reason: self.reason.clone(),
            stage: Some(self.stage.to_string()),
            share: self.share,
            paused: self.pace == Pace::Paused,
            failed_tasks: self.failed_tasks,
            new: store_figures(self.figures.new),
            old: store_figures(self.figures.old),
            rollback_of: self.rollback_of.as_ref().map(ToString::to_string),
            rolled_back_by: self.rolled_back_by.as_ref().map(ToString::to_string),
            created_at: self.created_at,
            updated_at: self.updated_at,
            stage_lasted_ms: to_ms(self.stage_lasted),
            counted_at: Some(self.counted_at),
        }
    }

    fn from_stored(stored: StoredDeployment) -> Result<Self, String> {
        let stage = stored.stage.as_deref().unwrap_or(Stage::ScaleUp.as_str());
        Ok(Self {
            id: DeploymentId::from_text(&stored.id),
            namespace: stored.namespace,
            service: stored.service,
            revision: stored.revision,
            before: stored.before,
            spec: stored.spec.map(read_spec).unwrap_or_default(),
            state: known(&stored.state, RolloutState::from_text(&stored.state))?,
            reason: stored.reason,
            stage: known(stage, Stage::from_text(stage))?,
            share: stored.share,
            pace: if stored.paused { Pace::Paused } else { Pace::Going },
            failed_tasks: stored.failed_tasks,
            figures: Compared {
                new: read_figures(stored.new),
                old: read_figures(stored.old),
            },
            rollback_of: stored.rollback_of.as_deref().map(DeploymentId::from_text),
            rolled_back_by: stored.rolled_back_by.as_deref().map(DeploymentId::from_text),
            created_at: stored.created_at,
            updated_at: stored.updated_at,
            stage_lasted: Duration::from_millis(stored.stage_lasted_ms),
            counted_at: stored.counted_at.unwrap_or(stored.updated_at),
        })
    }
}

pub(super) fn store_spec(spec: &DeploymentSpec) -> StoredSpec {
    StoredSpec {
        strategy: match spec.strategy {
            Strategy::Rolling(Bounds {
                minimum_healthy,
                maximum,
            }) => StoredStrategy::Rolling {
                minimum_healthy,
                maximum,
            },
            Strategy::Canary { step } => StoredStrategy::Canary { step },
            Strategy::Linear { step } => StoredStrategy::Linear { step },
            Strategy::Recreate => StoredStrategy::Recreate,
        },
        bake_ms: to_ms(spec.bake),
        deadline_ms: to_ms(spec.deadline),
        failed_tasks: spec.failed_tasks,
        rollback: spec.on_failure == OnFailure::RollBack,
        max_errors: spec.tolerance.max_errors,
        min_requests: spec.tolerance.min_requests,
    }
}

fn to_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn read_spec(stored: StoredSpec) -> DeploymentSpec {
    DeploymentSpec {
        strategy: match stored.strategy {
            StoredStrategy::Rolling {
                minimum_healthy,
                maximum,
            } => Strategy::Rolling(Bounds {
                minimum_healthy,
                maximum,
            }),
            StoredStrategy::Canary { step } => Strategy::Canary { step },
            StoredStrategy::Linear { step } => Strategy::Linear { step },
            StoredStrategy::Recreate => Strategy::Recreate,
        },
        bake: Duration::from_millis(stored.bake_ms),
        deadline: Duration::from_millis(stored.deadline_ms),
        failed_tasks: stored.failed_tasks,
        on_failure: if stored.rollback {
            OnFailure::RollBack
        } else {
            OnFailure::Halt
        },
        tolerance: Tolerance {
            max_errors: stored.max_errors,
            min_requests: stored.min_requests,
        },
    }
}

fn store_figures(figures: Figures) -> StoredFigures {
    let Figures {
        requests,
        errors,
        p99_us,
        cpu_ms,
    } = figures;
    StoredFigures {
        requests,
        errors,
        p99_us,
        cpu_ms,
    }
}

fn read_figures(stored: StoredFigures) -> Figures {
    let StoredFigures {
        requests,
        errors,
        p99_us,
        cpu_ms,
    } = stored;
    Figures {
        requests,
        errors,
        p99_us,
        cpu_ms,
    }
}
