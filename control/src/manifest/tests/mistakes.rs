//! Each mistake, and the sentence it is answered with.

mod deployment;
mod environment;
mod files;
mod jobs;
mod routing;
mod scaling;

use super::*;

/// What is said about `text`, one line each.
fn said(text: &str) -> Vec<String> {
    let errors = Manifest::from_toml("wharf.toml", text).expect_err(text);
    errors.iter().map(ToString::to_string).collect()
}

/// A manifest whose `[task]` ends in `line`, which is line 5.
fn task(line: &str) -> String {
    format!("name = \"api\"\n\n[task]\ncomponent = \"a.wasm\"\n{line}\n")
}

/// A manifest that ends in `rest`, which begins at line 4.
fn after_task(rest: &str) -> String {
    format!("name = \"api\"\n[task]\ncomponent = \"a.wasm\"\n{rest}\n")
}

const TASK: &[(&str, &str)] = &[
    (
        "memroy = \"64MiB\"",
        "5:1: unknown key `memroy` in [task]: did you mean `memory`?",
    ),
    (
        "count = 2",
        "5:1: unknown key `count` in [task]: it belongs in [service]",
    ),
    ("CPU = 2", "5:1: unknown key `CPU` in [task]: did you mean `cpu`?"),
    (
        "cpu = \"256\"",
        "5:1: `cpu` in [task] is a text, it needs to be a whole number: like cpu = 256",
    ),
    (
        "cpu = 0.5",
        "5:1: `cpu` in [task] is a fraction, it needs to be a whole number: like cpu = 256",
    ),
    ("cpu = 0", "5:1: `cpu` in [task] is 0: it goes from 1 to 1048576"),
    (
        "cpu = -1",
        "5:1: `cpu` in [task] is -1: it goes from 1 to 1048576",
    ),
    (
        "cpu = 99999999999",
        "5:1: `cpu` in [task] is 99999999999: it goes from 1 to 1048576",
    ),
    (
        "cpu = 99999999999999999999999",
        "5:1: `cpu` in [task] is a number that is too large, it needs to be a whole number: like cpu = 256",
    ),
    (
        "memory = 64",
        "5:1: `memory` in [task] is a whole number, it needs to be a text: like memory = \"64MiB\"",
    ),
    (
        "memory = \"64MB\"",
        "5:1: `memory` in [task]: `64MB` is not a size: write a whole number with KiB, MiB or GiB, like \"64MiB\"",
    ),
    (
        "memory = \"1KiB\"",
        "5:1: `memory` in [task] is 1KiB: it goes from 1MiB to 16TiB",
    ),
    (
        "memory = \"17TiB\"",
        "5:1: `memory` in [task] is 17TiB: it goes from 1MiB to 16TiB",
    ),
    (
        "timeout = 30",
        "5:1: `timeout` in [task] is a whole number, it needs to be a text: like timeout = \"30s\"",
    ),
    (
        "timeout = \"30\"",
        "5:1: `timeout` in [task]: `30` is not a duration: write a whole number with ms, s, m, h or d, like \"30s\"",
    ),
    (
        "timeout = \"0s\"",
        "5:1: `timeout` in [task] is 0s: it goes from 1ms to 24h",
    ),
    (
        "stop_timeout = \"2h\"",
        "5:1: `stop_timeout` in [task] is 2h: it goes from 0s to 1h",
    ),
    (
        "cpu_timeout = \"31s\"",
        "5:1: `cpu_timeout` in [task] is 31s, longer than `timeout`, 30s: CPU time can't be longer than the time \
             it is used in: shorten it, or lengthen `timeout`",
    ),
    (
        "isolation = \"none\"",
        "5:1: `isolation` in [task] is `none`: it is \"request\" or \"task\"",
    ),
    (
        "max_requests = 10",
        "5:1: `max_requests` in [task] together with isolation \"request\": there, each instance serves one \
             request: remove it, or set isolation = \"task\"",
    ),
    (
        "concurrency = 0",
        "5:1: `concurrency` in [task] is 0: it goes from 1 to 10000",
    ),
    (
        "queue = -1",
        "5:1: `queue` in [task] is -1: it goes from 0 to 10000",
    ),
    (
        "cpu_burst = 1",
        "5:1: `cpu_burst` in [task] is a whole number, it needs to be true or false: like cpu_burst = true",
    ),
    (
        "args = \"-v\"",
        "5:1: `args` in [task] is a text, it needs to be a list of texts: like args = [\"--verbose\"]",
    ),
    (
        "args = [1]",
        "5:9: `task.args[0]` is a whole number, it needs to be a text: put it in quotes: \"1\"",
    ),
    (
        "args = [\"a\\u0000\"]",
        "5:9: `task.args[0]` has a NUL character: leave it out, it can't be passed on",
    ),
    ("component = \"b.wasm\"", "5:1: duplicate key"),
];

