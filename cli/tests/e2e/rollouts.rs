//! Deployments: each strategy under load, verdicts, and what people do to them.

mod verdicts;

use serde_json::Value;

use crate::load::while_asked;
use crate::project::{Project, service};
use crate::server::{Server, until};

/// A manifest of the service `web`, of this version.
fn manifest(version: &str, deployment: &str) -> String {
    let task = format!("env = {{ VERSION = {version:?} }}\n[service]\ncount = 2");
    format!("{}\n[deployment]\n{deployment}\n", service("web", &task))
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
    let ended = while_asked(&server, "web.localhost", || {
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
        let failed = while_asked(&server, "web.localhost", || {
            server.wharf().call(["deploy", project.path()])
        });
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
    server.wharf().call(["deploy", project.path()]).failed_saying(
        64,
        &["wharf.toml:", "no task could ever be replaced: with 1 tasks"],
    );
}
