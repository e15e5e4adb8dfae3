//! Services that are looked after: what is checked, what is replaced, and that nobody's request pays for it.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};

use serde_json::Value;

use crate::gate::Gate;
use crate::http::{self, Call};
use crate::load::{CLIENTS, while_asked};
use crate::project::{Project, service};
use crate::server::{Server, until};
use crate::wharf::Ended;

/// A service whose `[health]` is this, and that may reach the gate.
fn checked(gate: &Gate, rest: &str, health: &str) -> Project {
    let egress = format!("egress = [\"http://127.0.0.1:{}\"]", gate.port);
    let manifest = service("web", &egress);
    Project::service("web", "").rewritten(&format!("{manifest}{rest}\n{health}"))
}

/// What a check asks for that passes while the gate is open, and is not answered while it is closed.
fn through(gate: &Gate) -> String {
    format!("/fetch?url=http://127.0.0.1:{}/", gate.port)
}

fn running(server: &Server) -> Vec<Value> {
    let tasks = server.wharf().json(["ps", "web"]);
    let tasks = tasks["tasks"].as_array().expect("an array");
    let running = |task: &&Value| task["lastStatus"] == "RUNNING" && task["desiredStatus"] == "RUNNING";
    tasks.iter().filter(running).cloned().collect()
}

fn ids(tasks: &[Value]) -> BTreeSet<String> {
    let id = |task: &Value| task["taskId"].as_str().expect("text").to_owned();
    tasks.iter().map(id).collect()
}

fn healthy(task: &Value) -> bool {
    task["healthStatus"] == "HEALTHY"
}

#[test]
fn a_task_that_is_not_ready_gets_no_requests_and_stays() {
    let (server, gate) = (Server::start(), Gate::open());
    let health = format!(
        "[service]\nfail_open = false\n[health.readiness]\npath = \"{}\"\ninterval = \"100ms\"\ntimeout = \"200ms\"",
        through(&gate)
    );
    server.wharf().ok(["deploy", checked(&gate, "", &health).path()]);
    // A machine that is busy may have missed a check since.
    until("it is ready", || {
        (server.get("web.localhost", "/ok").status == 200).then_some(())
    });
    let before = running(&server);
    gate.close();
    until("nobody is ready", || {
        (server.get("web.localhost", "/ok").status == 503).then_some(())
    });
    let task = until("its health says so", || {
        running(&server).into_iter().find(|task| !healthy(task))
    });
    assert_eq!(task["healthStatus"], "UNHEALTHY", "{task}");
    assert_eq!(task["reason"], "Request timed out", "{task}");
    gate.reopen();
    until("it is ready again", || {
        (server.get("web.localhost", "/ok").status == 200).then_some(())
    });
    assert_eq!(ids(&running(&server)), ids(&before), "it was not replaced");
    let events = server.wharf().ok(["events", "web"]);
    assert!(
        events.contains("is unhealthy in (target-group web) due to (reason Request timed out)"),
        "{events}"
    );
    assert!(
        events.contains("is healthy again in (target-group web)"),
        "{events}"
    );
}

#[test]
fn a_task_that_is_not_alive_is_replaced_and_keeps_its_requests_until_then() {
    let (server, gate) = (Server::start(), Gate::open());
    let health = format!(
        "[health.liveness]\npath = \"{}\"\ninterval = \"100ms\"\ntimeout = \"200ms\"",
        through(&gate)
    );
    server.wharf().ok(["deploy", checked(&gate, "", &health).path()]);
    let before = ids(&running(&server));
    gate.close();
    until("another has its place", || {
        let now = running(&server);
        assert_eq!(server.get("web.localhost", "/ok").status, 200);
        (!now.is_empty() && ids(&now).is_disjoint(&before)).then_some(())
    });
    let first = before.first().expect("one");
    let stopped = until("the first is stopped", || {
        let task = server.wharf().json(["describe", "task", first]);
        (task["lastStatus"] == "STOPPED").then_some(task)
    });
    let reason = stopped["stoppedReason"].as_str().expect("text");
    assert!(
        reason.contains("failed health checks") && reason.contains("timed out"),
        "{reason}"
    );
}

