//! Limits from outside: what a client is told when a guest meets one, and what its neighbours notice.

use crate::gate::Gate;
use crate::project::Project;
use crate::server::{Server, until};

fn deploy(server: &Server, name: &str, keys: &str) {
    server.wharf().ok(["deploy", Project::service(name, keys).path()]);
}

#[test]
fn each_way_to_fail_has_its_status_and_says_nothing_of_the_guest() {
    let server = Server::start();
    deploy(
        &server,
        "web",
        "memory = \"16MiB\"\ntimeout = \"2s\"\ncpu_timeout = \"200ms\"\ncpu = 1024",
    );
    for (path, status) in [
        ("/trap", 502),
        ("/ok", 200),
        ("/exit", 502),
        ("/ok", 200),
        ("/no-response", 502),
        ("/ok", 200),
        ("/grow-or-die?mib=100", 507),
        ("/ok", 200),
        ("/spin", 504),
        ("/ok", 200),
        ("/sleep?ms=60000", 504),
        ("/ok", 200),
    ] {
        let answer = server.get("web.localhost", path);
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        if status != 200 {
            let error = answer.json();
            assert!(
                error["error"].is_string() && error["requestId"].is_string(),
                "{error}"
            );
            assert!(!answer.body.contains("on_purpose"), "{answer:?}");
        }
    }
    let logs = server.wharf().ok(["logs", "web"]);
    for words in [
        "trap_on_purpose",
        "out of memory",
        "CPU time used up",
        "deadline passed",
    ] {
        assert!(logs.contains(words), "{words:?} is not in {logs}");
    }
}

#[test]
fn a_full_queue_turns_requests_away_with_retry_after() {
    let server = Server::start();
    deploy(&server, "web", "concurrency = 1\nqueue = 0\ntimeout = \"5s\"");
    std::thread::scope(|scope| {
        // Turned away itself if the other one is there first, it comes again.
        let holder = scope.spawn(|| {
            until("a request holds the place", || {
                Some(server.get("web.localhost", "/sleep?ms=60000")).filter(|answer| answer.status == 504)
            })
        });
        let refused = until("a request is turned away", || {
            Some(server.get("web.localhost", "/ok")).filter(|answer| answer.status == 503)
        });
        assert!(refused.header("retry-after").is_some(), "{refused:?}");
        holder.join().expect("the client");
    });
}

#[test]
fn connections_and_timers_keep_time_beside_guests_that_spin() {
    let server = Server::start();
    deploy(
        &server,
        "noisy",
        "cpu = 2048\ntimeout = \"10s\"\nconcurrency = 16",
    );
    deploy(&server, "quiet", "");
    std::thread::scope(|scope| {
        let spinning: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| server.get("noisy.localhost", "/spin")))
            .collect();
        until("all of them spin", || {
            let tasks = server.wharf().json(["ps", "noisy"]);
            (tasks["tasks"][0]["inFlight"] == 16).then_some(())
        });
        // Each over a connection of its own, while none of the sixteen has ended.
        for _ in 0..10 {
            assert_eq!(server.get("quiet.localhost", "/ok").status, 200);
        }
        assert!(
            spinning.iter().all(|request| !request.is_finished()),
            "a spinning request ended too soon"
        );
        for request in spinning {
            assert_eq!(request.join().expect("the client").status, 504);
        }
    });
}

#[test]
fn three_traps_in_a_row_make_a_task_unhealthy_and_it_is_replaced() {
    let server = Server::start();
    deploy(&server, "web", "");
    let task = |server: &Server| {
        let tasks = server.wharf().json(["ps", "web"]);
        tasks["tasks"][0]["taskId"].as_str().map(str::to_owned)
    };
    let first = task(&server).expect("a task");
    for _ in 0..3 {
        assert_eq!(server.get("web.localhost", "/trap").status, 502);
    }
    until("another task runs in its place", || {
        task(&server).filter(|now| *now != first)
    });
    until("requests are answered", || {
        (server.get("web.localhost", "/ok").status == 200).then_some(())
    });
    let events = server.wharf().ok(["events", "web"]);
    assert!(events.contains("unhealthy"), "{events}");
}

#[test]
fn a_task_that_traps_is_replaced_although_it_passes_its_checks() {
    let (server, gate) = (Server::start(), Gate::open());
    // What is asked at the gate is a check, and passes.
    let port = gate.port;
    let health = format!(
        "egress = [\"http://127.0.0.1:{port}\"]\n[health]\npath = \"/fetch?url=http://127.0.0.1:{port}/\"\n\
         interval = \"100ms\"\ntimeout = \"10s\"\n"
    );
    deploy(&server, "web", &health);
    let task = || {
        let tasks = server.wharf().json(["ps", "web"]);
        tasks["tasks"][0]["taskId"].as_str().map(str::to_owned)
    };
    let first = task().expect("a task");
    until("another task runs in its place", || {
        server.get("web.localhost", "/trap");
        // One that began after the trap has passed when the next begins.
        let asked = gate.asked();
        until("a check passes, or nobody is checked any more", || {
            (gate.asked() >= asked + 3 || task().is_some_and(|now| now != first)).then_some(())
        });
        task().filter(|now| *now != first)
    });
    let events = server.wharf().ok(["events", "web"]);
    assert!(!events.contains("is healthy again"), "{events}");
}
