//! Services: deployed, served, shown, rolled, scaled, deleted.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::http::Call;
use crate::project::{Project, service};
use crate::server::{Server, until};

/// The tasks of a service that `ps` shows.
fn tasks(server: &Server, service: &str) -> Vec<Value> {
    server.wharf().json(["ps", service])["tasks"]
        .as_array()
        .expect("an array")
        .clone()
}

fn all_running(tasks: &[Value]) -> bool {
    tasks.iter().all(|task| task["lastStatus"] == "RUNNING")
}

#[test]
fn a_deployed_service_answers_where_deploy_says() {
    let server = Server::start();
    let said = server.wharf().ok(["deploy", Project::service("web", "").path()]);
    assert!(
        said.contains(&format!("http://web.localhost:{}", server.http.port())),
        "{said}"
    );

    let answer = server.get("web.localhost", "/ok");
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    let listed = server.wharf().ok(["services"]);
    assert!(listed.contains("web") && listed.contains("ACTIVE"), "{listed}");
}

#[test]
fn a_guest_reads_the_host_and_every_header_that_is_let_through() {
    let server = Server::start();
    server.wharf().ok(["deploy", Project::service("web", "").path()]);
    let request = server.get("web.localhost", "/request").json();
    assert_eq!(request["authority"], "web.localhost", "{request}");

    // As large as they may be, and as many: the bounds are 64 KiB and 100 lines.
    let names: Vec<String> = (0..90).map(|n| format!("x-many-{n}")).collect();
    let value = "v".repeat(680);
    let call = Call::get("web.localhost", "/request");
    let call = names.iter().fold(call, |call, name| call.header(name, &value));
    let answer = server.send(call);
    assert_eq!(answer.status, 200, "{answer:?}");
    let headers = answer.json()["headers"].as_array().expect("an array").clone();
    let arrived = |header: &&Value| header[0].as_str().is_some_and(|name| name.starts_with("x-many-"));
    assert_eq!(headers.iter().filter(arrived).count(), names.len());
}

#[test]
fn a_bare_component_deploys_under_its_files_name() {
    let server = Server::start();
    let project = Project::service("unused", "");
    let component = format!("{}/app.wasm", project.path());
    server.wharf().ok(["deploy", &component]);
    assert_eq!(server.get("app.localhost", "/ok").status, 200);
}

#[test]
fn deploying_the_same_again_changes_nothing() {
    let server = Server::start();
    let project = Project::service("web", "");
    let first = server.wharf().json(["deploy", project.path()]);
    let again = server.wharf().json(["deploy", project.path()]);
    assert_eq!(again["unchanged"], true, "{again}");
    assert_eq!(again["taskDefinition"], first["taskDefinition"]);
}

#[test]
fn what_is_typed_goes_over_the_manifest() {
    let server = Server::start();
    let project = Project::service("web", "cpu = 64\nenv = { COLOUR = \"red\", SIZE = \"1\" }");
    let words = [
        "deploy",
        project.path(),
        "--env",
        "COLOUR=blue",
        "--cpu",
        "128",
        "--memory",
        "48MiB",
        "--count",
        "2",
    ];
    server.wharf().ok(words);
    let env = server.get("web.localhost", "/env").body;
    assert!(env.contains("blue") && env.contains("SIZE"), "{env}");
    let tasks = tasks(&server, "web");
    assert_eq!(tasks.len(), 2);
    assert_eq!(
        (&tasks[0]["cpu"], &tasks[0]["memoryLimitBytes"]),
        (&128.into(), &(48 << 20).into())
    );
}

#[test]
fn a_rolling_deploy_loses_no_request() {
    let server = Server::start();
    let project = Project::service("web", "env = { VERSION = \"one\" }");
    server.wharf().ok(["deploy", project.path()]);
    let rolled = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let mut asked = 0;
            while !rolled.load(Ordering::Relaxed) {
                let answer = server.get("web.localhost", "/env");
                assert_eq!(answer.status, 200, "{answer:?}");
                asked += 1;
            }
            asked
        });
        project.write("wharf.toml", &service("web", "env = { VERSION = \"two\" }"));
        let deployed = server.wharf().call(["deploy", project.path()]);
        rolled.store(true, Ordering::Relaxed);
        assert!(client.join().expect("no request failed") > 0);
        assert_eq!(deployed.code, 0, "{deployed:?}");
    });
    // COMPLETED: nothing of the old revision is left.
    assert!(server.get("web.localhost", "/env").body.contains("two"));
    assert!(
        tasks(&server, "web")
            .iter()
            .all(|task| task["taskDefinition"] == "web:2")
    );
}

