//! What `kill -9` and a second server do: nothing.

use crate::project::Project;
use crate::server::{Server, until};

#[test]
fn a_killed_server_brings_everything_back() {
    let server = Server::start();
    let data = server.data().to_owned();
    server.wharf().with_input(["secret", "set", "key"], "kept");
    let project = Project::service("web", "secrets = { KEY = \"key\" }");
    server.wharf().ok(["deploy", project.path(), "--count", "2"]);
    let _directory = server.kill();

    let server = Server::start_on(&data);
    let answer = until("it answers again", || {
        Some(server.get("web.localhost", "/env")).filter(|answer| answer.status == 200)
    });
    assert_eq!(answer.json()["KEY"], "kept");
    until("both tasks are back", || {
        let service = server.wharf().json(["describe", "service", "web"])["service"].clone();
        (service["runningCount"] == 2).then_some(())
    });
    assert_eq!(
        server.wharf().json(["deploy", project.path(), "--count", "2"])["unchanged"],
        true
    );
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let server = Server::start();
    let second = Server::start_another(server.data());
    let data = server.data().display().to_string();
    second.failed_saying(1, &[&data]);
    assert!(server.terminate().success());
}
