//! What the server says about itself, for whoever runs it.

use std::fs;

use crate::project::Project;
use crate::server::Server;

const VALUE: &str = "correct-horse-battery-staple";

#[test]
fn the_servers_log_tells_what_was_done_and_no_secret() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = directory.path().join("log");
    let file = fs::File::create(&log).expect("created");
    let server = Server::start_logging(&directory.path().join("data"), "info,text", file);
    let wharf = server.wharf();
    let set = wharf.with_input(["secret", "set", "prod/key"], VALUE);
    assert_eq!(set.code, 0, "{set:?}");
    wharf.ok([
        "deploy",
        Project::service("web", "secrets = { KEY = \"prod/key\" }").path(),
    ]);
    wharf
        .call(["describe", "service", "nope"])
        .failed_saying(1, &["nope"]);
    assert!(server.terminate().success());
    let said = fs::read_to_string(&log).expect("UTF-8");
    for words in [
        "started version=",
        "cpu_units=",
        "deployment of web:1 in progress",
        "state=ACTIVATING",
        "state=RUNNING",
        "state=STOPPED code=\"TerminationNotice\"",
        "stopping the tasks",
        "a secret was set namespace=default secret=prod/key version=1",
        "deployment completed",
        "the API refused a request method=GET path=\"/v1/namespaces/default/services/nope\" status=404",
        "stopping",
        "stopped",
    ] {
        assert!(said.contains(words), "{words:?} is missing in:\n{said}");
    }
    assert!(!said.contains("decided"), "decisions are for debugging: {said}");
    assert!(!said.contains(VALUE), "{said}");
}
