//! Tasks: listed, followed, stopped.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::deployments::Follow;
use crate::api::extract::{InNamespace, Json as Body, Named, Query};
use crate::api::stream::{Look, More, follow, ndjson};
use crate::api::types::{ErrorBody, StopTask, Task, TaskList};
use crate::api::{SharedApi, convert};
use crate::model::{self, TaskStatus};
use crate::names::{NamespaceName, TaskId};
use crate::refusal::Refusal;

/// Which tasks are listed.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct ListTasks {
    /// Of this service or job only.
    service: Option<String>,
    /// `running` (the default: all that are not stopped), `stopped` or `all`.
    #[serde(default)]
    #[param(inline)]
    status: Which,
}

/// Which tasks, by their state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Which {
    /// Those that are not stopped.
    #[default]
    Running,
    /// Those that are.
    Stopped,
    /// All that are known.
    All,
}

impl Which {
    fn holds(self, task: &model::Task) -> bool {
        match self {
            Self::All => true,
            Self::Running => task.status != TaskStatus::Stopped,
            Self::Stopped => task.status == TaskStatus::Stopped,
        }
    }
}

/// Tasks, newest first.
#[utoipa::path(get, path = "/v1/namespaces/{ns}/tasks", tag = "tasks",
    params(("ns" = String, Path, description = "The namespace"), ListTasks), responses(
    (status = 200, body = TaskList), (status = 404, body = ErrorBody)))]
pub(crate) async fn list(
    namespace: InNamespace,
    Query(query): Query<ListTasks>,
    State(api): State<SharedApi>,
) -> Result<Json<TaskList>, Refusal> {
    let registry = &api.orchestrator.registry;
    let tasks = registry.of_namespace(&namespace.name);
    let wanted = |task: &model::Task| {
        query.status.holds(task)
            && query
                .service
                .as_deref()
                .is_none_or(|service| task.group.name().as_str() == service)
    };
    let tasks = tasks.into_iter().rev().filter(wanted);
    Ok(Json(TaskList {
        tasks: tasks.map(|task| convert::task(registry, task)).collect(),
    }))
}

/// A task, or its course.
#[utoipa::path(get, path = "/v1/namespaces/{ns}/tasks/{name}", tag = "tasks",
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The task's id, or its beginning"), Follow),
    responses((status = 200, body = Task), (status = 404, body = ErrorBody)))]
pub(crate) async fn get(
    namespace: InNamespace,
    Named(text): Named,
    Query(Follow { follow: goes_on }): Query<Follow>,
    State(api): State<SharedApi>,
) -> Result<Response, Refusal> {
    let changes = api.orchestrator.registry.changes();
    let found = api.orchestrator.find_task(&namespace.name, &text)?;
    if !goes_on {
        return Ok(Json(convert::task(&api.orchestrator.registry, found)).into_response());
    }
    let looking = Looking {
        api: api.clone(),
        namespace: namespace.name,
        id: found.id,
    };
    let first = looking.look().await?;
    Ok(ndjson(follow(looking, changes, first), api.closing.clone()))
}

struct Looking {
    api: SharedApi,
    namespace: NamespaceName,
    id: TaskId,
}

#[async_trait::async_trait]
impl Look for Looking {
    type Value = Task;

    async fn look(&self) -> Result<(Task, More), Refusal> {
        let task = self
            .api
            .orchestrator
            .find_task(&self.namespace, self.id.as_str())?;
        let more = match task.status {
            TaskStatus::Stopped => More::Nothing,
            _ => More::ToCome,
        };
        Ok((convert::task(&self.api.orchestrator.registry, task), more))
    }
}

/// Stops a task; a service's is replaced.
#[utoipa::path(post, path = "/v1/namespaces/{ns}/tasks/{name}/stop", tag = "tasks", request_body = StopTask,
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The task's id, or its beginning")),
    responses((status = 202, body = Task), (status = 404, body = ErrorBody)))]
pub(crate) async fn stop(
    namespace: InNamespace,
    Named(text): Named,
    State(api): State<SharedApi>,
    Body(ask): Body<StopTask>,
) -> Result<(StatusCode, Json<Task>), Refusal> {
    let task = api
        .orchestrator
        .stop_task(&namespace.name, &text, ask.reason)
        .await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(convert::task(&api.orchestrator.registry, task)),
    ))
}
