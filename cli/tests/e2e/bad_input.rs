//! What is wrong is refused: where it is, what it is, what to do.

use std::io::Write as _;

use crate::http::Call;
use crate::project::{Guest, Project, service};
use crate::server::Server;

/// Manifests that are refused, with what the message has to say.
const MANIFESTS: [(&str, &[&str]); 16] = [
    (
        "name = \"web\"\n[task]\ncomponent = \"app.wasm\"\nmemry = \"1MiB\"\n",
        &["wharf.toml:4", "memry", "memory"],
    ),
    (
        "name = \"web\"\n[tsk]\ncomponent = \"app.wasm\"\n",
        &["wharf.toml:2", "tsk", "task"],
    ),
    ("[task]\ncomponent = \"app.wasm\"\n", &["wharf.toml", "name"]),
    (
        "name = \"web\"\n[task]\ncomponent = \"app.wasm\"\n[scaling]\nmin = 4\nmax = 2\n",
        &["wharf.toml:5:1: `min` in [scaling] is 4, more than `max`, 2"],
    ),
    ("name = \"web\"\n[task]\n", &["wharf.toml:2", "component"]),
    (
        "name = \"Web!\"\n[task]\ncomponent = \"app.wasm\"\n",
        &["wharf.toml:1", "Web!"],
    ),
    (
        "name = \"web\"\n[task]\ncomponent = \"app.wasm\"\ncpu = \"lots\"\n",
        &["wharf.toml:4"],
    ),
    (
        "name = \"web\"\n[task]\ncomponent = \"app.wasm\"\ncpu = 0\n",
        &["wharf.toml:4"],
    ),
    (
        "name = \"web\"\n[task]\ncomponent = \"app.wasm\"\nmemory = \"64\"\n",
        &["wharf.toml:4"],
    ),
    (
        "name = \"web\"\n[task]\ncomponent = \"app.wasm\"\nenv = { A = \"1\" }\nsecrets = { A = \"s\" }\n",
        &["wharf.toml:", "A", "secrets"],
    ),
    (
        "name = \"web\"\n[task]\ncomponent = \"app.wasm\"\nfiles = [{ source = \"../up\", mount = \"/x\" }]\n",
        &["wharf.toml:4", "../up"],
    ),
    (
        "name = \"web\"\n[task]\ncomponent = \"app.wasm\"\nfiles = [{ source = \"static\", mount = \"/proc\" }]\n",
        &["wharf.toml:4", "/proc"],
    ),
    (
        "name = \"web\"\n[task]\ncomponent = \"app.wasm\"\n[[route]]\nhost = [\"a.b\"]\n[[route]]\nhost = [\"a.b\"]\n",
        &["wharf.toml:", "a.b", "route"],
    ),
    (
        "name = \"web\"\n[task]\ncomponent = \"app.wasm\"\n[service]\n[job]\n",
        &["wharf.toml:4", "[service]", "[job]"],
    ),
    (
        "name = \"web\"\n[task]\ncomponent = \"app.wasm\"\nfiles = [{ source = \"gone\", mount = \"/x\" }]\n",
        &["wharf.toml:4", "gone", "correct `source`"],
    ),
    ("name = \"web\n", &["wharf.toml:1"]),
];

#[test]
fn a_bad_manifest_is_refused_where_it_is_bad() {
    let server = Server::start();
    for (manifest, words) in MANIFESTS {
        server
            .wharf()
            .call(["deploy", Project::new(Guest::Http, manifest).path()])
            .failed_saying(64, words);
    }
    assert_eq!(
        server.wharf().json(["services"])["services"]
            .as_array()
            .map(Vec::len),
        Some(0)
    );
}

#[test]
fn what_only_the_server_can_see_in_a_manifest_is_told_with_its_place_too() {
    let server = Server::start();
    let worker = |rest: &str| {
        let manifest = format!("name = \"worker\"\n[task]\ncomponent = \"app.wasm\"\n{rest}");
        Project::new(Guest::Command, &manifest)
    };
    for (rest, words) in [
        (
            "[scaling]\nmax = 3\nrequests = 10\n",
            ["wharf.toml:6:1", "`requests` in [scaling]", "remove it"],
        ),
        (
            "[scaling]\nmax = 3\ncpu = 60\nqueue = 4\n",
            ["wharf.toml:7:1", "`queue` in [scaling]", "remove it"],
        ),
        (
            "[scaling]\nidle = \"5m\"\n",
            ["wharf.toml:5:1", "`idle` in [scaling]", "remove it"],
        ),
        (
            "[health]\npath = \"/health\"\n",
            ["wharf.toml:4:2", "[health]", "remove it"],
        ),
    ] {
        server
            .wharf()
            .call(["deploy", worker(rest).path()])
            .failed_saying(64, &words);
    }
    // What was typed is nowhere in the file.
    let large = worker("memory = \"64MiB\"\n");
    let refused = server.wharf().call(["deploy", "--memory", "1MiB", large.path()]);
    refused.failed_saying(2, &["task.memory", "needs at least"]);
    assert!(!refused.stderr.contains("wharf.toml"), "{refused:?}");
}