#[test]
fn mistakes_in_task() {
    for (line, wanted) in TASK {
        assert_eq!(said(&task(line)), [format!("wharf.toml:{wanted}")], "{line}");
    }
}

const SECTIONS: &[(&str, &str)] = &[
    (
        "[servce]",
        "4:2: unknown key `servce` in the manifest: did you mean `service`?",
    ),
    (
        "[service]\ncount = 5001",
        "5:1: `count` in [service] is 5001: it goes from 0 to 5000",
    ),
    (
        "[service]\nreplicas = 1",
        "5:1: unknown key `replicas` in [service]: the keys are count, algorithm, slow_start, stickiness, fail_open",
    ),
    (
        "[service]\nmemory = \"1GiB\"",
        "5:1: unknown key `memory` in [service]: it belongs in [task]",
    ),
    (
        "[service]\n[job]",
        "4:2: [service] together with [job]: a job runs to its end and answers no requests: remove one of the two",
    ),
    (
        "[job]\nevery = \"1h\"",
        "5:1: unknown key `every` in [job]: the keys are count, parallelism, retries, backoff, deadline, ttl, history, \
             schedule, timezone, concurrency_policy, starting_deadline",
    ),
    (
        "[[listener]]\nname = \"https\"",
        "4:3: `listener` doesn't belong in the manifest: listeners are the whole server's: put them into a file of their \
             own, for `wharf apply`",
    ),
    (
        "[health]\ninterval = \"1s\"",
        "4:2: [health] has no `path`: say what to ask for, like path = \"/health\"; without checks, alive is \
             healthy",
    ),
    (
        "[health]\npath = \"health\"",
        "5:1: `path` in [health] is `health`: it is a path from the root, like \"/health\"",
    ),
    (
        "[health]\npath = \"/\"\ninterval = \"1ms\"",
        "6:1: `interval` in [health] is 1ms: it goes from 100ms to 1h",
    ),
    (
        "[health]\npath = \"/\"\nhealthy = 0",
        "6:1: `healthy` in [health] is 0: it goes from 1 to 10",
    ),
    (
        "[health]\npath = \"/\"\ncodes = \"2xx\"",
        "6:1: `codes` in [health]: `2xx` is no status or range of statuses: write 200, 200-399 or 200,204, each \
             from 100 to 599",
    ),
    (
        "[health]\ngrace = \"5s\"",
        "4:2: [health] has no `path`: say what to ask for, like path = \"/health\"; without checks, alive is \
             healthy",
    ),
    (
        "[health]\npath = \"/\"\ngrace = \"2h\"",
        "6:1: `grace` in [health] is 2h: it goes from 0s to 1h",
    ),
    (
        "[health]\npath = \"/\"\ngrace = 5",
        "6:1: `grace` in [health] is a whole number, it needs to be a text: like grace = \"10s\"",
    ),
    (
        "[health.readiness]\ninterval = \"1s\"",
        "4:9: [health.readiness] has no `path`: say what to ask for, like path = \"/health\"; without \
             checks, alive is healthy",
    ),
    (
        "[health]\ninterval = \"2s\"\n[health.liveness]\npath = \"/\"",
        "4:2: [health] has no `path`: say what to ask for, like path = \"/health\"; without checks, alive is \
             healthy",
    ),
    (
        "[health.liveness]\npath = \"/\"\nunhealthy = 11",
        "6:1: `unhealthy` in [health.liveness] is 11: it goes from 1 to 10",
    ),
    (
        "[health.startup]\npath = \"/\"\ngrace = \"5s\"",
        "6:1: unknown key `grace` in [health.startup]: it belongs in [health]",
    ),
    (
        "[health]\npath = \"/\"\nready = \"/\"",
        "6:1: unknown key `ready` in [health]: the keys are path, interval, timeout, healthy, unhealthy, codes, grace, \
             readiness, liveness, startup",
    ),
    (
        "[job]\n[health.liveness]\npath = \"/\"",
        "5:2: [health] together with [job]: a job runs to its end and answers no requests: remove one of the two",
    ),
];

#[test]
fn mistakes_around_the_task() {
    for (rest, wanted) in SECTIONS {
        assert_eq!(
            said(&after_task(rest)),
            [format!("wharf.toml:{wanted}")],
            "{rest}"
        );
    }
}

