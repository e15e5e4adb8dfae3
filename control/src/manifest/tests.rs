//! What a manifest means, and what each mistake is answered with.

mod groups;
mod jobs;
mod mistakes;
mod overrides;
mod packaging;
mod properties;
mod scaling;
mod stored;

use super::*;
use crate::model::RunSpec;
use crate::secrets::SecretVersion;
use wharf_gateway::{Checks, Priority};

fn parse(text: &str) -> Manifest {
    Manifest::from_toml("wharf.toml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The service of a manifest that has one.
fn service(manifest: &Manifest) -> &ServiceSpec {
    match &manifest.workload {
        Workload::Service(service) => service,
        Workload::Job(_) => panic!("a job"),
    }
}

const WHOLE: &str = r##"
name = "api"

[task]
component = "target/api.wasm"
build     = "cargo build"
cpu       = 512
memory    = "64MiB"
timeout   = "10s"
isolation = "task"
concurrency = 50
queue = 10
max_requests = 500
cpu_timeout  = "500ms"
cpu_burst    = true
args      = ["-v"]
env       = { GREETING = "hello" }
secrets   = { API_KEY = "prod/weather", TOKEN = "prod/keys:token@3" }
egress    = ["https://api.github.com", "https://*.example.com:8443"]
files     = [{ source = "static", mount = "/static/" }]
stop_timeout = "5m"

[service]
count = 2
algorithm = "round_robin"
slow_start = "1m"
stickiness = "2h"
fail_open = false

[health]
path = "/health?full=1"
interval = "2s"
timeout = "500ms"
healthy = 2
unhealthy = 3
codes = "200,204"
grace = "10s"

[health.readiness]
path = "/ready"

[health.liveness]
path = "/alive"
interval = "10s"
unhealthy = 3

[health.startup]
path = "/started"
unhealthy = 10
codes = "204"

[deployment]
strategy = "rolling"
minimum_healthy = 50
maximum = 150
bake = "30s"
deadline = "1m"
failed_tasks = 4
rollback = false
max_errors = 2
min_requests = 100

[[route]]
priority = 10
host = ["API.example.com", "*.example.com"]
path = ["/v1/*"]

[[route]]
path = ["/v2/*"]

[[route]]
name = "canary"
listener = ["http", "https"]
priority = 20
host_regex = ['^[a-z]+\.example\.org$']
path_regex = ['^/u/[0-9]+$']
method = ["GET", "HEAD"]
header = { x-canary = ["1", "beta*"] }
header_regex = { x-canary = ['^[0-9]+$'], x-id = ['^[a-f0-9]{8}$'] }
query = [{ key = "v", value = "2" }, { value = "*debug*" }, { key = "trace" }]
query_all = [{ key = "a", value = "1" }, { key = "b" }]
source_ip = ["10.0.0.0/8", "::1"]
forward = [{ service = "api", weight = 90 }, { target_group = "legacy", weight = 10 }]
stickiness = "1h"
rewrite = { host = { regex = "^old", replace = "new" }, path = { regex = "^/v1/(.*)", replace = "/$1" } }
request_headers = { set = { x-tier = "gold" }, add = { x-hop = "wharf" }, remove = ["x-debug"] }
response_headers = { remove = ["server"] }
timeout = "90s"
body_limit = "10MiB"

[[route]]
path = ["/old/*"]
redirect = { status = 301, protocol = "HTTPS", host = "#{host}", port = "443", path = "/#{path}", query = "#{query}" }

[[route]]
path = ["/closed"]
fixed = { status = 503, content_type = "text/plain", body = "back at noon" }

[[target_group]]
name = "legacy"
targets = ["http://127.0.0.1:9000", { url = "https://legacy.example.com", weight = 3 }]
version = "http2"
algorithm = "weighted_random"
slow_start = "30s"
stickiness = "1d"
fail_open = false
deregistration_delay = "5m"
connect_timeout = "3s"
tls_timeout = "4s"
idle_timeout = "20s"
keep_alive = "15s"
connections = 50
response_head = "64KiB"
verify_certificates = false
server_name = "Legacy.internal"
health = { enabled = true, path = "/up", port = 9001, interval = "5s", timeout = "2s", healthy = 3, unhealthy = 4, codes = "200-299" }
retry = { per_request = 1, percent = 10, per_second = 5 }
"##;

#[test]
fn every_key_of_a_task_is_read() {
    let manifest = parse(WHOLE);
    let task = &manifest.task;
    assert_eq!(manifest.name.as_str(), "api");
    assert_eq!(task.component, ComponentSource::Path("target/api.wasm".into()));
    assert_eq!(task.build.as_deref(), Some("cargo build"));
    assert_eq!((task.cpu.get(), task.memory), (512, Bytes::mib(64)));
    assert_eq!(
        (task.timeout, task.cpu_timeout),
        (Duration::from_secs(10), Duration::from_millis(500))
    );
    assert_eq!(task.stop_timeout, Duration::from_secs(300));
    assert_eq!(task.isolation, Isolation::Task { max_requests: 500 });
    assert_eq!((task.concurrency, task.queue, task.cpu_burst), (50, 10, true));
    assert_eq!(task.args, ["-v"]);
    assert_eq!(task.env["GREETING"], "hello");
    assert_eq!(task.secrets["API_KEY"].to_string(), "prod/weather");
    let pinned = &task.secrets["TOKEN"];
    assert_eq!(
        (pinned.json_key.as_deref(), pinned.version),
        (Some("token"), SecretVersion::new(3))
    );
    assert_eq!(task.egress.len(), 2);
    assert_eq!(task.files[0].mount.as_str(), "/static");
}

#[test]
fn every_key_of_a_service_is_read() {
    let manifest = parse(WHOLE);
    let service = service(&manifest);
    assert_eq!(service.count, 2);
    let checks = &service.group.checks;
    assert_eq!(checks.grace, Duration::from_secs(10));
    let others = [&checks.readiness, &checks.liveness, &checks.startup].map(|check| {
        let check = check.as_ref().unwrap();
        let seconds = check.interval.as_secs();
        format!("{} {seconds} {} {}", check.path, check.unhealthy, check.matcher)
    });
    assert_eq!(
        others,
        ["/ready 1 2 200-399", "/alive 10 3 200-399", "/started 1 10 204"]
    );
    let health = checks.health.as_ref().unwrap();
    assert_eq!(health.path, "/health?full=1");
    assert_eq!(
        (health.interval, health.timeout),
        (Duration::from_secs(2), Duration::from_millis(500))
    );
    assert_eq!((health.healthy.get(), health.unhealthy.get()), (2, 3));
    assert_eq!(health.matcher.to_string(), "200,204");
    let rolling = Strategy::Rolling(Bounds {
        minimum_healthy: 50,
        maximum: 150,
    });
    assert_eq!(
        service.deployment,
        DeploymentSpec {
            strategy: rolling,
            bake: Duration::from_secs(30),
            deadline: Duration::from_secs(60),
            failed_tasks: Some(4),
            on_failure: OnFailure::Halt,
            tolerance: Tolerance {
                max_errors: 2,
                min_requests: 100,
            },
        }
    );
    assert_eq!(service.routes[0].priority.map(Priority::get), Some(10));
    assert_eq!(
        service.routes[0].conditions.to_string(),
        "host *.example.com, api.example.com and path /v1/*"
    );
    assert_eq!(service.routes[1].conditions.path[0].as_str(), "/v2/*");
    assert_eq!(
        service.routes[2].conditions.to_string(),
        "header x-canary 1, beta*, ~^[0-9]+$ and header x-id ~^[a-f0-9]{8}$ and host ~^[a-z]+\\.example\\.org$ and method \
         GET, HEAD and path ~^/u/[0-9]+$ and query *debug*, trace=*, v=2 and query a=1 and query b=* and source-ip 10.0.0.0/8, ::1/128"
    );
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let manifest = parse("name = \"a\"\n[task]\ncomponent = \"a.wasm\"");
    let task = &manifest.task;
    assert_eq!((task.cpu.get(), task.memory), (256, Bytes::mib(128)));
    let half_a_minute = Duration::from_secs(30);
    assert_eq!(
        (task.timeout, task.cpu_timeout, task.stop_timeout),
        (half_a_minute, half_a_minute, half_a_minute)
    );
    assert_eq!((task.concurrency, task.queue), (100, 100));
    assert_eq!((task.isolation, task.cpu_burst), (Isolation::Request, false));
    let service = service(&manifest);
    assert_eq!(
        (service.count, service.group.checks.clone(), service.routes.len()),
        (1, Checks::default(), 0)
    );
}

#[test]
fn strategies_have_ecs_defaults() {
    for (written, strategy, bake) in [
        ("rolling", Strategy::Rolling(Bounds::default()), 0),
        ("canary", Strategy::Canary { step: 5 }, 600),
        ("linear", Strategy::Linear { step: 10 }, 360),
        ("recreate", Strategy::Recreate, 0),
    ] {
        let text =
            format!("name = \"a\"\n[task]\ncomponent = \"a.wasm\"\n[deployment]\nstrategy = {written:?}");
        let manifest = parse(&text);
        let expected = DeploymentSpec {
            strategy,
            bake: Duration::from_secs(bake),
            ..DeploymentSpec::default()
        };
        assert_eq!(service(&manifest).deployment, expected);
    }
    let bounds = Bounds::default();
    assert_eq!((bounds.minimum_healthy, bounds.maximum), (100, 200));
}

#[test]
fn defaults_follow_what_is_set() {
    let text = "name = \"a\"\n[task]\ncomponent = \"a.wasm\"\ntimeout = \"2s\"\nconcurrency = 7\nisolation = \"task\"";
    let task = parse(text).task;
    assert_eq!(task.cpu_timeout, Duration::from_secs(2));
    assert_eq!(task.queue, 7);
    assert_eq!(task.isolation, Isolation::Task { max_requests: 1000 });
    let health = parse("name = \"a\"\n[task]\ncomponent = \"a.wasm\"\n[health]\npath = \"/\"");
    let health = service(&health).group.checks.health.clone().unwrap();
    assert_eq!(
        (health.interval, health.timeout),
        (Duration::from_secs(1), Duration::from_secs(1))
    );
    assert_eq!((health.healthy.get(), health.unhealthy.get()), (1, 2));
    assert_eq!(health.matcher.to_string(), "200-399");
}

#[test]
fn a_check_of_its_own_may_be_the_only_one() {
    let text = "name = \"a\"\n[task]\ncomponent = \"a.wasm\"\n[health]\ngrace = \"5s\"\n[health.liveness]\npath = \"/alive\"";
    let manifest = parse(text);
    let checks = &service(&manifest).group.checks;
    assert!(checks.health.is_none() && checks.readiness.is_none() && checks.startup.is_none());
    assert_eq!(checks.liveness.as_ref().unwrap().path, "/alive");
    assert_eq!(checks.grace, Duration::from_secs(5));
}

#[test]
fn toml_and_json_are_one_format() {
    let file = ManifestFile::parse("wharf.toml", WHOLE).unwrap();
    let json = serde_json::to_value(file.text()).unwrap();
    assert_eq!(Manifest::from_json(json).unwrap(), file.check().unwrap());
    assert_eq!(Manifest::from_text(file.text()).unwrap(), file.check().unwrap());
}

#[test]
fn packaged_text_names_a_digest_and_nothing_of_this_machine() {
    let digest = Digest::from_sha256([1; 32]);
    let text = ManifestFile::parse("wharf.toml", WHOLE)
        .unwrap()
        .text()
        .clone()
        .packaged(&digest);
    let manifest = Manifest::from_text(&text).unwrap();
    assert_eq!(manifest.component_digest().unwrap(), &digest);
    assert_eq!(manifest.task.build, None);

    let refused = parse(WHOLE).component_digest().unwrap_err().to_string();
    assert_eq!(
        refused,
        "task.component: `target/api.wasm` is a file, the server needs a digest: upload the component and \
         name it by its `sha256:…`; `wharf deploy` does both"
    );
}

#[test]
fn default_hosts() {
    let api: ServiceName = "api".parse().unwrap();
    assert_eq!(
        default_host(&api, &NamespaceName::default_namespace()),
        "api.localhost"
    );
    assert_eq!(default_host(&api, &"team".parse().unwrap()), "api.team.localhost");
}
