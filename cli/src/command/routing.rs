//! `wharf apply`, `wharf route`, `wharf listener` and `wharf target-group`.

mod set;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use anyhow::{Context as _, Result};
use http::Method;
use wharf_control::api::types::{
    Applied, Apply, Listener, ListenerList, Route, RouteList, RouteTest, SetPriorities, TargetGroup,
    TargetGroupList, TestRoute,
};
use wharf_control::manifest::ApplyFile;

use crate::api::{Api, ApiError, escape};
use crate::args::{self, ObjectAction, RouteAction};
use crate::exit::{BadConfig, RefusedConfig, Usage};
use crate::output::{self, harmless};

/// What is typed for standard input where a file is asked for, and what that is called in errors.
const STDIN: &str = "-";
const STDIN_SHOWN: &str = "standard input";

/// Send a file's objects, all of them or none.
pub(crate) async fn apply(api: &Api, args: &args::Apply) -> Result<()> {
    let body = Apply {
        objects: read(&args.file)?,
    };
    let sent = api.send(Method::POST, &api.path(&["apply"]), &body).await;
    let applied: Applied = sent.map_err(|error| refused(error, &args.file))?;
    Ok(output::answer(args.client.output, &applied, said)?)
}

/// What the file has, checked: what is wrong is said with line and column before anything is sent.
fn read(path: &Path) -> Result<serde_json::Value> {
    let file = match path == Path::new(STDIN) {
        true => ApplyFile::read(STDIN_SHOWN, io::stdin().lock()),
        false => ApplyFile::open(path),
    };
    let file = file.map_err(|error| bad_config(error.into()))?;
    file.check().map_err(|errors| bad_config(errors.into()))?;
    serde_json::to_value(file.text()).context("cannot write the objects as JSON")
}

fn bad_config(error: anyhow::Error) -> BadConfig {
    BadConfig(format!("{error:#}"))
}

/// Why the server doesn't take what the file has.
fn refused(error: ApiError, file: &Path) -> anyhow::Error {
    match error.field().is_some_and(ApplyFile::is_of) {
        true => RefusedConfig {
            place: match file == Path::new(STDIN) {
                true => STDIN_SHOWN.to_owned(),
                false => file.display().to_string(),
            },
            source: error,
        }
        .into(),
        false => error.into(),
    }
}

fn said(applied: &Applied) -> String {
    let Applied {
        created,
        updated,
        unchanged,
        in_force_after_ms,
    } = applied;
    match created + updated {
        0 => format!("{unchanged} unchanged"),
        _ => format!(
            "{created} created, {updated} updated, {unchanged} unchanged; in force after {in_force_after_ms:.1} ms"
        ),
    }
}

/// List, test, make, reorder or delete routes.
pub(crate) async fn route(api: &Api, args: &args::Route) -> Result<()> {
    let format = args.client.output;
    match &args.action {
        RouteAction::List => {
            let list: RouteList = api.get(&api.path(&["routes"])).await?;
            let nothing = "no routes: `wharf deploy`, `wharf apply` and `wharf route set` make some";
            output::list(format, &list, &list.routes, routes_table, nothing)?;
        }
        RouteAction::Test(sample) => {
            let body = test_of(sample);
            let test: RouteTest = api
                .send(Method::POST, &api.path(&["routes", "test"]), &body)
                .await?;
            output::answer(format, &test, test_text)?;
        }
        RouteAction::Reorder { routes } => {
            let body = SetPriorities {
                priorities: each_once(routes)?,
            };
            let path = api.path(&["routes", "priorities"]);
            let applied: Applied = api.send(Method::POST, &path, &body).await?;
            output::answer(format, &applied, said)?;
        }
        RouteAction::Set(one) => set::set(api, "route", one, format).await?,
        RouteAction::Delete { name } => {
            api.delete(&api.path(&["routes", name])).await?;
            output::done(format, name, "deleted")?;
        }
    }
    Ok(())
}

/// What was typed, unless a route is named twice.
fn each_once(routes: &[(String, i64)]) -> Result<BTreeMap<String, i64>> {
    let mut priorities = BTreeMap::new();
    for (name, priority) in routes {
        if let Some(before) = priorities.insert(name.clone(), *priority) {
            let said = format!("`{name}` is to have the priorities {before} and {priority}: name it once");
            return Err(Usage(said).into());
        }
    }
    Ok(priorities)
}

fn test_of(sample: &args::RouteTest) -> TestRoute {
    let query = sample.query.as_deref().map(|query| format!("?{query}"));
    TestRoute {
        listener: Some(sample.listener.clone()),
        method: Some(sample.method.clone()),
        host: Some(sample.host.clone()),
        path: Some(format!("{}{}", sample.path, query.unwrap_or_default())),
        headers: sample.header.clone(),
        source_ip: Some(sample.source.to_string()),
    }
}

