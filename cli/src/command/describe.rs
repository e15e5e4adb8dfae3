//! `wharf describe KIND NAME`: all there is to say, as paragraphs of `name: value` lines and tables.

mod definition;
mod deployment;
mod job;
mod routing;

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wharf_control::api::types::{Event, Scaling, Service, ServiceDescription, Task, TaskOverrides};

use super::lists::tasks_table;
use crate::api::{Api, escape};
use crate::args::{self, Kind, RunName};
use crate::exit::Usage;
use crate::output::{self, bytes, cpu_time, harmless, name};

/// Describe one thing.
pub(crate) async fn describe(api: &Api, args: &args::Describe) -> Result<()> {
    let part = |collection| api.path(&[collection, &args.name]);
    match args.kind {
        Kind::Service => show(api, args, &part("services"), service_description).await,
        Kind::Job => show(api, args, &part("jobs"), job::job).await,
        Kind::Run => show(api, args, &run_path(api, &args.name)?, job::run).await,
        Kind::Task => show(api, args, &part("tasks"), task).await,
        Kind::Deployment => show(api, args, &part("deployments"), deployment::text).await,
        Kind::TaskDefinition => show(api, args, &part("task-definitions"), definition::text).await,
        Kind::Route => show(api, args, &part("routes"), routing::route).await,
        Kind::Listener => {
            let path = format!("/v1/listeners/{}", escape(&args.name));
            show(api, args, &path, routing::listener).await
        }
        Kind::TargetGroup => show(api, args, &part("target-groups"), routing::target_group).await,
    }
}

async fn show<T: Serialize + DeserializeOwned>(
    api: &Api,
    args: &args::Describe,
    path: &str,
    text: fn(&T) -> String,
) -> Result<()> {
    let value = api.get(path).await?;
    Ok(output::answer(args.client.output, &value, text)?)
}

/// `name: value` lines, the values in one column; empty ones are left out.
fn fields(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 2;
    let shown = lines.iter().filter(|(_, value)| !value.is_empty());
    shown
        .map(|(name, value)| format!("{:width$}{value}", format!("{name}:")))
        .collect::<Vec<_>>()
        .join("\n")
}

fn service_description(all: &ServiceDescription) -> String {
    let mut text = fields(&service_fields(&all.service));
    if !all.deployments.is_empty() {
        text.push_str(&format!(
            "\n\nDeployments\n{}",
            deployment::table(&all.deployments)
        ));
    }
    if !all.tasks.is_empty() {
        text.push_str(&format!("\n\nTasks\n{}", tasks_table(&all.tasks)));
    }
    text.push_str(&events(&all.events));
    text
}

/// The paragraph of what happened; nothing where nothing did.
fn events(events: &[Event]) -> String {
    if events.is_empty() {
        return String::new();
    }
    let lines = events.iter().map(|event| {
        format!(
            "\n{:>5} ago  {}",
            output::age(event.created_at),
            harmless(&event.message)
        )
    });
    format!("\n\nEvents{}", lines.collect::<String>())
}

/// The path of a run that is named as it is shown: `report/17`.
fn run_path(api: &Api, name: &str) -> Result<String> {
    let name: RunName = name.parse().map_err(Usage)?;
    let Some(number) = name.number else {
        return Err(Usage(format!(
            "write JOB/NUMBER; `wharf describe job {}` shows the runs",
            name.job
        ))
        .into());
    };
    Ok(api.path(&["jobs", name.job.as_str(), "runs", &number.to_string()]))
}

fn service_fields(service: &Service) -> Vec<(&'static str, String)> {
    vec![
        ("Service", service.service_name.clone()),
        ("Namespace", service.namespace.clone()),
        ("Status", name(&service.status)),
        ("Kind", name(&service.kind)),
        (
            "Runs",
            service
                .task_definition
                .clone()
                .unwrap_or_else(|| "nothing: no deployment has completed".to_owned()),
        ),
        (
            "Tasks",
            format!(
                "{} desired, {} running, {} healthy, {} pending",
                service.desired_count, service.running_count, service.healthy_count, service.pending_count
            ),
        ),
        (
            "Scaling",
            service.scaling.as_ref().map(scaling).unwrap_or_default(),
        ),
        ("Scaled", last_activity(service)),
        ("URL", service.urls.join(" ")),
        ("Created", output::time(service.created_at)),
    ]
}

