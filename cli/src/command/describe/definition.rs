//! `wharf describe task-definition`: everything a manifest came to, defaults included.

use wharf_control::api::types::{
    DefinitionFiles, HealthCheck, HealthChecks, Isolation, Route, TaskDefinition, World,
};

use super::{fields, pairs};
use crate::output::{self, bytes, harmless, name};

pub(super) fn text(definition: &TaskDefinition) -> String {
    let none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
    let mut lines = vec![
        (
            "Task definition",
            format!("{}:{}", definition.family, definition.revision),
        ),
        ("Bundle", definition.bundle.clone()),
        ("Component", definition.component.clone()),
        ("World", name(&definition.world)),
    ];
    lines.extend(limits(definition));
    lines.extend([
        ("Arguments", none(harmless(&definition.args.join(" ")))),
        ("Environment", none(pairs(&definition.environment))),
        ("Secrets", none(pairs(&definition.secrets))),
        ("Egress", none(definition.egress.join(" "))),
        ("Files", none(each(&definition.files, files))),
    ]);
    if definition.world == World::Http {
        let own_host = definition.routes.is_empty();
        let routes = if own_host {
            "its default host".to_owned()
        } else {
            each(&definition.routes, route)
        };
        let health = definition.health.as_ref().map(health);
        lines.push(("Routes", routes));
        lines.push(("Health", health.unwrap_or_else(|| "alive is healthy".to_owned())));
    }
    lines.push(("Registered", output::time(definition.registered_at)));
    fields(&lines)
}

fn limits(definition: &TaskDefinition) -> Vec<(&'static str, String)> {
    let burst = if definition.cpu_burst {
        "with burst"
    } else {
        "no burst"
    };
    let isolation = match (definition.isolation, definition.max_requests) {
        (Isolation::Task, Some(most)) => format!("task, {most} requests an instance"),
        (isolation, _) => name(&isolation),
    };
    vec![
        ("CPU", format!("{} units, {burst}", definition.cpu)),
        ("Memory", bytes(definition.memory_bytes)),
        ("Timeout", output::milliseconds(definition.timeout_ms)),
        ("CPU timeout", output::milliseconds(definition.cpu_timeout_ms)),
        ("Stop timeout", output::milliseconds(definition.stop_timeout_ms)),
        ("Isolation", isolation),
        (
            "Concurrency",
            format!("{} at once, {} waiting", definition.concurrency, definition.queue),
        ),
    ]
}

fn each<T>(all: &[T], text: impl Fn(&T) -> String) -> String {
    all.iter().map(text).collect::<Vec<_>>().join("; ")
}

fn files(files: &DefinitionFiles) -> String {
    let noun = if files.files == 1 { "file" } else { "files" };
    format!("{} ({} {noun})", files.mount, files.files)
}

fn health(checks: &HealthChecks) -> String {
    let of_its_own = |name: &'static str, check: &Option<HealthCheck>| {
        check
            .as_ref()
            .map(|found| format!("{name}: {}", self::check(found)))
    };
    let kinds = [
        checks.check.as_ref().map(self::check),
        of_its_own("start-up", &checks.startup),
        of_its_own("readiness", &checks.readiness),
        of_its_own("liveness", &checks.liveness),
        (checks.grace_ms > 0)
            .then(|| format!("failures count after {}", output::milliseconds(checks.grace_ms))),
    ];
    kinds.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn check(health: &HealthCheck) -> String {
    format!(
        "GET {} every {}, within {}, {} pass; {} well, {} ill",
        health.path,
        output::milliseconds(health.interval_ms),
        output::milliseconds(health.timeout_ms),
        health.codes,
        health.healthy,
        health.unhealthy
    )
}

fn route(route: &Route) -> String {
    let text = format!("{} → {}", harmless(&route.conditions), harmless(&route.action));
    match route.priority {
        Some(priority) => format!("{text} (priority {priority})"),
        None => text,
    }
}
