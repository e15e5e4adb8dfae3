//! A disk that is full: writes fail and say so, everything else goes on, and nothing is lost.

use crate::project::Project;
use crate::server::{Server, until};

#[test]
fn a_full_disk_refuses_writes_and_loses_nothing() {
    // The kernel's signal for a file too large is the limit's own; a full disk has none.
    let server = Server::start_after("trap '' XFSZ");
    let wharf = server.wharf();
    let set = |name: &str, value: &str| wharf.with_input(["secret", "set", name], value);
    assert_eq!(set("before", "kept").code, 0);
    let project = Project::service("web", "secrets = { KEY = \"before\" }");
    wharf.ok(["deploy", project.path()]);

    server.limit_files(Some(4096));
    set("during", "lost").failed_saying(1, &["disk", "File too large"]);
    let other = Project::job("other", r#"["ok"]"#);
    // More than sockets hold: the client is still sending when the server knows.
    other.write("static/file.txt", &"x".repeat(1 << 24));
    let manifest = "name = \"other\"\n[task]\ncomponent = \"app.wasm\"\n\
                    files = [{ source = \"static\", mount = \"/static\" }]\n[job]\n";
    other.write("wharf.toml", manifest);
    wharf
        .call(["run", other.path()])
        .failed_saying(1, &["File too large"]);
    wharf
        .call(["deploy", project.path(), "--count", "2"])
        .failed_saying(1, &["File too large"]);
    // What runs is served, and what is known can be asked for.
    assert_eq!(server.get("web.localhost", "/env").json()["KEY"], "kept");
    assert_eq!(wharf.json(["services"])["services"][0]["desiredCount"], 1);

    server.limit_files(None);
    assert_eq!(set("after", "kept").code, 0);
    wharf.ok(["deploy", project.path(), "--count", "2"]);
    let data = server.data().to_owned();
    let _directory = server.kill();
    let server = Server::start_on(&data);
    let names = server.wharf().ok(["secret", "list"]);
    assert!(
        names.contains("before") && names.contains("after") && !names.contains("during"),
        "{names}"
    );
    let answer = until("it answers again", || {
        Some(server.get("web.localhost", "/env")).filter(|answer| answer.status == 200)
    });
    assert_eq!(answer.json()["KEY"], "kept");
}
