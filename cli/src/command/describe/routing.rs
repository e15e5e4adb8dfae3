//! `wharf describe route|listener|target-group`: what it is, and how it was written.

use serde_json::Value;
use wharf_control::api::types::{Listener, Route, TargetGroup};

use super::fields;
use crate::command::routing::listeners;
use crate::output::{self, harmless};

pub(super) fn route(route: &Route) -> String {
    let text = fields(&[
        ("Route", route.name.clone()),
        ("Of", of(route.service_name.as_deref())),
        (
            "Priority",
            route
                .priority
                .map_or_else(|| "none".to_owned(), |priority| priority.to_string()),
        ),
        ("Listeners", listeners(route)),
        ("Conditions", harmless(&route.conditions)),
        ("Action", harmless(&route.action)),
        ("Error", harmless(route.error.as_deref().unwrap_or_default())),
    ]);
    with_definition(text, route.definition.as_ref())
}

pub(super) fn listener(listener: &Listener) -> String {
    let text = fields(&[
        ("Listener", listener.name.clone()),
        ("Protocol", listener.protocol.clone()),
        (
            "Address",
            listener
                .address
                .clone()
                .unwrap_or_else(|| "none: it doesn't listen".to_owned()),
        ),
        ("Connections", listener.connections.to_string()),
        ("Default", harmless(&listener.default_action)),
        ("Error", harmless(listener.error.as_deref().unwrap_or_default())),
    ]);
    with_definition(text, listener.definition.as_ref())
}

pub(super) fn target_group(group: &TargetGroup) -> String {
    let mut text = fields(&[
        ("Target group", group.name.clone()),
        ("Of", of(group.service_name.as_deref())),
        (
            "Healthy",
            format!("{} of {}", group.healthy_count, group.targets.len()),
        ),
        ("Routes", group.routes.join(" ")),
    ]);
    let rows = group.targets.iter().map(|target| {
        let text = |text: &Option<String>| harmless(text.as_deref().unwrap_or_default());
        [
            target.id.clone(),
            target.state.clone(),
            target.weight.to_string(),
            target.in_flight.to_string(),
            text(&target.reason),
            text(&target.description),
        ]
    });
    let header = ["TARGET", "STATE", "WEIGHT", "IN FLIGHT", "REASON", "DESCRIPTION"];
    text.push_str(&format!("\n\nTargets\n{}", output::table(header, rows)));
    with_definition(text, Some(&group.definition))
}

fn of(service: Option<&str>) -> String {
    service.map_or_else(|| "`wharf apply`".to_owned(), |name| format!("service {name}"))
}

/// As it would stand in a file.
fn with_definition(text: String, definition: Option<&Value>) -> String {
    match definition.and_then(|definition| toml::to_string(definition).ok()) {
        Some(written) => format!("{text}\n\nDefinition\n{}", harmless_lines(written.trim_end())),
        None => text,
    }
}

fn harmless_lines(text: &str) -> String {
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}
