//! `[task]`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use wharf_runtime::{Bytes, CpuUnits, EgressRule, Isolation};

use super::super::error::{FieldPath, ManifestError};
use super::super::mounts;
use super::super::text::TaskText;
use super::super::values::{Report, show_duration};
use super::super::{ComponentSource, Task};
use crate::names::EnvName;
use crate::secrets::SecretReference;

/// 128 MiB, design's default.
const DEFAULT_MEMORY: Bytes = Bytes::mib(128);

/// What an instance needs before it has done anything: a smaller envelope serves no request.
pub const MIN_MEMORY: Bytes = Bytes::mib(1);

/// More than any host has; it keeps sums from overflowing.
pub const MAX_MEMORY: Bytes = Bytes::gib(16 << 10);

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Of a request or job: up to a day.
const TIMEOUTS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(24 * 3600));

/// Of stopping: none, up to an hour.
const STOP_TIMEOUTS: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(3600));

/// Requests at once, and waiting.
const MAX_CONCURRENCY: u32 = 10_000;

const DEFAULT_CONCURRENCY: u32 = 100;
const DEFAULT_MAX_REQUESTS: u32 = 1000;
const MAX_MAX_REQUESTS: u32 = 1_000_000_000;

const MAX_ARGS: usize = 256;
const MAX_ENV: usize = 256;
const MAX_EGRESS: usize = 256;

/// The longest argument or environment value, in bytes.
pub(in super::super) const MAX_TEXT: usize = 32 << 10;

/// The longest command or path, in bytes (Linux: `PATH_MAX`).
const MAX_PATH: usize = 4096;

pub(super) fn check(text: &TaskText, here: &FieldPath, report: &mut Report) -> Option<Task> {
    let component = component(text, here, report);
    let (timeout, cpu_timeout) = timeouts(text, here, report);
    let stop_timeout = text.stop_timeout.as_deref();
    let stop_timeout = report.duration(here, "stop_timeout", stop_timeout, STOP_TIMEOUTS, DEFAULT_TIMEOUT);
    let concurrency = (1, MAX_CONCURRENCY);
    let concurrency = report.number(
        here,
        "concurrency",
        text.concurrency,
        concurrency,
        DEFAULT_CONCURRENCY,
    );
    let queue = report.number(here, "queue", text.queue, (0, MAX_CONCURRENCY), concurrency);
    if let Some(build) = &text.build {
        report.plain_text(here.key("build"), build, MAX_PATH);
    }
    let cpu = cpu(text, here, report);
    let memory = memory(text, here, report);
    let isolation = isolation(text, here, report);
    let args = args(text, here, report);
    let (env, secrets) = environment(text, here, report);
    let egress = egress(text, here, report);
    let files = mounts::check(&text.files, &here.key("files"), report);
    Some(Task {
        component: component?,
        build: text.build.clone(),
        cpu: cpu?,
        cpu_burst: text.cpu_burst.unwrap_or(false),
        memory,
        timeout,
        cpu_timeout,
        stop_timeout,
        isolation,
        concurrency,
        queue,
        args,
        env,
        secrets,
        egress,
        files,
    })
}

fn component(text: &TaskText, here: &FieldPath, report: &mut Report) -> Option<ComponentSource> {
    let field = here.key("component");
    let Some(component) = text.component.as_deref() else {
        if !report
            .errors
            .iter()
            .any(|error| error.field == field || error.field == *here)
        {
            let hint = "name the file: component = \"target/wasm32-wasip2/release/api.wasm\"";
            report.refuse(here.clone(), "[task] has no `component`", hint);
        }
        return None;
    };
    report.plain_text(field.clone(), component, MAX_PATH);
    if component.is_empty() {
        report.refuse(
            field,
            "`component` in [task] is empty",
            "name the component's .wasm file",
        );
        return None;
    }
    if !component.starts_with("sha256:") {
        return Some(ComponentSource::Path(PathBuf::from(component)));
    }
    match component.parse() {
        Ok(digest) => Some(ComponentSource::Blob(digest)),
        Err(error) => {
            report.errors.push(ManifestError::new(field, error.to_string()));
            None
        }
    }
}

fn cpu(text: &TaskText, here: &FieldPath, report: &mut Report) -> Option<CpuUnits> {
    const DEFAULT_CPU: u32 = 256;
    CpuUnits::new(report.number(here, "cpu", text.cpu, (1, CpuUnits::MAX), DEFAULT_CPU))
}

fn memory(text: &TaskText, here: &FieldPath, report: &mut Report) -> Bytes {
    let Some(written) = text.memory.as_deref() else {
        return DEFAULT_MEMORY;
    };
    match written.parse::<Bytes>() {
        Ok(memory) if (MIN_MEMORY..=MAX_MEMORY).contains(&memory) => return memory,
        Ok(_) => {
            let message = format!("`memory` in [task] is {written}");
            let hint = format!("it goes from {MIN_MEMORY} to {MAX_MEMORY}");
            report.refuse(here.key("memory"), message, hint);
        }
        Err(error) => {
            let message = format!("`memory` in [task]: {error}");
            report
                .errors
                .push(ManifestError::new(here.key("memory"), message));
        }
    }
    DEFAULT_MEMORY
}

