//! Deployments that fail by what is seen of them, and the way back.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::load::EndWhenDone;
use crate::project::{Project, service};
use crate::server::{Server, until};

/// Does something while `path` is asked for again and again, however it is answered.
fn while_asked_for<T>(server: &Server, path: &str, work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                server.get("web.localhost", path);
            }
        });
        let _ends = EndWhenDone(&over);
        work()
    })
}

/// Waits until only tasks of `web:1` are left, and sees `path` answered again.
fn until_back(server: &Server, path: &str) {
    until("the old revision is back", || {
        let tasks = server.wharf().json(["ps", "web"]);
        let tasks = tasks["tasks"].as_array()?.clone();
        (tasks.len() == 1 && tasks[0]["taskDefinition"] == "web:1").then_some(())
    });
    for _ in 0..20 {
        assert_eq!(server.get("web.localhost", path).status, 200);
    }
}

/// What is said of the deployment that the newest one undoes.
fn undone(server: &Server) -> String {
    let all = server.wharf().json(["describe", "service", "web"]);
    let newest = &all["deployments"][0];
    let id = newest["rollbackOf"]
        .as_str()
        .unwrap_or_else(|| panic!("it undoes nothing: {newest}"));
    server.wharf().ok(["describe", "deployment", id])
}

/// A deployment of this kind whose answers are worse fails while it is watched, and its description says `shares`.
fn worse_answers_fail(deployment: &str, shares: &str) {
    let server = Server::start();
    // The guest answers as it is asked; which revision fails is decided by a file it has or hasn't.
    let manifest = |deployment: &str| {
        let files = "files = [{ source = \"static\", mount = \"/static\" }]";
        format!("{}[deployment]\n{deployment}\n", service("web", files))
    };
    let project = Project::service("web", "").rewritten(&manifest(""));
    project.write("static/page", "here");
    server.wharf().ok(["deploy", project.path()]);
    let read = "/read?path=/static/page";
    assert_eq!(server.get("web.localhost", read).status, 200);
    std::fs::remove_file(format!("{}/static/page", project.path())).expect("removed");
    project.write("static/other", "elsewhere");
    project.write(
        "wharf.toml",
        &manifest(&format!("{deployment}\nmin_requests = 10")),
    );

    let failed = while_asked_for(&server, read, || server.wharf().call(["deploy", project.path()]));
    failed.failed_saying(1, &["web:2 was not deployed", "% of", "5xx", "web:1 runs again"]);
    until_back(&server, read);
    let text = undone(&server);
    for said in ["FAILED", shares, "5xx", "Rolled back by:"] {
        assert!(text.contains(said), "{said} is missing in:\n{text}");
    }
    let events = server.wharf().ok(["events", "web"]);
    assert!(events.contains("Rolling back to web:1"), "{events}");
}

#[test]
fn a_canary_that_answers_worse_is_rolled_back_and_says_why() {
    worse_answers_fail(
        "strategy = \"canary\"\nstep = 30\nbake = \"1h\"",
        "30 % of the requests",
    );
}

#[test]
fn a_linear_step_that_answers_worse_is_rolled_back_and_says_why() {
    worse_answers_fail(
        "strategy = \"linear\"\nstep = 40\nbake = \"1h\"",
        "40 % of the requests",
    );
}

#[test]
fn what_answers_worse_after_it_was_rolled_out_is_rolled_back_and_says_why() {
    worse_answers_fail("strategy = \"rolling\"\nbake = \"1h\"", "rolling");
}

#[test]
fn tasks_that_trap_after_they_run_fail_a_deployment() {
    let server = Server::start();
    let project = Project::service("web", "");
    server.wharf().ok(["deploy", project.path()]);
    let path = "/trap-if?env=BROKEN";
    assert_eq!(server.get("web.localhost", path).status, 200);
    // However many answers are bad, there are never enough of them for that verdict.
    let deployment = "[deployment]\nstrategy = \"rolling\"\nbake = \"1h\"\nmin_requests = 1000000\n";
    let broken = service("web", "env = { BROKEN = \"yes\" }");
    project.write("wharf.toml", &(broken + deployment));
    let failed = while_asked_for(&server, path, || server.wharf().call(["deploy", project.path()]));
    failed.failed_saying(1, &["web:2 was not deployed", "3 of them", "web:1 runs again"]);
    until_back(&server, path);
    let text = undone(&server);
    assert!(
        text.contains("FAILED") && text.contains("Rolled back by:"),
        "{text}"
    );
    let events = server.wharf().ok(["events", "web"]);
    let told: Vec<&str> = events
        .lines()
        .filter(|line| line.contains("deployment failed"))
        .collect();
    assert_eq!(told.len(), 1, "{events}");
    for said in [
        "Rolling back to web:1",
        "The last lines of its task:",
        "BROKEN is set, so this goes wrong",
    ] {
        assert!(told[0].contains(said), "{said} is missing in {}", told[0]);
    }
}
