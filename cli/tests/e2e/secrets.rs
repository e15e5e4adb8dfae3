//! Secrets: set, used, rotated; never shown, never on disk in the clear.

use std::fs;
use std::path::Path;

use crate::project::Project;
use crate::server::{Server, until};

const VALUE: &str = "correct-horse-battery-staple";

fn set(server: &Server, name: &str, value: &str) {
    let ended = server.wharf().with_input(["secret", "set", name], value);
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[test]
fn a_rotated_secret_reaches_the_next_request_without_a_deploy() {
    let server = Server::start();
    set(&server, "prod/key", &format!("{VALUE}\n"));
    server.wharf().ok([
        "deploy",
        Project::service("web", "secrets = { KEY = \"prod/key\" }").path(),
    ]);
    assert_eq!(server.get("web.localhost", "/env").json()["KEY"], VALUE);
    set(&server, "prod/key", "another");
    assert_eq!(server.get("web.localhost", "/env").json()["KEY"], "another");
}

#[test]
fn a_version_may_be_pinned_and_a_part_of_json_taken() {
    let server = Server::start();
    set(&server, "db", r#"{"user":"ada","password":"first"}"#);
    let project = Project::service(
        "web",
        "secrets = { PINNED = \"db:password@1\", LATEST = \"db:password\" }",
    );
    server.wharf().ok(["deploy", project.path()]);
    set(&server, "db", r#"{"user":"ada","password":"second"}"#);
    let env = server.get("web.localhost", "/env").json();
    assert_eq!(
        (&env["PINNED"], &env["LATEST"]),
        (&"first".into(), &"second".into())
    );
}

#[test]
fn a_value_is_never_shown_and_never_stored_in_the_clear() {
    let server = Server::start();
    set(&server, "key", VALUE);
    server.wharf().ok([
        "deploy",
        Project::service("web", "secrets = { KEY = \"key\" }").path(),
    ]);
    for words in [
        vec!["secret", "list"],
        vec!["describe", "service", "web"],
        vec!["describe", "task-definition", "web"],
        vec!["events"],
    ] {
        let shown = server.wharf().ok(words.iter().chain(&["--output", "json"]));
        assert!(!shown.contains(VALUE), "{words:?} shows it");
    }
    assert!(files_with(server.data(), VALUE.as_bytes()).is_empty());
}

/// The files below a folder that hold these bytes.
fn files_with(folder: &Path, needle: &[u8]) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(files_with(&path, needle));
        } else if fs::read(&path)
            .expect("readable")
            .windows(needle.len())
            .any(|window| window == needle)
        {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_missing_secret_keeps_the_task_pending_until_it_is_set() {
    let server = Server::start();
    let project = Project::service("web", "secrets = { KEY = \"late\" }");
    let mut deploying = server.wharf().spawn(["deploy", project.path()]);
    until("the task waits and says for what", || {
        let tasks = server.wharf().json(["ps", "web"]);
        let task = tasks["tasks"].get(0)?.clone();
        let says = task["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("late"));
        (task["lastStatus"] == "PENDING" && says).then_some(())
    });
    set(&server, "late", VALUE);
    assert!(deploying.wait().expect("our child").success());
    assert_eq!(server.get("web.localhost", "/env").json()["KEY"], VALUE);
}

#[test]
fn a_secret_in_use_cannot_be_deleted() {
    let server = Server::start();
    set(&server, "key", VALUE);
    server.wharf().ok([
        "deploy",
        Project::service("web", "secrets = { KEY = \"key\" }").path(),
    ]);
    server
        .wharf()
        .call(["secret", "delete", "key"])
        .failed_saying(1, &["web"]);
    server.wharf().ok(["delete", "web"]);
    server.wharf().ok(["secret", "delete", "key"]);
    server
        .wharf()
        .call(["secret", "delete", "key"])
        .failed_saying(1, &["there is no secret `key`", "wharf secret list"]);
}

#[test]
fn an_empty_value_is_refused() {
    let server = Server::start();
    server
        .wharf()
        .with_input(["secret", "set", "key"], "\n")
        .failed_saying(2, &["empty"]);
}

#[test]
fn a_deploy_that_waits_for_a_secret_says_so_when_its_time_is_up() {
    let server = Server::start();
    let project = Project::service("web", "secrets = { KEY = \"not/there\" }");
    server
        .wharf()
        .call(["deploy", project.path(), "--timeout", "5"])
        .failed_saying(1, &["has not ended", "not/there"]);
}
