//! `wharf scale`, `wharf stop` and `wharf delete`.

use std::time::Duration;

use anyhow::{Result, bail};
use http::Method;
use tokio::time::{Instant, MissedTickBehavior, interval};
use wharf_control::api::types::{Service, ServiceDescription, StopTask, Task, TaskStatus, UpdateService};

use crate::api::Api;
use crate::args::{self, Output};
use crate::output;

/// How long `delete` looks on: longer than any `stop_timeout` that makes sense at a prompt.
const DELETE_PATIENCE: Duration = Duration::from_secs(120);
/// How often `delete` looks.
const DELETE_LOOK: Duration = Duration::from_millis(200);

/// Change a service's count.
pub(crate) async fn scale(api: &Api, args: &args::Scale) -> Result<()> {
    let update = UpdateService {
        desired_count: args.count,
    };
    let service: Service = api
        .send(Method::PATCH, &api.path(&["services", &args.name]), &update)
        .await?;
    output::answer(args.client.output, &service, |service| {
        let mut said = format!(
            "{}: {} desired, {} running; `wharf ps {0}` shows how it goes",
            service.service_name, service.desired_count, service.running_count
        );
        if let Some(scaling) = &service.scaling {
            said.push_str(&format!(
                "; it goes on by load from there, within {} to {}",
                scaling.min_capacity, scaling.max_capacity
            ));
        }
        said
    })?;
    Ok(())
}

/// Stop one task.
pub(crate) async fn stop(api: &Api, args: &args::Stop) -> Result<()> {
    let body = StopTask {
        reason: args.reason.clone(),
    };
    let task: Task = api
        .send(Method::POST, &api.path(&["tasks", &args.task, "stop"]), &body)
        .await?;
    output::answer(args.client.output, &task, |task| match task.last_status {
        TaskStatus::Stopped => format!("{}: stopped", task.short_id),
        _ => format!("{}: stopping; `wharf ps` shows how it goes", task.short_id),
    })?;
    Ok(())
}

/// Delete a service and wait until it is gone.
pub(crate) async fn delete(api: &Api, args: &args::Delete) -> Result<()> {
    let path = api.path(&["services", &args.name]);
    let service: Service = match api.delete_begun(&path).await {
        Ok(service) => service,
        Err(error) if error.is_not_found() => {
            // A job is not a service.
            let job = api.delete(&api.path(&["jobs", &args.name])).await;
            return match job {
                Ok(()) => Ok(output::done(args.client.output, &args.name, "deleted")?),
                Err(no_job) if no_job.is_not_found() => Err(error.into()),
                Err(other) => Err(other.into()),
            };
        }
        Err(error) => return Err(error.into()),
    };
    let deadline = Instant::now() + DELETE_PATIENCE;
    let mut look = interval(DELETE_LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        match api.get::<ServiceDescription>(&path).await {
            Err(error) if error.is_not_found() => break,
            Err(error) => return Err(error.into()),
            Ok(_) if Instant::now() < deadline => {}
            Ok(left) => bail!(
                "{} is being deleted and still has {} running tasks after {} s: `wharf ps {0}` shows what they do",
                args.name,
                left.service.running_count,
                DELETE_PATIENCE.as_secs()
            ),
        }
    }
    // Programs that read JSON get it without words.
    let job_stays =
        args.client.output == Output::Table && api.exists(&api.path(&["jobs", &args.name])).await?;
    output::answer(args.client.output, &service, |service| match job_stays {
        true => format!("{}: deleted", service.service_name),
        false => format!("{}: deleted, with its log and its data", service.service_name),
    })?;
    if job_stays {
        output::remark(&format!(
            "the job `{0}` stays, with the definitions, the log, the events and the data: `wharf delete {0}` once more \
             deletes it",
            args.name
        ));
    }
    Ok(())
}
