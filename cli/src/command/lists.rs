//! `wharf ps` and `wharf services`.

use anyhow::Result;
use wharf_control::api::types::{Service, ServiceList, Task, TaskList};

use crate::api::{Api, escape};
use crate::args::{self, Output};
use crate::output;

/// Tasks, running ones unless asked for all.
pub(crate) async fn ps(api: &Api, args: &args::Ps) -> Result<()> {
    let mut path = format!(
        "{}?status={}",
        api.path(&["tasks"]),
        if args.all { "all" } else { "running" }
    );
    if let Some(service) = &args.service {
        path.push_str(&format!("&service={}", escape(service)));
    }
    let list: TaskList = api.get(&path).await?;
    let nothing = match &args.service {
        // Not an error: a script may ask before the service is there. Programs that read JSON get it without words.
        Some(name)
            if args.client.output == Output::Table && list.tasks.is_empty() && !is_known(api, name).await =>
        {
            let name = output::harmless(name);
            format!(
                "nothing is known of `{name}` in namespace `{}`",
                args.scope.namespace
            )
        }
        _ => no_tasks(args),
    };
    output::list(args.client.output, &list, &list.tasks, tasks_table, &nothing)?;
    Ok(())
}

/// Whether there is a service or a job of this name; one that can be none is none.
async fn is_known(api: &Api, name: &str) -> bool {
    for kind in ["services", "task-definitions"] {
        if api.exists(&api.path(&[kind, name])).await.unwrap_or(false) {
            return true;
        }
    }
    false
}

fn no_tasks(args: &args::Ps) -> String {
    let whose = match &args.service {
        Some(service) => format!("of `{service}`"),
        None => format!("in namespace `{}`", args.scope.namespace),
    };
    match args.all {
        true => format!("no tasks {whose}: `wharf deploy` and `wharf run` start some"),
        false => format!("no task {whose} runs: `wharf ps --all` shows those that have stopped"),
    }
}

/// Tasks as rows: state and health apart.
pub(crate) fn tasks_table(tasks: &[Task]) -> String {
    let header = [
        "TASK",
        "RUNS",
        "STATE",
        "HEALTH",
        "CPU USED",
        "THROTTLED",
        "MEMORY",
        "PEAK",
        "LIMIT",
        "RESTARTS",
        "AGE",
        "REASON",
    ];
    output::table(header, tasks.iter().map(task_row))
}

fn task_row(task: &Task) -> [String; 12] {
    [
        task.short_id.clone(),
        task.task_definition.clone(),
        output::name(&task.last_status),
        output::name(&task.health_status),
        output::cpu_time(task.cpu_used_ms),
        output::cpu_time(task.cpu_throttled_ms),
        output::bytes(task.memory_bytes),
        output::bytes(task.memory_peak_bytes),
        output::bytes(task.memory_limit_bytes),
        task.restarts.to_string(),
        output::age(task.created_at),
        output::harmless(reason(task)),
    ]
}

/// Why a task is where it is: the most recent thing there is to say.
pub(crate) fn reason(task: &Task) -> &str {
    [&task.stopped_reason, &task.reason, &task.last_reason]
        .into_iter()
        .flatten()
        .next()
        .map_or("", String::as_str)
}

/// The namespace's services.
pub(crate) async fn services(api: &Api, args: &args::Services) -> Result<()> {
    let list: ServiceList = api.get(&api.path(&["services"])).await?;
    let nothing = format!(
        "no services in namespace `{}`: `wharf deploy PATH` makes one",
        args.scope.namespace
    );
    output::list(
        args.client.output,
        &list,
        &service_rows(&list),
        |rows| output::table(SERVICE_HEADER, rows.iter().cloned()),
        &nothing,
    )?;
    Ok(())
}

const SERVICE_HEADER: [&str; 10] = [
    "SERVICE", "STATUS", "KIND", "RUNS", "DESIRED", "RUNNING", "HEALTHY", "PENDING", "AGE", "URL",
];

/// By name; of one whose record can't be read there is only that, and why.
fn service_rows(list: &ServiceList) -> Vec<[String; 10]> {
    let mut rows: Vec<_> = list.services.iter().map(service_row).collect();
    for damaged in &list.damaged {
        let mut row = std::array::from_fn(|_| "-".to_owned());
        let (name, why) = (&damaged.service_name, &damaged.error);
        [row[0], row[1], row[9]] = [
            output::harmless(name),
            "DAMAGED".to_owned(),
            output::harmless(why),
        ];
        rows.push(row);
    }
    rows.sort_by(|a: &[String; 10], b| a[0].cmp(&b[0]));
    rows
}

/// With the bounds where it scales: `3 (1-10)`.
fn desired(service: &Service) -> String {
    let count = service.desired_count;
    service.scaling.as_ref().map_or(count.to_string(), |scaling| {
        format!("{count} ({}-{})", scaling.min_capacity, scaling.max_capacity)
    })
}

fn service_row(service: &Service) -> [String; 10] {
    [
        service.service_name.clone(),
        output::name(&service.status),
        output::name(&service.kind),
        service.task_definition.clone().unwrap_or_else(|| "-".to_owned()),
        desired(service),
        service.running_count.to_string(),
        service.healthy_count.to_string(),
        service.pending_count.to_string(),
        output::age(service.created_at),
        service.urls.join(" "),
    ]
}