const ROUTES: &[(&str, &str)] = &[
    (
        "[[route]]\nhosts = [\"a\"]",
        "5:1: unknown key `hosts` in [[route]]: did you mean `host`?",
    ),
    (
        "[[route]]\nhost = \"a\"",
        "5:1: `host` in [[route]] is a text, it needs to be a list of texts: like host = [\"api.example.com\"]",
    ),
    (
        "[[route]]\npriority = 0",
        "5:1: `priority` in [[route]] is 0: it goes from 1 to 50000, lower goes first",
    ),
    (
        "[[route]]\nhost = [\"http://a.test\"]",
        "5:9: the host pattern `http://a.test` has a ':', which no host contains; leave the port out, any port matches",
    ),
    (
        "[[route]]\npath = [\"v1\"]",
        "5:9: the path pattern `v1` never matches: a path begins with `/`",
    ),
    (
        "[[route]]\nhost = [\"a.test\"]\n[[route]]\nhost = [\"A.test\"]",
        "6:1: [[route]] number 2 repeats [[route]] number 1: host a.test: change or remove one of them",
    ),
    (
        "[route]\nhost = [\"a\"]",
        "4:2: `route` in the manifest is a table, it needs to be a list of tables: write tables, each [[route]]",
    ),
];

#[test]
fn mistakes_in_routes() {
    for (rest, wanted) in ROUTES {
        assert_eq!(
            said(&after_task(rest)),
            [format!("wharf.toml:{wanted}")],
            "{rest}"
        );
    }
}

#[test]
fn missing_keys_say_what_to_write() {
    assert_eq!(
        said(""),
        [
            "wharf.toml:1:1: the manifest has no `name`: add one at the top: name = \"api\"",
            "wharf.toml:1:1: [task] has no `component`: name the file: component = \
             \"target/wasm32-wasip2/release/api.wasm\"",
        ]
    );
    assert_eq!(
        said("name = \"Api_2\"\n[task]\ncomponent = \"a.wasm\""),
        [
            "wharf.toml:1:1: `name`: `Api_2` is not a service's name: it has 'A'; use a-z, 0-9 and `-` (no capitals)"
        ]
    );
}

#[test]
fn everything_is_said_at_once_and_in_order() {
    let text = "nmae = \"api\"\n[task]\ncpu = 0\nmemory = 5\ntimeout = \"x\"\n[service]\ncount = -1\n";
    let places: Vec<String> = said(text)
        .iter()
        .map(|line| line.split(": ").next().unwrap().to_owned())
        .collect();
    assert_eq!(
        places,
        [
            "wharf.toml:1:1", // no name
            "wharf.toml:1:1", // nmae
            "wharf.toml:2:2", // no component
            "wharf.toml:3:1",
            "wharf.toml:4:1",
            "wharf.toml:5:1",
            "wharf.toml:7:1",
        ]
    );
}

#[test]
fn what_is_no_toml_is_placed_too() {
    assert!(said("name = \"api\"\n[task\n")[0].starts_with("wharf.toml:2:"));
    assert!(said("name = \n")[0].starts_with("wharf.toml:1:"));
    let large = format!("name = \"{}\"", "a".repeat(2 << 20));
    assert_eq!(
        said(&large),
        ["wharf.toml:1:1: it has 2097161 bytes, 1048576 are allowed"]
    );
}

#[test]
fn json_is_answered_with_the_field() {
    let manifest = serde_json::json!({
        "name": "api",
        "task": { "component": "a.wasm", "cpu": 0, "env": { "A": 1 } },
        "route": [{ "host": ["a.test"] }, { "host": ["a.test"] }],
        "replicas": 3,
    });
    let errors = Manifest::from_json(manifest).unwrap_err();
    let fields: Vec<String> = errors.iter().map(|error| error.field().to_string()).collect();
    assert_eq!(fields, ["replicas", "route[1]", "task.cpu", "task.env.A"]);
    assert_eq!(
        errors.iter().nth(2).unwrap().to_string(),
        "task.cpu: `cpu` in [task] is 0: it goes from 1 to 1048576"
    );
    assert!(Manifest::from_json(serde_json::json!([1])).is_err());
}

/// The table of keys and the types are two lists of the same: each key of the one is read by the other.
#[test]
fn the_table_of_keys_and_the_types_agree() {
    let whole = serde_json::to_value(ManifestFile::parse("wharf.toml", WHOLE).unwrap().text()).unwrap();
    let (text, errors) = file::shape_and_read::<ManifestText>(whole.clone(), shape::MANIFEST);
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(serde_json::to_value(text).unwrap(), whole);
}