fn timeouts(text: &TaskText, here: &FieldPath, report: &mut Report) -> (Duration, Duration) {
    let before = report.errors.len();
    let timeout = report.duration(
        here,
        "timeout",
        text.timeout.as_deref(),
        TIMEOUTS,
        DEFAULT_TIMEOUT,
    );
    let cpu_timeout = report.duration(
        here,
        "cpu_timeout",
        text.cpu_timeout.as_deref(),
        TIMEOUTS,
        timeout,
    );
    if cpu_timeout > timeout && report.errors.len() == before {
        let (cpu, wall) = (show_duration(cpu_timeout), show_duration(timeout));
        let message = format!("`cpu_timeout` in [task] is {cpu}, longer than `timeout`, {wall}");
        let hint = "CPU time can't be longer than the time it is used in: shorten it, or lengthen `timeout`";
        report.refuse(here.key("cpu_timeout"), message, hint);
    }
    (timeout, cpu_timeout)
}

fn isolation(text: &TaskText, here: &FieldPath, report: &mut Report) -> Isolation {
    let bounds = (1, MAX_MAX_REQUESTS);
    let max_requests = report.number(
        here,
        "max_requests",
        text.max_requests,
        bounds,
        DEFAULT_MAX_REQUESTS,
    );
    match text.isolation.as_deref() {
        Some("task") => return Isolation::Task { max_requests },
        None | Some("request") if text.max_requests.is_some() => {
            let message = "`max_requests` in [task] together with isolation \"request\"";
            let hint = "there, each instance serves one request: remove it, or set isolation = \"task\"";
            report.refuse(here.key("max_requests"), message, hint);
        }
        None | Some("request") => {}
        Some(other) => {
            let message = format!("`isolation` in [task] is `{}`", other.escape_debug());
            report.refuse(here.key("isolation"), message, "it is \"request\" or \"task\"");
        }
    }
    Isolation::Request
}

fn args(text: &TaskText, here: &FieldPath, report: &mut Report) -> Vec<String> {
    let field = here.key("args");
    report.length(field.clone(), text.args.len(), MAX_ARGS);
    for (at, arg) in text.args.iter().enumerate() {
        report.plain_text(field.index(at), arg, MAX_TEXT);
    }
    text.args.clone()
}

type Environment = (BTreeMap<EnvName, String>, BTreeMap<EnvName, SecretReference>);

fn environment(text: &TaskText, here: &FieldPath, report: &mut Report) -> Environment {
    let (env_field, secrets_field) = (here.key("env"), here.key("secrets"));
    report.length(env_field.clone(), text.env.len(), MAX_ENV);
    report.length(secrets_field.clone(), text.secrets.len(), MAX_ENV);
    let mut env = BTreeMap::new();
    for (name, value) in &text.env {
        let field = env_field.key(name);
        report.plain_text(field.clone(), value, MAX_TEXT);
        if let Some(name) = env_name(name, field, report) {
            env.insert(name, value.clone());
        }
    }
    let mut secrets = BTreeMap::new();
    for (name, reference) in &text.secrets {
        let field = secrets_field.key(name);
        if text.env.contains_key(name) {
            let message = format!("`{}` is both in `env` and in `secrets`", name.escape_debug());
            report.refuse(
                field.clone(),
                message,
                "a variable has one source: remove one of the two",
            );
        }
        let name = env_name(name, field.clone(), report);
        match reference.parse::<SecretReference>() {
            Ok(reference) => secrets.extend(name.map(|name| (name, reference))),
            Err(error) => report.refuse(
                field.clone(),
                format!("`{field}`: {error}"),
                "a reference is `secret`, `secret:json-key`, `secret@version` or `secret:json-key@version`",
            ),
        }
    }
    (env, secrets)
}

fn env_name(name: &str, field: FieldPath, report: &mut Report) -> Option<EnvName> {
    name.parse()
        .map_err(|error: crate::names::NameError| {
            report.errors.push(ManifestError::new(field, error.to_string()));
        })
        .ok()
}

fn egress(text: &TaskText, here: &FieldPath, report: &mut Report) -> Vec<EgressRule> {
    let field = here.key("egress");
    report.length(field.clone(), text.egress.len(), MAX_EGRESS);
    let mut rules = Vec::new();
    for (at, rule) in text.egress.iter().enumerate() {
        match rule.parse::<EgressRule>() {
            Ok(rule) => rules.push(rule),
            Err(error) => report
                .errors
                .push(ManifestError::new(field.index(at), error.to_string())),
        }
    }
    rules
}