#[test]
fn a_revision_that_cannot_start_fails_and_says_why() {
    let server = Server::start();
    let project = Project::service("web", "");
    server.wharf().ok(["deploy", project.path()]);
    project.write(
        "wharf.toml",
        &format!("{}\n[health]\npath = \"/status?code=500\"", service("web", "")),
    );
    server
        .wharf()
        .call(["deploy", project.path()])
        .failed_saying(1, &["web:2 was not deployed", "500"]);
    assert_eq!(
        server.get("web.localhost", "/ok").status,
        200,
        "the revision before goes on"
    );
}

#[test]
fn after_a_first_deployment_that_failed_all_say_so() {
    let server = Server::start();
    let project = Project::service("web", "");
    project.write(
        "wharf.toml",
        &format!(
            "{}\n[health]\npath = \"/status?code=500\"\ninterval = \"100ms\"",
            service("web", "")
        ),
    );
    server
        .wharf()
        .call(["deploy", project.path()])
        .failed_saying(1, &["web:1 was not deployed", "500"]);
    let listed = server.wharf().ok(["services"]);
    let described = server.wharf().ok(["describe", "service", "web"]);
    assert!(
        !listed.contains("none") && !described.contains("none"),
        "{listed}\n{described}"
    );
    assert!(described.contains("nothing: no deployment"), "{described}");
    assert!(!described.contains("steady state"), "{described}");
    until("its tasks say what they failed of", || {
        let all = server.wharf().json(["ps", "web", "--all"]);
        let all = all["tasks"].as_array().expect("an array").clone();
        let reason = |task: &Value| task["stoppedReason"].as_str().unwrap_or_default().to_owned();
        all.iter()
            .all(|task| reason(task).contains("Task failed health checks"))
            .then_some(())
    });
}

#[test]
fn ps_and_describe_show_state_and_health_apart() {
    let server = Server::start();
    let manifest = format!("{}\n[health]\npath = \"/ok\"", service("web", ""));
    let project = Project::service("web", "");
    project.write("wharf.toml", &manifest);
    server.wharf().ok(["deploy", project.path()]);
    assert_eq!(server.get("web.localhost", "/grow?mib=8").status, 200);

    let task = &tasks(&server, "web")[0];
    assert_eq!(
        (&task["lastStatus"], &task["healthStatus"]),
        (&"RUNNING".into(), &"HEALTHY".into())
    );
    until("the peak is known", || {
        tasks(&server, "web")[0]["memoryPeakBytes"]
            .as_u64()
            .filter(|peak| *peak > 8 << 20)
    });
    for words in [["ps", "web", ""], ["describe", "service", "web"]] {
        let text = server.wharf().ok(words.iter().filter(|word| !word.is_empty()));
        assert!(
            ["RUNNING", "HEALTHY", "THROTTLED", "PEAK", "RESTARTS"]
                .iter()
                .all(|word| text.contains(word)),
            "{text}"
        );
    }
    let id = task["taskId"].as_str().expect("text");
    let text = server.wharf().ok(["describe", "task", id]);
    assert!(
        text.contains("Health:") && text.contains("throttled") && text.contains("peak"),
        "{text}"
    );
    let text = server.wharf().ok(["describe", "task-definition", "web"]);
    assert!(text.contains("web:1") && text.contains("sha256:"), "{text}");
}

#[test]
fn a_task_is_named_by_what_ps_shows_of_its_id() {
    let server = Server::start();
    let project = Project::service("web", "");
    server.wharf().ok(["deploy", project.path(), "--count", "3"]);
    assert_eq!(server.get("web.localhost", "/log?text=hello").status, 200);
    let tasks = tasks(&server, "web");
    let listed = server.wharf().ok(["ps"]);
    for task in &tasks {
        let (id, short) = (
            task["taskId"].as_str().expect("text"),
            task["shortId"].as_str().expect("text"),
        );
        assert!(short.len() < 12 && id.starts_with(short), "{short} {id}");
        assert!(listed.contains(short) && !listed.contains(id), "{listed}");
        assert!(server.wharf().ok(["describe", "task", short]).contains(id));
        server.wharf().ok(["logs", "web", "--task", short]);
    }
    let (stopped, short) = (&tasks[0]["taskId"], tasks[0]["shortId"].as_str().expect("text"));
    server.wharf().ok(["stop", short]);
    until("it is stopped", || {
        let task = server.wharf().json(["describe", "task", short]);
        (task["lastStatus"] == "STOPPED" && task["taskId"] == *stopped).then_some(())
    });
    // What every id begins with names none.
    server
        .wharf()
        .call(["describe", "task", "zz"])
        .failed_saying(1, &["zz", "wharf ps"]);
}

