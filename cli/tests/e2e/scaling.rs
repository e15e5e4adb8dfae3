//! Services that scale by load, sleep when they are idle and wake on a request.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::http::Call;
use crate::load::EndWhenDone;
use crate::project::Project;
use crate::server::{Server, until};

/// A service that sleeps after a second; `rest` follows in its `[scaling]`.
fn sleeper(rest: &str) -> Project {
    Project::service("web", &format!("[scaling]\nidle = \"1s\"\n{rest}"))
}

fn described(server: &Server) -> Value {
    server.wharf().json(["describe", "service", "web"])
}

fn until_service(server: &Server, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    until(what, || {
        let service = described(server)["service"].clone();
        is(&service).then_some(service)
    })
}

fn until_asleep(server: &Server) {
    until_service(server, "it is asleep", |service| {
        service["runningCount"] == 0 && service["pendingCount"] == 0 && service["scaling"]["asleep"] == true
    });
}

fn events(server: &Server) -> String {
    server.wharf().ok(["events", "web"])
}

/// Tasks there ever were.
fn tasks(server: &Server) -> usize {
    let all = server.wharf().json(["ps", "web", "--all"]);
    all["tasks"].as_array().expect("an array").len()
}

#[test]
fn an_idle_service_sleeps_and_its_first_request_is_answered() {
    let server = Server::start();
    server.wharf().ok(["deploy", sleeper("").path()]);
    assert_eq!(server.get("web.localhost", "/ok").status, 200);
    until_asleep(&server);
    let listed = server.wharf().ok(["services"]);
    assert!(listed.contains("0 (0-1)"), "{listed}");
    let said = server.wharf().ok(["describe", "service", "web"]);
    assert!(said.contains("asleep, the first request wakes it"), "{said}");

    let answer = server.get("web.localhost", "/ok");
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    let events = events(&server);
    for cause in ["Cause: no requests for 1s.", "Cause: a request came."] {
        assert!(events.contains(cause), "{events}");
    }
    until_asleep(&server);
}

#[test]
fn many_requests_at_once_wake_one_task() {
    let server = Server::start();
    server.wharf().ok(["deploy", sleeper("").path()]);
    until_asleep(&server);
    let before = tasks(&server);
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                let answer = server.get("web.localhost", "/ok");
                assert_eq!(answer.status, 200, "{answer:?}");
            });
        }
    });
    assert_eq!(tasks(&server), before + 1);
}

#[test]
fn requests_that_come_as_it_falls_asleep_are_answered() {
    let server = Server::start();
    server.wharf().ok(["deploy", sleeper("").path()]);
    let before = tasks(&server);
    // Its sleep is written down first, and the last task goes after that: who asks as soon as it can be read may come
    // before the task has gone, while it drains, or after.
    std::thread::scope(|scope| {
        for client in 0..4 {
            let server = &server;
            scope.spawn(move || {
                for round in 0..2 {
                    until_service(server, "nothing shall run", |service| {
                        service["desiredCount"] == 0
                    });
                    let answer = server.get("web.localhost", "/ok");
                    assert_eq!(answer.status, 200, "{client} in round {round}: {answer:?}");
                }
            });
        }
    });
    assert!(tasks(&server) > before, "it never slept");
}

#[test]
fn a_service_that_may_sleep_is_asleep_after_a_restart() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let server = Server::start_on(directory.path());
    server
        .wharf()
        .ok(["deploy", sleeper("max = 4\nconcurrency = 50").path()]);
    assert_eq!(server.get("web.localhost", "/ok").status, 200);
    server.kill();
    let server = Server::start_on(directory.path());
    let service = until_service(&server, "its description", |service| !service.is_null());
    assert_eq!(
        (&service["desiredCount"], &service["scaling"]["asleep"]),
        (&0.into(), &true.into())
    );
    assert_eq!(server.get("web.localhost", "/ok").status, 200);
}

#[test]
fn load_brings_tasks_and_they_go_without_losing_a_request() {
    let server = Server::start();
    let scaling = "[scaling]\nmax = 3\nconcurrency = 2\ncooldown_in = \"0s\"\ncooldown_out = \"0s\"";
    server
        .wharf()
        .ok(["deploy", Project::service("web", scaling).path()]);
    let (calm, over) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (server, calm, over) = (&server, &calm, &over);
            scope.spawn(move || {
                let goes_on = || {
                    if client < 1 {
                        !over.load(Ordering::Relaxed)
                    } else {
                        !calm.load(Ordering::Relaxed)
                    }
                };
                while goes_on() {
                    let answer = server.send(Call::get("web.localhost", "/sleep?ms=100"));
                    assert_eq!(answer.status, 200, "{answer:?}");
                }
            });
        }
        let _ends = [EndWhenDone(&calm), EndWhenDone(&over)];
        let most = until_service(&server, "as many as there may be", |service| {
            service["healthyCount"] == 3
        });
        assert_eq!(most["scaling"]["maxCapacity"], 3);
        calm.store(true, Ordering::Relaxed);
        until_service(&server, "the fewest again", |service| {
            service["desiredCount"] == 1 && service["runningCount"] == 1
        });
    });
    let events = events(&server);
    assert!(
        events.contains("requests under way, the target is 2."),
        "{events}"
    );
    let shown = server.wharf().ok(["describe", "service", "web"]);
    assert!(shown.contains("1 to 3 tasks; concurrency"), "{shown}");
}

#[test]
fn a_count_by_hand_is_within_the_bounds_and_said_to_be_a_beginning() {
    let server = Server::start();
    let scaling = "[scaling]\nmin = 1\nmax = 3\nconcurrency = 2";
    server
        .wharf()
        .ok(["deploy", Project::service("web", scaling).path()]);
    let said = server.wharf().ok(["scale", "web", "2"]);
    assert!(
        said.contains("2 desired") && said.contains("by load from there, within 1 to 3"),
        "{said}"
    );
    until_service(&server, "two", |service| service["healthyCount"] == 2);
    let refused = server.wharf().call(["scale", "web", "4"]);
    let outside = "the service `web` scales from 1 to 3 tasks, 4 is outside";
    refused.failed_saying(1, &[outside, "choose a count in between"]);
    assert!(events(&server).contains("Cause: it was set by hand."));
}

#[test]
fn a_deploy_says_what_it_changes_of_a_service_that_runs_already() {
    let server = Server::start();
    let deploy = |rest: &str| {
        server
            .wharf()
            .ok(["deploy", Project::service("web", rest).path()])
    };
    deploy("[service]\ncount = 1");
    server.wharf().ok(["scale", "web", "2"]);
    let said = deploy("[service]\ncount = 1");
    assert!(
        said.contains("web:1 was running already, 1 task")
            && said.contains("scaled from 2 to 1, as the manifest says"),
        "{said}"
    );
    let said = deploy("[service]\ncount = 1\n[scaling]\nmax = 3\nconcurrency = 9");
    assert!(said.contains("[scaling] is as the manifest says"), "{said}");
    let said = deploy("[service]\ncount = 1\n[scaling]\nmax = 3\nconcurrency = 9");
    assert!(!said.contains("[scaling]") && !said.contains("scaled"), "{said}");
    let said = deploy("[service]\ncount = 1");
    assert!(said.contains("doesn't scale by itself any more"), "{said}");
}
