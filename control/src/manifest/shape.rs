//! Which keys there are and what kind of value each takes.
//!
//! serde stops at the first mistake and knows no places, so a manifest is first compared with this table:
//! every unknown key and wrong type is reported, and removed, so that the values that are left can be
//! checked in the same round.

mod deployment;
mod health;
mod routing;

use serde_json::Value;

use self::deployment::DEPLOYMENT;
use self::health::{CHECK, HEALTH};
pub(super) use self::routing::APPLY;
use self::routing::{ROUTE, TARGET_GROUP};

use super::error::{FieldPath, ManifestError};
use crate::names::closest;

/// What a key takes.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Text,
    Integer,
    Boolean,
    TextList,
    TextMap,
    TextListMap,
    /// Each a text or a table.
    TextsOrTables(&'static [Key]),
    Table(&'static [Key]),
    TableList(&'static [Key]),
    /// Known, and not in this kind of file: where it goes.
    Elsewhere(&'static str),
}

/// A key, what it takes, and a value as an example.
#[derive(Debug)]
pub(super) struct Key {
    name: &'static str,
    shape: Shape,
    example: &'static str,
}

const fn key(name: &'static str, shape: Shape, example: &'static str) -> Key {
    Key { name, shape, example }
}

const OPERATORS: &str =
    "listeners are the whole server's: put them into a file of their own, for `wharf apply`";
const fn elsewhere(name: &'static str, hint: &'static str) -> Key {
    Key {
        name,
        shape: Shape::Elsewhere(hint),
        example: "",
    }
}

/// Whether a table may have a key of this name.
pub(super) fn is_key(name: &str, keys: &[Key]) -> bool {
    keys.iter().any(|key| key.name == name)
}

/// What a `wharf.toml` may have.
pub(super) const MANIFEST: &[Key] = &[
    key("name", Shape::Text, "\"api\""),
    key("task", Shape::Table(TASK), "a table, [task]"),
    key("service", Shape::Table(SERVICE), "a table, [service]"),
    key("health", Shape::Table(HEALTH), "a table, [health]"),
    key("deployment", Shape::Table(DEPLOYMENT), "a table, [deployment]"),
    key("scaling", Shape::Table(SCALING), "a table, [scaling]"),
    key("route", Shape::TableList(ROUTE), "tables, each [[route]]"),
    key("job", Shape::Table(JOB), "a table, [job]"),
    key(
        "target_group",
        Shape::TableList(TARGET_GROUP),
        "tables, each [[target_group]]",
    ),
    elsewhere("listener", OPERATORS),
];

const TASK: &[Key] = &[
    key(
        "component",
        Shape::Text,
        "\"target/wasm32-wasip2/release/api.wasm\"",
    ),
    key(
        "build",
        Shape::Text,
        "\"cargo build --release --target wasm32-wasip2\"",
    ),
    key("cpu", Shape::Integer, "256"),
    key("memory", Shape::Text, "\"64MiB\""),
    key("timeout", Shape::Text, "\"30s\""),
    key("cpu_timeout", Shape::Text, "\"5s\""),
    key("stop_timeout", Shape::Text, "\"30s\""),
    key("isolation", Shape::Text, "\"request\""),
    key("concurrency", Shape::Integer, "100"),
    key("queue", Shape::Integer, "100"),
    key("max_requests", Shape::Integer, "1000"),
    key("cpu_burst", Shape::Boolean, "true"),
    key("args", Shape::TextList, "[\"--verbose\"]"),
    key("env", Shape::TextMap, "{ GREETING = \"hello\" }"),
    key("secrets", Shape::TextMap, "{ API_KEY = \"prod/weather\" }"),
    key("egress", Shape::TextList, "[\"https://api.example.com\"]"),
    key(
        "files",
        Shape::TableList(FILE),
        "[{ source = \"static\", mount = \"/static\" }]",
    ),
];

const FILE: &[Key] = &[
    key("source", Shape::Text, "\"static\""),
    key("mount", Shape::Text, "\"/static\""),
];

const SERVICE: &[Key] = &[
    key("count", Shape::Integer, "2"),
    key("algorithm", Shape::Text, "\"power_of_two\""),
    key("slow_start", Shape::Text, "\"30s\""),
    key("stickiness", Shape::Text, "\"1h\""),
    key("fail_open", Shape::Boolean, "true"),
];

const SCALING: &[Key] = &[
    key("min", Shape::Integer, "1"),
    key("max", Shape::Integer, "10"),
    key("cpu", Shape::Integer, "60"),
    key("memory", Shape::Integer, "70"),
    key("requests", Shape::Integer, "100"),
    key("concurrency", Shape::Integer, "20"),
    key("queue", Shape::Integer, "5"),
    key("cooldown_in", Shape::Text, "\"5m\""),
    key("cooldown_out", Shape::Text, "\"5m\""),
    key("idle", Shape::Text, "\"5m\""),
    key("wait", Shape::Text, "\"30s\""),
];

const JOB: &[Key] = &[
    key("count", Shape::Integer, "5"),
    key("parallelism", Shape::Integer, "2"),
    key("retries", Shape::Integer, "3"),
    key("backoff", Shape::Text, "\"10s\""),
    key("deadline", Shape::Text, "\"1h\""),
    key("ttl", Shape::Text, "\"7d\""),
    key("history", Shape::Integer, "10"),
    key("schedule", Shape::Text, "\"0 3 * * *\""),
    key("timezone", Shape::Text, "\"Europe/Paris\""),
    key("concurrency_policy", Shape::Text, "\"forbid\""),
    key("starting_deadline", Shape::Text, "\"10m\""),
];

/// The sections, to say where a key belongs that is in the wrong one.
const SECTIONS: [(&str, &[Key]); 9] = [
    ("[task]", TASK),
    ("[service]", SERVICE),
    ("[health]", HEALTH),
    ("[deployment]", DEPLOYMENT),
    ("[health.readiness], [health.liveness] or [health.startup]", CHECK),
    ("[scaling]", SCALING),
    ("[[route]]", ROUTE),
    ("[[target_group]]", TARGET_GROUP),
    ("[job]", JOB),
];

/// Reports every key that is not one of `keys` or takes something else, and removes it.
pub(super) fn check(manifest: &mut Value, keys: &[Key], errors: &mut Vec<ManifestError>) {
    match manifest {
        Value::Object(_) => check_table(manifest, keys, &FieldPath::root(), errors),
        other => {
            let message = format!("a manifest is a table of keys, this is {}", kind(other));
            errors.push(ManifestError::new(FieldPath::root(), message));
            *other = Value::Object(serde_json::Map::new());
        }
    }
}

fn check_table(table: &mut Value, keys: &[Key], path: &FieldPath, errors: &mut Vec<ManifestError>) {
    let Value::Object(entries) = table else { return };
    entries.retain(|name, value| {
        let before = errors.len();
        let here = path.key(name);
        match keys.iter().find(|key| key.name == name) {
            None => errors.push(unknown(name, keys, path)),
            Some(key) => return check_value(value, key, path, &here, errors),
        }
        errors.len() == before
    });
}

/// Whether the value can stay: it is of the right kind, whatever was removed inside of it.
fn check_value(
    value: &mut Value,
    key: &Key,
    table: &FieldPath,
    path: &FieldPath,
    errors: &mut Vec<ManifestError>,
) -> bool {
    match (key.shape, value) {
        (Shape::Elsewhere(hint), _) => {
            let message = format!("`{}` doesn't belong in {}", key.name, table.heading());
            errors.push(ManifestError::new(path.clone(), message).hint(hint));
            false
        }
        (Shape::Text, Value::String(_)) | (Shape::Boolean, Value::Bool(_)) => true,
        (Shape::Integer, Value::Number(number)) if number.is_i64() => true,
        (Shape::Table(keys), table @ Value::Object(_)) => {
            check_table(table, keys, path, errors);
            true
        }
        (Shape::TextList, Value::Array(items)) => all_text(
            items.iter().enumerate().map(|(at, item)| (path.index(at), item)),
            errors,
        ),
        (Shape::TextMap, Value::Object(entries)) => {
            all_text(entries.iter().map(|(name, item)| (path.key(name), item)), errors)
        }
        (Shape::TextListMap, Value::Object(entries)) => all_text_lists(entries, path, errors),
        (Shape::TextsOrTables(keys), Value::Array(items)) => texts_or_tables(items, keys, key, path, errors),
        (Shape::TableList(keys), Value::Array(items)) => check_tables(items, keys, key, path, errors),
        (_, value) => {
            errors.push(wrong_type(value, key, table, path));
            false
        }
    }
}

fn check_tables(
    items: &mut [Value],
    keys: &[Key],
    key: &Key,
    path: &FieldPath,
    errors: &mut Vec<ManifestError>,
) -> bool {
    let mut can_stay = true;
    for (at, item) in items.iter_mut().enumerate() {
        let here = path.index(at);
        if item.is_object() {
            check_table(item, keys, &here, errors);
        } else {
            let message = format!("`{here}` is {}, it needs to be a table", kind(item));
            errors
                .push(ManifestError::new(here, message).hint(format!("like {} = {}", key.name, key.example)));
            can_stay = false;
        }
    }
    can_stay
}

fn all_text<'a>(
    items: impl Iterator<Item = (FieldPath, &'a Value)>,
    errors: &mut Vec<ManifestError>,
) -> bool {
    let before = errors.len();
    for (path, item) in items {
        let hint = match item {
            Value::String(_) => continue,
            Value::Number(_) | Value::Bool(_) => format!("put it in quotes: \"{item}\""),
            _ => "each of these is a text in quotes".to_owned(),
        };
        let message = format!("`{path}` is {}, it needs to be a text", kind(item));
        errors.push(ManifestError::new(path, message).hint(hint));
    }
    errors.len() == before
}

fn all_text_lists(
    entries: &serde_json::Map<String, Value>,
    path: &FieldPath,
    errors: &mut Vec<ManifestError>,
) -> bool {
    let before = errors.len();
    for (name, value) in entries {
        let here = path.key(name);
        match value {
            Value::Array(items) => {
                all_text(
                    items.iter().enumerate().map(|(at, item)| (here.index(at), item)),
                    errors,
                );
            }
            other => {
                let message = format!("`{here}` is {}, it needs to be a list of texts", kind(other));
                let hint = match other {
                    Value::String(_) => format!("put it in brackets: [{other}]"),
                    _ => format!("like {name} = [\"1\"]"),
                };
                errors.push(ManifestError::new(here, message).hint(hint));
            }
        }
    }
    errors.len() == before
}

fn texts_or_tables(
    items: &mut [Value],
    keys: &[Key],
    key: &Key,
    path: &FieldPath,
    errors: &mut Vec<ManifestError>,
) -> bool {
    let before = errors.len();
    for (at, item) in items.iter_mut().enumerate() {
        let here = path.index(at);
        match item {
            Value::String(_) => {}
            Value::Object(_) => check_table(item, keys, &here, errors),
            other => {
                let message = format!("`{here}` is {}, it needs to be a text or a table", kind(other));
                let hint = format!("like {} = {}", key.name, key.example);
                errors.push(ManifestError::new(here, message).hint(hint));
            }
        }
    }
    errors.len() == before
}

fn wrong_type(value: &Value, key: &Key, table: &FieldPath, path: &FieldPath) -> ManifestError {
    let wanted = match key.shape {
        Shape::Text => "a text",
        Shape::Integer => "a whole number",
        Shape::Boolean => "true or false",
        Shape::TextList => "a list of texts",
        Shape::TextMap | Shape::TextListMap | Shape::Table(_) => "a table",
        Shape::TextsOrTables(_) => "a list of texts or tables",
        Shape::TableList(_) => "a list of tables",
        Shape::Elsewhere(_) => "absent",
    };
    let found = kind(value);
    let message = format!(
        "`{}` in {} is {found}, it needs to be {wanted}",
        key.name,
        table.heading()
    );
    let hint = match key.shape {
        Shape::Table(_) | Shape::TableList(_) if !key.example.starts_with(['[', '{']) => {
            format!("write {}", key.example)
        }
        _ => format!("like {} = {}", key.name, key.example),
    };
    ManifestError::new(path.clone(), message).hint(hint)
}

fn unknown(name: &str, keys: &[Key], table: &FieldPath) -> ManifestError {
    let message = format!("unknown key `{}` in {}", name.escape_debug(), table.heading());
    let error = ManifestError::new(table.key(name), message);
    if let Some(close) = closest(name, keys.iter().map(|key| key.name)) {
        return error.hint(format!("did you mean `{close}`?"));
    }
    if let Some((section, _)) = SECTIONS
        .iter()
        .find(|(_, keys)| keys.iter().any(|key| key.name == name))
    {
        return error.hint(format!("it belongs in {section}"));
    }
    let supported: Vec<&str> = keys
        .iter()
        .filter(|key| !matches!(key.shape, Shape::Elsewhere(_)))
        .map(|key| key.name)
        .collect();
    error.hint(format!("the keys are {}", supported.join(", ")))
}

/// What kind of value it is, in words.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_i64() => "a whole number",
        Value::Number(number) if number.is_u64() => "a number that is too large",
        Value::Number(_) => "a fraction",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}
