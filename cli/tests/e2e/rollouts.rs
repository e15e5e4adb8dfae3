//! Deployments: each strategy under load, verdicts, and what people do to them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::Value;

use crate::project::{Project, service};
use crate::server::{Server, until};

/// Clients that ask all the time.
const CLIENTS: usize = 4;

/// A manifest of the service `web`, of this version.
fn manifest(version: &str, deployment: &str) -> String {
    let task = format!("env = {{ VERSION = {version:?} }}\n[service]\ncount = 2");
    format!("{}\n[deployment]\n{deployment}\n", service("web", &task))
}

/// Does something while several clients ask `path`, and sees none of them fail; how many asked.
fn under_load<T>(server: &Server, path: &str, during: impl FnOnce() -> T) -> T {
    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let done = std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let answer = server.get("web.localhost", path);
                    assert_eq!(answer.status, 200, "{answer:?}");
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(during));
        over.store(true, Ordering::Relaxed);
        done
    });
    assert!(asked.into_inner() > 0);
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn version(server: &Server) -> String {
    let env = server.get("web.localhost", "/env").json();
    env["VERSION"]
        .as_str()
        .map_or_else(|| env.to_string(), str::to_owned)
}

/// Three updates in a row, none of which loses a request.
fn three_updates(deployment: &str) -> Vec<Value> {
    let server = Server::start();
    let project = Project::service("web", "");
    project.write("wharf.toml", &manifest("v0", deployment));
    server.wharf().ok(["deploy", project.path()]);
    let ended = under_load(&server, "/ok", || {
        let updates = ["v1", "v2", "v3"].map(|version| {
            project.write("wharf.toml", &manifest(version, deployment));
            server.wharf().json(["deploy", project.path()])
        });
        updates.to_vec()
    });
    for update in &ended {
        assert_eq!(update["rolloutState"], "COMPLETED", "{update}");
    }
    assert!(server.get("web.localhost", "/env").body.contains("v3"));
    ended
}

#[test]
fn rolling_loses_no_request() {
    three_updates("strategy = \"rolling\"\nminimum_healthy = 50\nmaximum = 100");
}

#[test]
fn canary_loses_no_request() {
    let updates = three_updates("strategy = \"canary\"\nstep = 20\nbake = \"500ms\"");
    for update in &updates {
        assert_eq!(update["strategy"], "canary", "{update}");
        assert!(update["figures"]["requests"].as_u64() > Some(0), "{update}");
        assert!(update["replaces"]["requests"].as_u64() > Some(0), "{update}");
        assert_eq!(
            (&update["figures"]["errors"], &update["replaces"]["errors"]),
            (&0.into(), &0.into())
        );
        assert!(update["figures"]["p99Ms"].is_number(), "{update}");
    }
}

#[test]
fn linear_loses_no_request() {
    three_updates("strategy = \"linear\"\nstep = 40\nbake = \"300ms\"");
}

#[test]
fn recreate_loses_no_request() {
    three_updates("strategy = \"recreate\"");
}