/// `1 to 10 tasks; requests 42.5 (target 10)`.
fn scaling(scaling: &Scaling) -> String {
    let mut text = format!("{} to {} tasks", scaling.min_capacity, scaling.max_capacity);
    if scaling.asleep {
        text.push_str("; asleep, the first request wakes it");
    }
    for target in &scaling.targets {
        let current = target
            .current_value
            .map_or("-".to_owned(), |value| value.to_string());
        let share = if matches!(target.signal.as_str(), "cpu" | "memory") {
            " %"
        } else {
            ""
        };
        text.push_str(&format!(
            "; {} {current}{share} (target {}{share})",
            target.signal, target.target_value
        ));
    }
    text
}

fn last_activity(service: &Service) -> String {
    let activity = service
        .scaling
        .as_ref()
        .and_then(|scaling| scaling.last_activity.as_ref());
    activity.map_or(String::new(), |activity| {
        let (ago, cause) = (output::age(activity.at), harmless(&activity.cause));
        format!(
            "from {} to {} tasks {ago} ago: {cause}",
            activity.from, activity.to
        )
    })
}

/// `NAME=value` of each.
fn pairs(map: &BTreeMap<String, String>) -> String {
    let each = map
        .iter()
        .map(|(name, value)| format!("{name}={}", harmless(value)));
    each.collect::<Vec<_>>().join(" ")
}

/// What a run changes over its definition, as it would be typed.
fn overrides(overrides: &TaskOverrides) -> String {
    let TaskOverrides {
        args,
        environment,
        secrets,
        cpu,
        memory_bytes,
    } = overrides;
    let named = |option: &'static str, map: &BTreeMap<String, String>| {
        let each = map
            .iter()
            .map(move |(name, value)| format!("--{option} {name}={}", harmless(value)));
        each.collect::<Vec<_>>()
    };
    let mut words = named("env", environment);
    words.extend(named("secret", secrets));
    words.extend(cpu.map(|cpu| format!("--cpu {cpu}")));
    words.extend(memory_bytes.map(|memory| format!("--memory {}", bytes(memory))));
    words.extend(
        args.as_ref()
            .map(|args| format!("-- {}", harmless(&args.join(" ")))),
    );
    words.join(" ")
}

/// `report/17, task 0, attempt 2`.
fn task_place(task: &Task) -> String {
    match (&task.run, task.index, task.attempt) {
        (Some(run), Some(index), Some(attempt)) => format!("{run}, task {index}, attempt {attempt}"),
        _ => String::new(),
    }
}

fn task(task: &Task) -> String {
    let time = |time: Option<jiff::Timestamp>| time.map(output::time).unwrap_or_default();
    fields(&[
        ("Task", task.task_id.clone()),
        ("Namespace", task.namespace.clone()),
        ("Group", task.group.clone()),
        ("Runs", task.task_definition.clone()),
        ("Overrides", overrides(&task.overrides)),
        ("Deployment", task.deployment_id.clone().unwrap_or_default()),
        ("Run", task_place(task)),
        (
            "State",
            format!(
                "{}, desired {}",
                name(&task.last_status),
                name(&task.desired_status)
            ),
        ),
        ("Health", name(&task.health_status)),
        ("Reason", harmless(task.reason.as_deref().unwrap_or_default())),
        ("Stop code", task.stop_code.as_ref().map(name).unwrap_or_default()),
        (
            "Stopped reason",
            harmless(task.stopped_reason.as_deref().unwrap_or_default()),
        ),
        (
            "Exit code",
            task.exit_code.map(|code| code.to_string()).unwrap_or_default(),
        ),
        ("Restarts", task.restarts.to_string()),
        (
            "Last reason",
            harmless(task.last_reason.as_deref().unwrap_or_default()),
        ),
        (
            "CPU",
            format!(
                "{} units, {} used, {} throttled",
                task.cpu,
                cpu_time(task.cpu_used_ms),
                cpu_time(task.cpu_throttled_ms)
            ),
        ),
        (
            "Memory",
            format!(
                "{} now, {} peak, {} limit",
                bytes(task.memory_bytes),
                bytes(task.memory_peak_bytes),
                bytes(task.memory_limit_bytes)
            ),
        ),
        (
            "Requests",
            format!("{} ended, {} in flight", task.requests, task.in_flight),
        ),
        ("Created", output::time(task.created_at)),
        ("Started", time(task.started_at)),
        ("Stopping", time(task.stopping_at)),
        ("Stopped", time(task.stopped_at)),
    ])
}