#[test]
fn a_service_is_scaled_up_down_and_to_nothing() {
    let server = Server::start();
    server.wharf().ok(["deploy", Project::service("web", "").path()]);
    for count in ["3", "1"] {
        server.wharf().ok(["scale", "web", count]);
        until("as many tasks as asked for", || {
            let tasks = tasks(&server, "web");
            (tasks.len().to_string() == count && all_running(&tasks)).then_some(())
        });
    }
    server.wharf().ok(["scale", "web", "0"]);
    let answer = until("nobody answers", || {
        Some(server.get("web.localhost", "/ok")).filter(|answer| answer.status == 503)
    });
    assert!(answer.json()["requestId"].is_string(), "{answer:?}");
}

#[test]
fn a_stopped_task_is_replaced() {
    let server = Server::start();
    server.wharf().ok(["deploy", Project::service("web", "").path()]);
    let first = tasks(&server, "web").remove(0);
    assert_eq!(first["healthStatus"], "HEALTHY", "{first}");
    let first = first["taskId"].as_str().expect("text").to_owned();
    server.wharf().ok(["stop", &first, "--reason", "by hand"]);
    until("another task runs", || {
        tasks(&server, "web")
            .iter()
            .find(|task| task["taskId"] != first.as_str() && task["lastStatus"] == "RUNNING")
            .map(|_| ())
    });
    let stopped = until("the first has stopped", || {
        let task = server.wharf().json(["describe", "task", &first]);
        (task["lastStatus"] == "STOPPED").then_some(task)
    });
    assert_eq!(stopped["stopCode"], "UserInitiated", "{stopped}");
    // What has stopped is neither well nor ill.
    assert_eq!(stopped["healthStatus"], "UNKNOWN", "{stopped}");
    assert!(
        stopped["stoppedReason"]
            .as_str()
            .expect("text")
            .contains("by hand"),
        "{stopped}"
    );
}

#[test]
fn a_deleted_service_is_gone() {
    let server = Server::start();
    server.wharf().ok(["deploy", Project::service("web", "").path()]);
    server.wharf().ok(["delete", "web"]);
    assert_eq!(server.get("web.localhost", "/ok").status, 404);
    assert_eq!(
        server.wharf().json(["services"])["services"],
        Value::Array(Vec::new())
    );
    server.wharf().call(["delete", "web"]).failed_saying(1, &["web"]);
}

#[test]
fn logs_and_events_are_kept_and_followed() {
    let server = Server::start();
    server.wharf().ok(["deploy", Project::service("web", "").path()]);
    server.get("web.localhost", "/log?lines=3&len=20");
    until("three lines are in the log", || {
        (server.wharf().ok(["logs", "web"]).lines().count() >= 3).then_some(())
    });
    assert_eq!(
        server.wharf().ok(["logs", "web", "--tail", "2"]).lines().count(),
        2
    );
    assert_eq!(
        server
            .wharf()
            .ok(["logs", "web", "--since", "2999-01-01T00:00:00Z"]),
        ""
    );
    server
        .wharf()
        .call(["logs", "nobody"])
        .failed_saying(1, &["nobody"]);

    let events = until("it is steady", || {
        Some(server.wharf().ok(["events", "web"])).filter(|events| events.contains("steady state"))
    });
    assert!(events.lines().count() > 1, "{events}");
}

#[test]
fn following_a_log_shows_what_is_written_from_now_on() {
    use std::io::{BufRead as _, BufReader};

    let server = Server::start();
    server.wharf().ok(["deploy", Project::service("web", "").path()]);
    let mut following = server.wharf().spawn(["logs", "web", "--follow"]);
    let mut lines = BufReader::new(following.stdout.take().expect("piped")).lines();
    server.get("web.localhost", "/log?lines=1&len=33");
    let line = lines.next().expect("a line").expect("UTF-8");
    assert!(line.len() > 33, "{line}");
    following.kill().expect("it runs until it is stopped");
    following.wait().expect("our child");
}

#[test]
fn a_trap_is_502_and_its_frames_stay_in_the_log() {
    let server = Server::start();
    server.wharf().ok(["deploy", Project::service("web", "").path()]);
    let answer = server.get("web.localhost", "/unreachable");
    assert_eq!(answer.status, 502);
    assert!(
        answer.json()["error"].is_string() && !answer.body.contains("wasm"),
        "{answer:?}"
    );
    until("the log says where", || {
        server
            .wharf()
            .ok(["logs", "web"])
            .contains("unreachable")
            .then_some(())
    });
    assert_eq!(server.get("web.localhost", "/ok").status, 200);
}

#[test]
fn sigterm_lets_a_request_finish_and_exits_0() {
    let server = Server::start();
    server.wharf().ok(["deploy", Project::service("web", "").path()]);
    let to = server.http;
    let request =
        std::thread::spawn(move || crate::http::send(to, Call::get("web.localhost", "/sleep?ms=1500")));
    until("the request is in flight", || {
        tasks(&server, "web")[0]["inFlight"]
            .as_u64()
            .filter(|in_flight| *in_flight > 0)
    });
    assert!(server.terminate().success());
    assert_eq!(request.join().expect("no panic").status, 200);
}