#[test]
fn requests_under_way_end_when_the_server_is_stopped() {
    let server = Server::start();
    let project = Project::service("web", "");
    project.write("wharf.toml", &manifest("v0", "strategy = \"rolling\""));
    server.wharf().ok(["deploy", project.path()]);
    let http = server.http;
    let slow = std::thread::spawn(move || {
        crate::http::send(http, crate::http::Call::get("web.localhost", "/sleep?ms=1500"))
    });
    until("it is under way", || {
        let tasks = server.wharf().json(["ps", "web"]);
        let tasks = tasks["tasks"].as_array()?.clone();
        tasks.iter().any(|task| task["inFlight"] == 1).then_some(())
    });
    assert!(server.terminate().success());
    let answer = slow.join().expect("no panic");
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[test]
fn a_canary_that_answers_worse_is_rolled_back_and_says_why() {
    let server = Server::start();
    let project = Project::service("web", "");
    // The guest answers as it is asked; which revision fails is decided by a file it has or hasn't.
    let good = |rest: &str| {
        format!(
            "{}\nfiles = [{{ source = \"static\", mount = \"/static\" }}]\n[deployment]\n{rest}\n",
            service("web", "")
        )
    };
    project.write("static/page", "here");
    let canary = "strategy = \"canary\"\nstep = 30\nbake = \"30s\"\nmin_requests = 10";
    project.write("wharf.toml", &good(canary));
    server.wharf().ok(["deploy", project.path()]);
    let read = "/read?path=/static/page";
    assert_eq!(server.get("web.localhost", read).status, 200);
    std::fs::remove_file(format!("{}/static/page", project.path())).expect("removed");
    project.write("static/other", "elsewhere");

    let over = AtomicBool::new(false);
    let failed = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                server.get("web.localhost", read);
            }
        });
        let ended = server.wharf().call(["deploy", project.path()]);
        over.store(true, Ordering::Relaxed);
        ended
    });
    failed.failed_saying(1, &["web:2 was not deployed", "% of", "5xx", "web:1 runs again"]);
    until("the old revision is back", || {
        let tasks = server.wharf().json(["ps", "web"]);
        let tasks = tasks["tasks"].as_array()?.clone();
        (tasks.len() == 1 && tasks[0]["taskDefinition"] == "web:1").then_some(())
    });
    for _ in 0..20 {
        assert_eq!(server.get("web.localhost", read).status, 200);
    }
    let all = server.wharf().json(["describe", "service", "web"]);
    let newest = &all["deployments"][0];
    assert!(newest["rollbackOf"].is_string(), "{newest}");
    let id = newest["rollbackOf"].as_str().expect("text");
    let text = server.wharf().ok(["describe", "deployment", id]);
    for said in [
        "FAILED",
        "canary",
        "30 % of the requests",
        "5xx",
        "Rolled back by:",
    ] {
        assert!(text.contains(said), "{said} is missing in:\n{text}");
    }
    let events = server.wharf().ok(["events", "web"]);
    assert!(events.contains("Rolling back to web:1"), "{events}");
}

/// The old revision has no check, the new one fails its own: that says nothing about the old one's tasks.
#[test]
fn a_health_check_that_a_revision_brings_along_takes_no_request_from_the_old_one() {
    for strategy in ["rolling", "canary"] {
        let server = Server::start();
        let project = Project::service("web", "");
        let deployment = format!("strategy = {strategy:?}");
        project.write("wharf.toml", &manifest("v0", &deployment));
        server.wharf().ok(["deploy", project.path()]);
        let health = "[health]\npath = \"/status?code=500\"\ninterval = \"100ms\"\n";
        project.write("wharf.toml", &(manifest("v1", &deployment) + health));
        let failed = under_load(&server, "/ok", || server.wharf().call(["deploy", project.path()]));
        failed.failed_saying(1, &["web:2 was not deployed", "Health checks failed"]);
        let all = server.wharf().json(["describe", "service", "web"]);
        let id = all["deployments"][0]["rollbackOf"].as_str().expect("text");
        let failed = server.wharf().json(["describe", "deployment", id]);
        assert_eq!(failed["figures"]["requests"], 0, "{failed}");
        assert!(failed["replaces"]["requests"].as_u64() > Some(0), "{failed}");
        assert_eq!(version(&server), "v0");
    }
}

