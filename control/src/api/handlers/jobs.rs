//! Jobs: run, deployed with a schedule, paused, cancelled, forgotten.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;

use super::deployments::{Follow, digest};
use crate::api::convert;
use crate::api::convert::jobs::Beside;
use crate::api::extract::{InNamespace, Json as Body, Named, Numbered, Query};
use crate::api::stream::{Look, More, follow, ndjson};
use crate::api::types::{
    CancelRun, CreateDeployment, ErrorBody, Job, JobDescription, JobList, Run, RunJob, UpdateJob,
};
use crate::api::{Api, SharedApi};
use crate::model::{self, Group, RunNumber};
use crate::names::{Family, NamespaceName};
use crate::orchestrator::{NewDeployment, NewRun, Scheduled, What};
use crate::refusal::{Kind, Refusal};

/// Events that a description shows.
const EVENTS_SHOWN: usize = 20;

/// Runs a job; its run is recorded.
#[utoipa::path(post, path = "/v1/namespaces/{ns}/runs", tag = "jobs", request_body = RunJob,
    params(("ns" = String, Path, description = "The namespace")), responses(
    (status = 201, body = Run), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 422, body = ErrorBody)))]
pub(crate) async fn run(
    namespace: InNamespace,
    State(api): State<SharedApi>,
    Body(ask): Body<RunJob>,
) -> Result<(StatusCode, Json<Run>), Refusal> {
    let what = match (ask.task_definition, ask.bundle, ask.manifest) {
        (Some(definition), None, None) => What::Definition(definition),
        (None, Some(bundle), Some(manifest)) => What::Bundle {
            bundle: digest(&bundle, "bundle")?,
            manifest,
        },
        _ => {
            let message = "say either taskDefinition, or bundle and manifest";
            return Err(Refusal::new(Kind::Malformed, "InvalidBody", message));
        }
    };
    let ask = NewRun {
        what,
        overrides: convert::overrides(ask.overrides),
        count: ask.count,
    };
    let run = api.orchestrator.run(&namespace.name, ask).await?;
    Ok((StatusCode::CREATED, Json(shown(&api, &run))))
}

/// Has a job run by the schedule of its manifest.
#[utoipa::path(put, path = "/v1/namespaces/{ns}/jobs/{name}", tag = "jobs", request_body = CreateDeployment,
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The job, as its manifest names it")),
    responses((status = 201, body = Job), (status = 200, body = Job, description = "Unchanged"),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn put(
    namespace: InNamespace,
    name: Named,
    State(api): State<SharedApi>,
    Body(ask): Body<CreateDeployment>,
) -> Result<(StatusCode, Json<Job>), Refusal> {
    let name: Family = name.parse()?;
    if ask.manifest.get("name").and_then(|said| said.as_str()) != Some(name.as_str()) {
        let message = format!("the manifest's name is not `{name}`, as the path has it");
        return Err(Refusal::unprocessable("NameMismatch", message).field("manifest.name"));
    }
    let ask = NewDeployment {
        bundle: digest(&ask.bundle, "bundle")?,
        manifest: ask.manifest,
    };
    let (status, job) = match api.orchestrator.deploy_job(&namespace.name, ask).await? {
        Scheduled::New(job) => (StatusCode::CREATED, job),
        Scheduled::Unchanged(job) => (StatusCode::OK, job),
    };
    let runs = api.orchestrator.runs(&namespace.name, &job.name).await?;
    let mut wire = summarise(&api, &job, &runs).await;
    wire.unchanged = status == StatusCode::OK;
    Ok((status, Json(wire)))
}

/// A namespace's jobs.
#[utoipa::path(get, path = "/v1/namespaces/{ns}/jobs", tag = "jobs",
    params(("ns" = String, Path, description = "The namespace")), responses(
    (status = 200, body = JobList), (status = 404, body = ErrorBody)))]
pub(crate) async fn list(
    namespace: InNamespace,
    State(api): State<SharedApi>,
) -> Result<Json<JobList>, Refusal> {
    let mut jobs = Vec::new();
    for job in api.orchestrator.jobs(&namespace.name).await? {
        let runs = api.orchestrator.runs(&namespace.name, &job.name).await?;
        jobs.push(summarise(&api, &job, &runs).await);
    }
    Ok(Json(JobList { jobs }))
}

/// A job with its runs and events.
#[utoipa::path(get, path = "/v1/namespaces/{ns}/jobs/{name}", tag = "jobs",
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The job")),
    responses((status = 200, body = JobDescription), (status = 404, body = ErrorBody)))]