#[test]
fn a_missing_component_names_the_command_that_builds_it() {
    let server = Server::start();
    let manifest = "name = \"web\"\n[task]\ncomponent = \"target/web.wasm\"\nbuild = \"make web\"\n";
    let ended = server
        .wharf()
        .call(["deploy", Project::new(Guest::Http, manifest).path()]);
    ended.failed_saying(64, &["target/web.wasm", "make web"]);
}

#[test]
fn a_component_over_the_limit_is_refused_before_it_is_sent() {
    let server = Server::start();
    let project = Project::service("web", "");
    let component = std::fs::File::create(format!("{}/app.wasm", project.path())).expect("made");
    component.set_len((64 << 20) + 1).expect("a sparse file");
    server
        .wharf()
        .call(["deploy", project.path()])
        .failed_saying(64, &["64 MiB"]);
}

#[test]
fn a_path_that_is_not_there_is_refused() {
    let server = Server::start();
    server
        .wharf()
        .call(["deploy", "/nowhere/at/all"])
        .failed_saying(64, &["/nowhere/at/all"]);
    let empty = tempfile::tempdir().expect("a temporary directory");
    server
        .wharf()
        .call(["deploy", empty.path().to_str().expect("UTF-8")])
        .failed_saying(64, &["wharf.toml"]);
}

#[test]
fn what_is_no_component_of_a_known_world_is_refused() {
    let server = Server::start();
    for (content, words) in [
        ("not wasm at all", &["wharf.toml:3:1: ", "offset"][..]),
        (
            "\0asm\u{1}\0\0\0",
            &["wharf.toml:3:1: ", "core WebAssembly module"],
        ),
    ] {
        let project = Project::service("web", "");
        project.write("app.wasm", content);
        server
            .wharf()
            .call(["deploy", project.path()])
            .failed_saying(64, words);
    }
}

#[test]
fn a_task_larger_than_the_host_is_refused_at_once() {
    let server = Server::start();
    let project = Project::service("web", "cpu = 1000000");
    server
        .wharf()
        .call(["deploy", project.path()])
        .failed_saying(64, &["wharf.toml:2:2: ", "1000000", "this host"]);
}

#[test]
fn less_memory_than_the_component_needs_is_refused_with_the_figures() {
    let server = Server::start();
    let project = Project::service("web", "memory = \"1MiB\"");
    server.wharf().call(["deploy", project.path()]).failed_saying(
        64,
        &[
            "wharf.toml:4:1: this component needs at least",
            "has 1MiB",
            "set task.memory to",
        ],
    );
    // A bare component's memory is the default, and other overrides are not to blame for what is written.
    let bare = format!("{}/app.wasm", project.path());
    server
        .wharf()
        .call(["deploy", "--memory", "1MiB", &bare])
        .failed_saying(2, &["task.memory: this component needs at least"]);
    server
        .wharf()
        .call(["deploy", "--env", "A=1", "--count", "2", project.path()])
        .failed_saying(64, &["wharf.toml:4:1: this component needs at least"]);
}