#[test]
fn a_deployment_is_paused_continued_aborted_and_rolled_back() {
    let server = Server::start();
    let wharf = server.wharf();
    let project = Project::service("web", "");
    project.write("wharf.toml", &manifest("v1", "strategy = \"rolling\""));
    wharf.ok(["deploy", project.path()]);
    // Nothing is in progress, and nothing was before.
    for what in ["abort", "pause", "continue"] {
        wharf
            .call([what, "web"])
            .failed_saying(1, &["no deployment in progress", "wharf rollback web"]);
    }
    wharf
        .call(["rollback", "web"])
        .failed_saying(1, &["no completed revision before"]);
    wharf
        .call(["rollback", "web", "--to", "9"])
        .failed_saying(1, &["no revision 9", "there are 1"]);

    let canary = "strategy = \"canary\"\nstep = 50\nbake = \"1h\"";
    project.write("wharf.toml", &manifest("v2", canary));
    wharf
        .call(["deploy", project.path(), "--timeout", "0"])
        .failed_saying(1, &["the deployment has not ended"]);
    let newest = || wharf.json(["describe", "service", "web"])["deployments"][0].clone();
    until("it is watched", || {
        (newest()["stage"] == "BAKE_TIME").then_some(())
    });
    let said = wharf.ok(["pause", "web"]);
    assert!(said.contains("paused in BAKE_TIME"), "{said}");
    wharf
        .call(["pause", "web"])
        .failed_saying(1, &["is paused already"]);
    assert_eq!(newest()["paused"], true);
    wharf.ok(["continue", "web"]);
    wharf
        .call(["continue", "web"])
        .failed_saying(1, &["is not paused"]);
    let said = wharf.ok(["abort", "web"]);
    assert!(said.contains("web:2: aborted, web:1 is running"), "{said}");
    assert_eq!(version(&server), "v1");
    let all = wharf.json(["describe", "service", "web"]);
    let states: Vec<&Value> = all["deployments"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|deployment| &deployment["rolloutState"])
        .collect();
    assert_eq!(states, ["COMPLETED", "ABORTED", "COMPLETED"]);

    project.write("wharf.toml", &manifest("v3", "strategy = \"rolling\""));
    wharf.ok(["deploy", project.path()]);
    assert_eq!(version(&server), "v3");
    let back = wharf.json(["rollback", "web"]);
    assert_eq!(
        (&back["taskDefinition"], &back["rolloutState"]),
        (&"web:1".into(), &"COMPLETED".into())
    );
    assert_eq!(version(&server), "v1");
    assert_eq!(wharf.json(["rollback", "web", "--to", "1"])["unchanged"], true);
    let said = wharf.ok(["rollback", "web", "--to", "3"]);
    assert!(said.contains("web:3 is running"), "{said}");
}

#[test]
fn of_two_deployments_the_newer_wins() {
    let server = Server::start();
    let wharf = server.wharf();
    let project = Project::service("web", "");
    project.write("wharf.toml", &manifest("v1", "strategy = \"rolling\""));
    wharf.ok(["deploy", project.path()]);
    project.write(
        "wharf.toml",
        &manifest("v2", "strategy = \"canary\"\nbake = \"1h\""),
    );
    let first = wharf.spawn(["deploy", project.path()]);
    until("the first has begun", || {
        let all = wharf.json(["describe", "service", "web"]);
        (all["deployments"][0]["taskDefinition"] == "web:2").then_some(())
    });
    project.write("wharf.toml", &manifest("v3", "strategy = \"rolling\""));
    wharf.ok(["deploy", project.path()]);
    let first = crate::wharf::Ended::of(first.wait_with_output().expect("it is our child"));
    first.failed_saying(1, &["web:2 was not deployed: superseded by deployment"]);
    assert_eq!(version(&server), "v3");
    let all = wharf.json(["describe", "service", "web"]);
    assert_eq!(all["deployments"][1]["rolloutState"], "SUPERSEDED", "{all}");
}

#[test]
fn bounds_that_let_nothing_move_are_refused() {
    let server = Server::start();
    let project = Project::service("web", "");
    project.write("wharf.toml", &service("web", ""));
    server.wharf().ok(["deploy", project.path()]);
    let stuck = "[deployment]\nminimum_healthy = 50\nmaximum = 100";
    project.write("wharf.toml", &format!("{}{stuck}\n", service("web", "cpu = 300")));
    server
        .wharf()
        .call(["deploy", project.path()])
        .failed_saying(1, &["no task could ever be replaced: with 1 tasks"]);
}
