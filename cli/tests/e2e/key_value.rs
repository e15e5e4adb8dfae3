//! What services keep.

use crate::project::{Guest, Project};
use crate::server::{Server, until};

fn deploy(server: &Server, name: &str) -> Project {
    let manifest = format!("name = {name:?}\n[task]\ncomponent = \"app.wasm\"\n");
    let project = Project::new(Guest::KeyValue, &manifest);
    server.wharf().ok(["deploy", project.path()]);
    project
}

/// What a service says to a command.
fn say(server: &Server, name: &str, command: &str) -> String {
    let answer = server.get(&format!("{name}.localhost"), &format!("/own?{command}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

#[test]
fn what_was_kept_survives_a_kill() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let server = Server::start_on(directory.path());
    deploy(&server, "notes");
    assert_eq!(say(&server, "notes", "set,k,kept"), "ok");
    assert_eq!(say(&server, "notes", "increment,n,41"), "41");
    assert_eq!(say(&server, "notes", "expire,e,over,1"), "ok");
    server.kill();
    let server = Server::start_on(directory.path());
    let kept = until("it answers again", || {
        let answer = server.get("notes.localhost", "/own?get,k;increment,n,1;get,e");
        (answer.status == 200).then_some(answer.body)
    });
    assert_eq!(kept, "kept\n42\n-");
}

#[test]
fn data_is_its_service_s_and_goes_with_it() {
    let server = Server::start();
    let notes = deploy(&server, "notes");
    deploy(&server, "other");
    assert_eq!(say(&server, "notes", "set,k,notes"), "ok");
    assert_eq!(say(&server, "other", "get,k"), "-");
    assert_eq!(say(&server, "other", "set,k,other"), "ok");
    let wharf = server.wharf();
    // Another revision's tasks find what those before kept.
    wharf.ok(["deploy", notes.path(), "--cpu", "128"]);
    assert_eq!(say(&server, "notes", "get,k"), "notes");
    let deleted = wharf.ok(["delete", "notes"]);
    assert_eq!(deleted.trim(), "notes: deleted, with its log and its data");
    wharf.ok(["deploy", notes.path()]);
    assert_eq!(say(&server, "notes", "get,k"), "-");
    assert_eq!(say(&server, "other", "get,k"), "other");
    let help = wharf.ok(["delete", "--help"]);
    assert!(help.contains("and its data"), "{help}");
}