#[test]
fn a_refused_run_names_the_line_unless_it_was_typed() {
    let server = Server::start();
    let job = Project::new(
        Guest::Command,
        "name = \"work\"\n[task]\ncomponent = \"app.wasm\"\nmemory = \"1MiB\"\n[job]\n",
    );
    server
        .wharf()
        .call(["run", job.path()])
        .failed_saying(64, &["wharf.toml:4:1: this component needs at least"]);
    let typed = Project::job("other", r#"["ok"]"#);
    let refused = server.wharf().call(["run", "--memory", "1MiB", typed.path()]);
    refused.failed_saying(2, &["task.memory: this component needs at least"]);
    assert!(!refused.stderr.contains("wharf.toml"), "{refused:?}");
    // Nor does it matter that the definition is there already.
    server.wharf().ok(["run", typed.path()]);
    for words in [["--memory", "1MiB"], ["--cpu", "1000000"]] {
        server
            .wharf()
            .call(["run", "other"].iter().chain(&words))
            .failed_saying(2, &["what was typed cannot be used: "]);
    }
}

#[test]
fn what_leads_nowhere_or_is_not_for_this_namespace_is_the_manifests_fault() {
    let server = Server::start();
    server.wharf().ok(["namespace", "create", "red"]);
    for (rest, words) in [
        (
            "egress = [\"http://127.0.0.1:9000\"]\n",
            &["wharf.toml:4:1: ", "server's own host"][..],
        ),
        (
            "[[route]]\nhost = [\"a.test\"]\nforward = [{ service = \"nobody\" }]\n",
            &["wharf.toml:4:3: ", "nobody"],
        ),
        (
            "[[route]]\nhost = [\"a.test\"]\nlistener = [\"none\"]\n[[route]]\nhost = [\"b.test\"]\n",
            &["wharf.toml: route", "`none`"],
        ),
        (
            "[[target_group]]\nname = \"own\"\ntargets = [\"http://127.0.0.1:9000\"]\n",
            &["wharf.toml:4:3: ", "address of the host itself"],
        ),
    ] {
        let project = Project::new(
            Guest::Http,
            &format!("name = \"web\"\n[task]\ncomponent = \"app.wasm\"\n{rest}"),
        );
        server
            .wharf()
            .call(["deploy", "--namespace", "red", project.path()])
            .failed_saying(64, words);
    }
}

#[test]
fn wrong_words_are_a_usage_error() {
    let server = Server::start();
    let project = Project::service("web", "env = { A = \"1\" }");
    let path = project.path();
    for (words, said) in [
        (&["deploy", path, "--env", "A"][..], "--env"),
        (&["deploy", path, "--cpu", "0"], "--cpu"),
        (
            &["deploy", path, "--memory", "1KiB"],
            "'1KiB' for '--memory <SIZE>': it goes from 1MiB to 16TiB",
        ),
        (
            &["deploy", path, "--count", "5001"],
            "'5001' for '--count <N>': 5001 is not in 0..=5000",
        ),
        (
            &["deploy", path, "--env", "B=1", "--secret", "B=s"],
            "both --env and --secret give `B`",
        ),
        (
            &["run", "job", "--env", "B=1", "--env", "B=2"],
            "--env gives `B` twice",
        ),
        (&["namespace", "create", "Bad NS"], "Bad NS"),
        (&["secret", "set", "a b"], "a b"),
        (&["secret", "set", "../x"], "../x"),
        (&["scale", "web", "many"], "many"),
        (&["scale", "web", "5001"], "5001"),
        (&["fly"], "fly"),
        (&["describe", "pod", "x"], "pod"),
    ] {
        let ended = server.wharf().call(words);
        ended.failed_saying(2, &[said]);
        assert!(!ended.stderr.contains("wharf.toml"), "{}", ended.stderr);
    }
}

#[test]
fn no_server_is_said_as_such() {
    let server = Server::start();
    let wharf = server.wharf();
    let _directory = server.kill();
    wharf.with_token("any").call(["ps"]).failed_saying(
        1,
        &[
            "cannot reach the API",
            "the connection was refused",
            "\n  start the server with `wharf serve`",
        ],
    );
}

#[test]
fn the_gateway_answers_bad_requests_by_itself() {
    let server = Server::start();
    server.wharf().ok(["deploy", Project::service("web", "").path()]);

    let answer = server.get("nobody.localhost", "/");
    assert_eq!(answer.status, 404);
    assert!(
        answer.json()["error"].is_string() && answer.json()["requestId"].is_string(),
        "{answer:?}"
    );
    assert_eq!(
        server
            .send(Call {
                method: "TRACE",
                ..Call::get("web.localhost", "/")
            })
            .status,
        405
    );
    let long = "x".repeat(80 << 10);
    assert_eq!(
        server
            .send(Call::get("web.localhost", "/ok").header("x-bomb", &long))
            .status,
        431
    );
    let mut stream = std::net::TcpStream::connect(server.http).expect("it listens");
    stream.write_all(b"nonsense\r\n\r\n").expect("written");
    assert!(
        crate::server::read_all(stream)
            .join()
            .expect("read")
            .starts_with("HTTP/1.1 400")
    );
    assert_eq!(server.get("web.localhost", "/ok").status, 200);
}

#[test]
fn a_body_over_the_limit_is_refused() {
    let server = Server::start();
    server.wharf().ok(["deploy", Project::service("web", "").path()]);
    let mut stream = std::net::TcpStream::connect(server.http).expect("it listens");
    let head = format!(
        "POST /echo HTTP/1.1\r\nhost: web.localhost\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        101_u64 << 20
    );
    stream.write_all(head.as_bytes()).expect("written");
    assert!(
        crate::server::read_all(stream)
            .join()
            .expect("read")
            .starts_with("HTTP/1.1 413")
    );
}

/// A component, as bytes, that imports an instance and does nothing else.
fn component_importing(name: &str) -> Vec<u8> {
    let length = |bytes: usize| u8::try_from(bytes).expect("less than 128, one LEB128 byte");
    // Preamble, then a type section with one empty instance type.
    let mut bytes = b"\0asm\x0d\0\x01\0\x07\x03\x01\x42\0".to_vec();
    // The import section: one import, by its plain name, of an instance of that type.
    bytes.extend([0x0a, length(name.len() + 5), 1, 0, length(name.len())]);
    bytes.extend(name.as_bytes());
    bytes.extend([5, 0]);
    bytes
}

#[test]
fn a_component_that_wants_what_is_not_offered_is_refused_by_its_name() {
    let server = Server::start();
    let project = Project::new(Guest::Http, &service("web", ""));
    std::fs::write(
        format!("{}/app.wasm", project.path()),
        component_importing("acme:db/store@1.0.0"),
    )
    .expect("written");
    server
        .wharf()
        .call(["deploy", project.path()])
        .failed_saying(64, &["acme:db/store@1.0.0"]);
}