#[test]
fn nothing_else_is_checked_before_the_start_up_check_has_passed() {
    let (server, gate) = (Server::start(), Gate::open());
    gate.close();
    // The liveness check would never pass. The start-up check's first request waits at the gate until its timeout, which
    // the test has to wait out: long enough for a busy machine to answer the others within it.
    let health = format!(
        "[health.liveness]\npath = \"/status?code=500\"\ninterval = \"100ms\"\nunhealthy = 1\n[health.startup]\n\
         path = \"{}\"\ninterval = \"100ms\"\ntimeout = \"1s\"\nunhealthy = 10",
        through(&gate)
    );
    let project = checked(&gate, "", &health);
    let deploying = server.wharf().spawn(["deploy", project.path()]);
    until("the gate was asked for twice", || {
        (gate.asked() >= 2).then_some(())
    });
    let task = running(&server).remove(0);
    assert_eq!(task["healthStatus"], "UNKNOWN", "{task}");
    gate.reopen();
    let first = task["taskId"].as_str().expect("text").to_owned();
    let stopped = until("it is replaced for what comes after", || {
        let task = server.wharf().json(["describe", "task", &first]);
        task["stoppedReason"].as_str().map(str::to_owned)
    });
    assert!(stopped.contains("these codes: [500]"), "{stopped}");
    let mut deploying = deploying;
    deploying.kill().expect("it waits");
    deploying.wait().expect("our child");
}

#[test]
fn failures_within_the_grace_replace_nothing() {
    let (server, gate) = (Server::start(), Gate::open());
    gate.close();
    let health = format!(
        "[health]\npath = \"{}\"\ninterval = \"100ms\"\ntimeout = \"100ms\"\nunhealthy = 1\ngrace = \"1h\"",
        through(&gate)
    );
    let project = checked(&gate, "", &health);
    let deploying = server.wharf().spawn(["deploy", project.path()]);
    until("the gate was asked for five times", || {
        (gate.asked() >= 5).then_some(())
    });
    gate.reopen();
    let deployed = Ended::of(deploying.wait_with_output().expect("our child"));
    assert_eq!(deployed.code, 0, "{deployed:?}");
    let all = server.wharf().json(["ps", "web", "--all"]);
    assert_eq!(all["tasks"].as_array().expect("an array").len(), 1, "{all}");
    let text = server.wharf().ok(["describe", "task-definition", "web"]);
    assert!(text.contains("failures count after 1h"), "{text}");
}

#[test]
fn stopping_tasks_by_hand_loses_no_request() {
    let server = Server::start();
    server
        .wharf()
        .ok(["deploy", Project::service("web", "").path(), "--count", "3"]);
    while_asked(&server, "web.localhost", || {
        for _ in 0..2 {
            for id in ids(&running(&server)) {
                server.wharf().ok(["stop", &id]);
            }
            until("three others run", || {
                (running(&server).iter().filter(|task| healthy(task)).count() == 3).then_some(())
            });
        }
    });
}

#[test]
fn stopping_the_only_task_loses_no_request() {
    let server = Server::start();
    server.wharf().ok(["deploy", Project::service("web", "").path()]);
    while_asked(&server, "web.localhost", || {
        for _ in 0..3 {
            let before = ids(&running(&server));
            let id = before.first().expect("one").clone();
            server.wharf().ok(["stop", &id]);
            until("it is gone", || {
                let task = server.wharf().json(["describe", "task", &id]);
                (task["lastStatus"] == "STOPPED").then_some(())
            });
        }
    });
}

/// A server whose host has room for one task of the service `web`, with this in the manifest after its `[task]`.
fn full_host(rest: &str) -> (Server, Project, String) {
    let server = Server::start_after("set -- \"$@\" --cpu-overcommit 1");
    let limit = server.wharf().json(["capacity"])["limit"]["cpu"]
        .as_u64()
        .expect("a number");
    let keys = format!("cpu = {}", limit / 2 + 1);
    let project = Project::service("web", &format!("{keys}\n{rest}"));
    server.wharf().ok(["deploy", project.path()]);
    (server, project, keys)
}

/// Sees no request lost while `work` takes the only task away, which has a request for a while.
fn while_one_drains(server: &Server, work: impl FnOnce()) {
    while_asked(server, "web.localhost", || {
        std::thread::scope(|scope| {
            let long = scope.spawn(|| server.get("web.localhost", "/sleep?ms=1500"));
            work();
            assert_eq!(long.join().expect("no panic").status, 200);
        });
    });
}

