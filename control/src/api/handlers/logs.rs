//! What tasks wrote and what happened, as it is and as it comes.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use futures_util::{Stream, StreamExt as _, stream};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::watch;
use utoipa::IntoParams;
use wharf_runtime::LogStream as Written;

use crate::api::extract::{InNamespace, Named, Query};
use crate::api::stream::ndjson;
use crate::api::types::{ErrorBody, Event, LogLine, LogStream};
use crate::api::{Api, SharedApi};
use crate::events::EventQuery;
use crate::logs::{LogQuery, LogReader, LogRecord, Logs};
use crate::model::TaskStatus;
use crate::names::{NamespaceName, ServiceName, TaskId};
use crate::refusal::Refusal;
use crate::tasks::Registry;

/// Which lines are wanted.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct WantedLogs {
    /// Of this task only; its id, or its beginning.
    task: Option<String>,
    /// Not those before.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// The last so many of what is there.
    tail: Option<usize>,
    /// Goes on with what comes. A task's log ends when it has stopped.
    #[serde(default)]
    follow: bool,
}

/// What the tasks of a service or a job wrote.
#[utoipa::path(get, path = "/v1/namespaces/{ns}/logs/{name}", tag = "logs",
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "A service or a job's family"), WantedLogs),
    responses((status = 200, body = LogLine, content_type = "application/x-ndjson"), (status = 404, body = ErrorBody)))]
pub(crate) async fn logs(
    namespace: InNamespace,
    name: Named,
    Query(wanted): Query<WantedLogs>,
    State(api): State<SharedApi>,
) -> Result<Response, Refusal> {
    let (ns, name): (_, ServiceName) = (&namespace.name, name.parse()?);
    let orchestrator = &api.orchestrator;
    orchestrator.check_known(ns, &name).await?;
    let WantedLogs {
        task,
        since,
        tail,
        follow,
    } = wanted;
    let task = match task {
        Some(text) => Some(orchestrator.find_task(ns, &text)?.id),
        None => None,
    };
    let query = LogQuery {
        task: task.clone(),
        since,
        tail,
        follow,
    };
    let reader = orchestrator.logs.read(ns, &name, query);
    let following = task.filter(|_| follow).map(|task| Until {
        changes: orchestrator.registry.changes(),
        registry: orchestrator.registry.clone(),
        logs: orchestrator.logs.clone(),
        task,
    });
    let lines = batches(reader, following).flat_map(|batch| stream::iter(batch.into_iter().map(line)));
    Ok(ndjson(lines, api.closing.clone()))
}

/// Followed until a task has stopped.
struct Until {
    changes: watch::Receiver<u64>,
    registry: Arc<Registry>,
    logs: Logs,
    task: TaskId,
}

impl Until {
    /// Resolves when the task has stopped and all it wrote can be read.
    async fn stopped(&mut self) {
        loop {
            let task = self.registry.task(&self.task);
            if task.is_none_or(|task| task.status == TaskStatus::Stopped) {
                break;
            }
            if self.changes.changed().await.is_err() {
                break;
            }
        }
        // Without its writer the log has no more to give.
        let _ = self.logs.flush().await;
    }
}

/// The lines as they are read, in batches; those that can't be read end it.
fn batches(reader: LogReader, until: Option<Until>) -> impl Stream<Item = Vec<LogRecord>> + Send + 'static {
    stream::unfold((reader, until), |(mut reader, mut until)| async move {
        loop {
            let Some(waiting) = &mut until else {
                let batch = reader.next().await.ok()??;
                return Some((batch, (reader, until)));
            };
            tokio::select! {
                batch = reader.next() => return Some((batch.ok()??, (reader, until))),
                () = waiting.stopped() => {
                    reader.stop_following();
                    until = None;
                }
            }
        }
    })
}

fn line(record: LogRecord) -> LogLine {
    LogLine {
        time: record.time,
        task_id: record.task.to_string(),
        stream: match record.stream {
            Written::Stdout => LogStream::Stdout,
            Written::Stderr => LogStream::Stderr,
            Written::System => LogStream::System,
        },
        message: record.line,
        cut: record.cut,
    }
}

/// Which events are wanted.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct WantedEvents {
    /// Of this service or job only.
    service: Option<String>,
    /// Not those before.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Goes on with what comes.
    #[serde(default)]
    follow: bool,
}

/// What happened, oldest first.
#[utoipa::path(get, path = "/v1/namespaces/{ns}/events", tag = "logs",
    params(("ns" = String, Path, description = "The namespace"), WantedEvents),
    responses((status = 200, body = Event, content_type = "application/x-ndjson"), (status = 404, body = ErrorBody)))]
pub(crate) async fn events(
    namespace: InNamespace,
    Query(wanted): Query<WantedEvents>,
    State(api): State<SharedApi>,
) -> Result<Response, Refusal> {
    let service: Option<ServiceName> = wanted.service.map(|name| Named(name).parse()).transpose()?;
    if let Some(name) = &service {
        api.orchestrator.check_known(&namespace.name, name).await?;
    }
    let query = EventQuery {
        service,
        since: wanted.since,
    };
    let log = &api.orchestrator.events;
    // What was said before this request is part of its answer.
    log.flush().await;
    if !wanted.follow {
        let events = log.list(&namespace.name, &query).await?;
        return Ok(ndjson(
            stream::iter(events.into_iter().map(event)),
            api.closing.clone(),
        ));
    }
    let followed = log.follow(namespace.name, query);
    // When the store fails the answer ends; there is no other way left to say so.
    let events = followed.take_while(|found| std::future::ready(found.is_ok()));
    let events = events.filter_map(|found| std::future::ready(found.ok().map(event)));
    Ok(ndjson(events, api.closing.clone()))
}

/// A service's latest events, newest first.
pub(super) async fn latest_events(
    api: &Api,
    namespace: &NamespaceName,
    service: &ServiceName,
    count: usize,
) -> Result<Vec<Event>, Refusal> {
    let query = EventQuery {
        service: Some(service.clone()),
        since: None,
    };
    api.orchestrator.events.flush().await;
    let events = api.orchestrator.events.list(namespace, &query).await?;
    Ok(events.into_iter().rev().take(count).map(event).collect())
}

fn event(event: crate::events::Event) -> Event {
    Event {
        created_at: event.created_at,
        service: event.service.to_string(),
        message: event.message,
    }
}