pub(crate) async fn get(
    namespace: InNamespace,
    name: Named,
    State(api): State<SharedApi>,
) -> Result<Json<JobDescription>, Refusal> {
    let (orchestrator, ns) = (&api.orchestrator, &namespace.name);
    let job = orchestrator.job(ns, &name.parse()?).await?;
    let runs = orchestrator.runs(ns, &job.name).await?;
    let tasks = orchestrator.registry.of_group(&group(&job.namespace, &job.name));
    let shown = runs
        .iter()
        .rev()
        .map(|run| convert::jobs::run(&orchestrator.registry, run, &tasks));
    Ok(Json(JobDescription {
        runs: shown.collect(),
        events: super::logs::latest_events(&api, ns, &job.name, EVENTS_SHOWN).await?,
        job: summarise(&api, &job, &runs).await,
    }))
}

/// Suspends a job's schedule, or has it go on.
#[utoipa::path(patch, path = "/v1/namespaces/{ns}/jobs/{name}", tag = "jobs", request_body = UpdateJob,
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The job")),
    responses((status = 200, body = Job), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn update(
    namespace: InNamespace,
    name: Named,
    State(api): State<SharedApi>,
    Body(ask): Body<UpdateJob>,
) -> Result<Json<Job>, Refusal> {
    let status = convert::jobs::schedule_status(ask.status);
    let job = api
        .orchestrator
        .set_schedule(&namespace.name, &name.parse()?, status)
        .await?;
    let runs = api.orchestrator.runs(&namespace.name, &job.name).await?;
    Ok(Json(summarise(&api, &job, &runs).await))
}

/// Forgets a job: its schedule, its definitions, its runs with their tasks, its logs and events.
#[utoipa::path(delete, path = "/v1/namespaces/{ns}/jobs/{name}", tag = "jobs",
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The job")),
    responses((status = 204), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn delete(
    namespace: InNamespace,
    name: Named,
    State(api): State<SharedApi>,
) -> Result<StatusCode, Refusal> {
    api.orchestrator
        .delete_job(&namespace.name, &name.parse()?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A run, or its course.
#[utoipa::path(get, path = "/v1/namespaces/{ns}/jobs/{name}/runs/{number}", tag = "jobs",
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The job"),
    ("number" = u64, Path, description = "The run's number"), Follow),
    responses((status = 200, body = Run), (status = 404, body = ErrorBody)))]
pub(crate) async fn get_run(
    namespace: InNamespace,
    name: Named,
    Numbered(number): Numbered,
    Query(Follow { follow: goes_on }): Query<Follow>,
    State(api): State<SharedApi>,
) -> Result<Response, Refusal> {
    let changes = api.orchestrator.registry.changes();
    let looking = Looking {
        api: api.clone(),
        namespace: namespace.name,
        job: name.parse()?,
        number: RunNumber(number),
    };
    let first = looking.look().await?;
    if !goes_on {
        return Ok(Json(first.0).into_response());
    }
    Ok(ndjson(follow(looking, changes, first), api.closing.clone()))
}

struct Looking {
    api: SharedApi,
    namespace: NamespaceName,
    job: Family,
    number: RunNumber,
}

#[async_trait::async_trait]
impl Look for Looking {
    type Value = Run;

    async fn look(&self) -> Result<(Run, More), Refusal> {
        let orchestrator = &self.api.orchestrator;
        let run = orchestrator
            .find_run(&self.namespace, &self.job, self.number)
            .await?;
        let more = match run.is_over() {
            true => More::Nothing,
            false => More::ToCome,
        };
        Ok((shown(&self.api, &run), more))
    }
}

/// Ends a run before it is done.
#[utoipa::path(post, path = "/v1/namespaces/{ns}/jobs/{name}/runs/{number}/cancel", tag = "jobs", request_body = CancelRun,
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The job"),
    ("number" = u64, Path, description = "The run's number")),
    responses((status = 202, body = Run), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn cancel_run(
    namespace: InNamespace,
    name: Named,
    Numbered(number): Numbered,
    State(api): State<SharedApi>,
    Body(ask): Body<CancelRun>,
) -> Result<(StatusCode, Json<Run>), Refusal> {
    let run = api
        .orchestrator
        .cancel_run(&namespace.name, &name.parse()?, RunNumber(number), ask.reason)
        .await?;
    Ok((StatusCode::ACCEPTED, Json(shown(&api, &run))))
}

fn group(namespace: &NamespaceName, job: &Family) -> (NamespaceName, Group) {
    (namespace.clone(), Group::Job(job.clone()))
}

fn shown(api: &Api, run: &model::Run) -> Run {
    let registry = &api.orchestrator.registry;
    convert::jobs::run(
        registry,
        run,
        &registry.of_group(&group(&run.namespace, &run.job)),
    )
}

async fn summarise(api: &Api, job: &model::Job, runs: &[model::Run]) -> Job {
    let beside = Beside {
        runs,
        spec: api.orchestrator.schedule_of(job).await,
        now: api.orchestrator.clock.now(),
    };
    convert::jobs::job(job, &beside)
}
