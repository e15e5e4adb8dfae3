//! The host's capacity.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use wharf_runtime::Amount;

use crate::api::SharedApi;
use crate::api::extract::{Caller, Query};
use crate::api::types::{Capacity, ErrorBody, Holder, PendingTask, Resources};
use crate::model;
use crate::orchestrator::{self, HolderKind};
use crate::refusal::Refusal;

/// Whose parts of the host are told apart.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Which {
    /// `service` (the default: a service's or job's tasks together) or `task`.
    #[serde(default)]
    #[param(inline)]
    by: By,
}

/// Whose parts are told apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum By {
    /// Services and jobs.
    #[default]
    Service,
    /// Tasks.
    Task,
}

/// What the host has, who holds it, and who waits. A namespace's token sees the host's sums, and holders and tasks of its
/// own namespace.
#[utoipa::path(get, path = "/v1/capacity", tag = "capacity", params(Which), responses(
    (status = 200, body = Capacity), (status = 401, body = ErrorBody)))]
pub(crate) async fn get(
    Caller(caller): Caller,
    Query(Which { by }): Query<Which>,
    State(api): State<SharedApi>,
) -> Result<Json<Capacity>, Refusal> {
    let by = match by {
        By::Service => HolderKind::Group,
        By::Task => HolderKind::Task,
    };
    let report = api
        .orchestrator
        .capacity(by, |namespace| caller.may_use(namespace))
        .await;
    Ok(Json(Capacity {
        host: resources(report.host.host),
        limit: resources(report.host.limit),
        reserved: resources(report.host.reserved),
        used: resources(report.used),
        holders: report.holders.into_iter().map(holder).collect(),
        holders_in_all: report.holders_in_all,
        pending: report.waiting.into_iter().map(pending).collect(),
        pending_in_all: report.waiting_in_all,
    }))
}

fn resources(amount: Amount) -> Resources {
    Resources {
        cpu: amount.cpu,
        memory_bytes: amount.memory,
    }
}

fn holder(holder: orchestrator::Holder) -> Holder {
    Holder {
        namespace: holder.namespace.to_string(),
        group: holder.group.to_string(),
        task_id: holder.task.map(|id| id.to_string()),
        tasks: holder.tasks,
        reserved: resources(holder.reserved),
        used: resources(holder.used),
    }
}

fn pending(task: model::Task) -> PendingTask {
    PendingTask {
        task_id: task.id.to_string(),
        namespace: task.namespace.to_string(),
        group: task.group.to_string(),
        wants: Resources {
            cpu: task.cpu.into(),
            memory_bytes: task.memory,
        },
        reason: task.reason,
        created_at: task.created_at,
    }
}