#[test]
fn stopping_the_only_task_of_a_full_host_loses_no_request() {
    let (server, ..) = full_host("");
    let id = ids(&running(&server)).pop_first().expect("one");
    while_one_drains(&server, || {
        server.wharf().ok(["stop", &id]);
        until("another has its place", || {
            let tasks = running(&server);
            (tasks.len() == 1 && tasks.iter().all(healthy) && !ids(&tasks).contains(&id)).then_some(())
        });
    });
}

#[test]
fn a_deployment_that_needs_the_only_tasks_room_loses_no_request() {
    let deployment = "[deployment]\nstrategy = \"rolling\"\nminimum_healthy = 0\nmaximum = 100";
    let (server, project, keys) = full_host(deployment);
    while_one_drains(&server, || {
        let changed = format!("{keys}\nenv = {{ VERSION = \"two\" }}\n{deployment}");
        project.write("wharf.toml", &service("web", &changed));
        server.wharf().ok(["deploy", project.path()]);
    });
    assert!(server.get("web.localhost", "/env").body.contains("two"));
}

#[test]
fn scaling_in_loses_no_request() {
    let server = Server::start();
    server
        .wharf()
        .ok(["deploy", Project::service("web", "").path(), "--count", "4"]);
    while_asked(&server, "web.localhost", || {
        for count in ["1", "4", "2"] {
            server.wharf().ok(["scale", "web", count]);
            until("as many as asked for", || {
                let listed = server.wharf().json(["ps", "web"]);
                let listed = listed["tasks"].as_array().expect("an array");
                let all = listed.iter().all(healthy);
                (all && listed.len().to_string() == count).then_some(())
            });
        }
    });
}

#[test]
fn requests_under_way_end_before_the_server_does() {
    let (server, gate) = (Server::start(), Gate::open());
    let project = checked(&gate, "", "[service]\ncount = 2");
    server.wharf().ok(["deploy", project.path()]);
    gate.close();
    let (to, path) = (server.http, through(&gate));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || http::send(to, Call::get("web.localhost", &path)))
        })
        .collect();
    until("all are under way", || (gate.asked() == CLIENTS).then_some(()));
    let ending = std::thread::spawn(move || server.terminate());
    until("nobody else is let in", || {
        std::net::TcpStream::connect(to).is_err().then_some(())
    });
    assert!(!ending.is_finished(), "four requests wait");
    gate.reopen();
    assert!(ending.join().expect("no panic").success());
    for client in clients {
        let answer = client.join().expect("no panic");
        assert_eq!((answer.status, answer.body.as_str()), (200, "200 ok"));
    }
}

#[test]
fn a_task_whose_requests_all_time_out_is_replaced() {
    let server = Server::start();
    server
        .wharf()
        .ok(["deploy", Project::service("web", "timeout = \"1s\"").path()]);
    let before = ids(&running(&server));
    std::thread::scope(|scope| {
        let ask = || server.get("web.localhost", "/sleep?ms=600000").status;
        let asking: Vec<_> = (0..10).map(|_| scope.spawn(ask)).collect();
        for asked in asking {
            assert_eq!(asked.join().expect("no panic"), 504);
        }
    });
    until("another has its place", || {
        let now = running(&server);
        (!now.is_empty() && ids(&now).is_disjoint(&before)).then_some(())
    });
    let events = server.wharf().ok(["events", "web"]);
    assert!(events.contains("requests all timed out"), "{events}");
}

#[test]
fn events_are_followed_of_a_service_and_of_the_namespace() {
    let server = Server::start();
    server.wharf().ok(["deploy", Project::service("web", "").path()]);
    until("it is steady", || {
        server
            .wharf()
            .ok(["events", "web"])
            .contains("steady state")
            .then_some(())
    });
    for words in [
        &["events", "web", "--follow"][..],
        &["events", "-f"],
        &["events", "-f", "-o", "json"],
    ] {
        let mut following = server.wharf().spawn(words.iter().copied());
        let mut lines = BufReader::new(following.stdout.take().expect("piped")).lines();
        let mut next = || lines.next().expect("a line").expect("UTF-8");
        // It has begun: what was before comes first.
        assert!(next().contains("deployment of web:1 in progress"));
        let id = until("a task runs", || ids(&running(&server)).pop_first());
        server.wharf().ok(["stop", &id]);
        let wanted = format!("has begun draining connections on 1 tasks: (task {id})");
        while !next().contains(&wanted) {}
        following.kill().expect("it runs until it is stopped");
        following.wait().expect("our child");
    }
}