fn routes_table(routes: &[Route]) -> String {
    let header = ["ROUTE", "PRIORITY", "LISTENERS", "CONDITIONS", "ACTION", "ERROR"];
    output::table(
        header,
        routes.iter().map(|route| {
            [
                route.name.clone(),
                route
                    .priority
                    .map_or_else(|| "-".to_owned(), |priority| priority.to_string()),
                listeners(route),
                harmless(&route.conditions),
                harmless(&route.action),
                harmless(route.error.as_deref().unwrap_or_default()),
            ]
        }),
    )
}

/// Where a route is.
pub(crate) fn listeners(route: &Route) -> String {
    match route.listeners.as_slice() {
        [] => "all".to_owned(),
        some => some.join(" "),
    }
}

fn test_text(test: &RouteTest) -> String {
    let mut text = match &test.matched {
        Some(matched) if matched.rank.is_empty() => format!("{} matches", matched.name),
        Some(matched) => format!("{} matches ({})", matched.name, matched.rank),
        None => format!(
            "no route matches: the default of listener {} applies",
            test.listener
        ),
    };
    text.push_str(&format!("\n{}", harmless(&test.action)));
    if !test.tried.is_empty() {
        let rows = test.tried.iter().map(|tried| {
            let reason = tried.reason.as_deref().unwrap_or_default();
            [tried.name.clone(), tried.rank.clone(), harmless(reason)]
        });
        let table = output::table(["BEFORE IT", "RANK", "DOESN'T MATCH BY"], rows);
        text.push_str(&format!("\n\n{table}"));
    }
    if test.left_out > 0 {
        text.push_str(&format!("\nand {} more that don't match", test.left_out));
    }
    text
}

/// List, make or delete listeners.
pub(crate) async fn listener(api: &Api, args: &args::Listener) -> Result<()> {
    let format = args.client.output;
    match &args.action {
        ObjectAction::List => {
            let list: ListenerList = api.get("/v1/listeners").await?;
            output::answer(format, &list, |list| listeners_table(&list.listeners))?;
        }
        ObjectAction::Set(one) => set::set(api, "listener", one, format).await?,
        ObjectAction::Delete { name } => {
            api.delete(&format!("/v1/listeners/{}", escape(name))).await?;
            output::done(format, name, "deleted")?;
        }
    }
    Ok(())
}

fn listeners_table(listeners: &[Listener]) -> String {
    let header = [
        "LISTENER",
        "PROTOCOL",
        "ADDRESS",
        "CONNECTIONS",
        "DEFAULT",
        "ERROR",
    ];
    output::table(
        header,
        listeners.iter().map(|listener| {
            [
                listener.name.clone(),
                listener.protocol.clone(),
                listener.address.clone().unwrap_or_else(|| "-".to_owned()),
                listener.connections.to_string(),
                harmless(&listener.default_action),
                harmless(listener.error.as_deref().unwrap_or_default()),
            ]
        }),
    )
}

/// List, make or delete target groups.
pub(crate) async fn target_group(api: &Api, args: &args::TargetGroup) -> Result<()> {
    let format = args.client.output;
    match &args.action {
        ObjectAction::List => {
            let list: TargetGroupList = api.get(&api.path(&["target-groups"])).await?;
            let nothing =
                "no target groups with targets outside: `wharf apply` and `wharf target-group set` make some";
            output::list(format, &list, &list.target_groups, groups_table, nothing)?;
        }
        ObjectAction::Set(one) => set::set(api, "target_group", one, format).await?,
        ObjectAction::Delete { name } => {
            api.delete(&api.path(&["target-groups", name])).await?;
            output::done(format, name, "deleted")?;
        }
    }
    Ok(())
}

fn groups_table(groups: &[TargetGroup]) -> String {
    let header = ["TARGET GROUP", "TARGETS", "HEALTHY", "IN FLIGHT", "ROUTES", "OF"];
    output::table(
        header,
        groups.iter().map(|group| {
            let in_flight: u32 = group.targets.iter().map(|target| target.in_flight).sum();
            let of = group
                .service_name
                .as_deref()
                .map(|name| format!("service {name}"));
            [
                group.name.clone(),
                group.targets.len().to_string(),
                group.healthy_count.to_string(),
                in_flight.to_string(),
                group.routes.join(" "),
                of.unwrap_or_else(|| "apply".to_owned()),
            ]
        }),
    )
}
