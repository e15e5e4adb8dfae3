//! Runs of jobs: several tasks, attempts, deadlines, schedules, and a server that is killed meanwhile.

use serde_json::Value;

use crate::project::{Guest, Project};
use crate::server::{Server, until};
use crate::wharf::Ended;

/// A job `work` with these arguments and what its `[job]` says.
fn job(args: &str, job: &str) -> Project {
    let manifest = format!(
        "name = \"work\"\n[task]\ncomponent = \"app.wasm\"\nargs = {args}\nstop_timeout = \"1s\"\ntimeout = \"1h\"\n[job]\n{job}\n"
    );
    Project::new(Guest::Command, &manifest)
}

fn attempts(run: &Value) -> Vec<Value> {
    run["attempts"].as_array().expect("an array").clone()
}

#[test]
fn what_fails_is_tried_again_until_it_succeeds() {
    let server = Server::start();
    let project = job(r#"["exit-until", "3"]"#, "retries = 5\nbackoff = \"10ms\"");
    let ended = server.wharf().call(["run", project.path()]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (0, "attempt 3\n"),
        "{ended:?}"
    );
    for said in [
        "(attempt 1 of 6) failed: exited with code 1; another follows",
        "(attempt 2 of 6) failed",
    ] {
        assert!(ended.stderr.contains(said), "{ended:?}");
    }
    let run = server.wharf().json(["describe", "run", "work/1"]);
    let codes: Vec<Value> = attempts(&run)
        .iter()
        .map(|attempt| attempt["exitCode"].clone())
        .collect();
    assert_eq!(
        (&run["state"], codes),
        (&"SUCCEEDED".into(), vec![1.into(), 1.into(), 0.into()])
    );
    let second = attempts(&run)[1]["taskId"].as_str().expect("text").to_owned();
    let task = server.wharf().json(["describe", "task", &second]);
    assert_eq!((&task["run"], &task["attempt"]), (&"work/1".into(), &2.into()));

    let hopeless = job(r#"["exit", "7"]"#, "count = 2\nretries = 1\nbackoff = \"0s\"");
    let ended = server.wharf().call(["run", hopeless.path()]);
    ended.failed_saying(
        7,
        &[
            "run work/2 failed: task ",
            "failed 2 times; the last: exited with code 7",
        ],
    );
    let described = server.wharf().ok(["describe", "job", "work"]);
    assert!(
        described.contains("work/1") && described.contains("SUCCEEDED"),
        "{described}"
    );
    assert!(
        described.contains("work/2") && described.contains("FAILED"),
        "{described}"
    );
}

#[test]
fn no_more_tasks_go_at_once_than_may() {
    let server = Server::start();
    let project = job(r#"["env"]"#, "count = 4\nparallelism = 1");
    let output = server.wharf().ok(["run", project.path()]);
    for index in 0..4 {
        assert!(
            output.contains(&format!("WHARF_TASK_INDEX={index}\n")),
            "{output}"
        );
    }
    let run = server.wharf().json(["describe", "run", "work/1"]);
    let time = |value: &Value| {
        value
            .as_str()
            .expect("text")
            .parse::<jiff::Timestamp>()
            .expect("a time")
    };
    let spans: Vec<_> = attempts(&run)
        .iter()
        .map(|attempt| (time(&attempt["startedAt"]), time(&attempt["stoppedAt"])))
        .collect();
    assert_eq!(spans.len(), 4);
    assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{spans:?}");
    let more = server
        .wharf()
        .ok(["run", "work", "--count", "2", "--", "print", "1"]);
    assert_eq!(more, "line 1\nline 1\n");
}

#[test]
fn a_deadline_ends_a_run() {
    let server = Server::start();
    let project = job(r#"["doze", "86400000", "86400000"]"#, "deadline = \"1s\"");
    let ended = server.wharf().call(["run", project.path()]);
    ended.failed_saying(1, &["work/1: it had not ended after 1s, its deadline"]);
}

#[test]
fn a_run_is_cancelled() {
    let server = Server::start();
    let project = job(r#"["doze", "86400000", "86400000"]"#, "count = 2\nretries = 5");
    let running = server.wharf().spawn(["run", project.path()]);
    until("both sleep", || {
        let log = server.wharf().call(["logs", "work"]).stdout;
        (log.matches("sleeping").count() == 2).then_some(())
    });
    let cancelled = server.wharf().ok(["cancel", "work/1", "--reason", "not today"]);
    assert!(cancelled.contains("work/1: stopping"), "{cancelled}");
    let ended = Ended::of(running.wait_with_output().expect("our child"));
    assert!(!ended.stderr.contains("another follows"), "{ended:?}");
    ended.failed_saying(1, &["work/1: not today"]);
    let run = server.wharf().json(["describe", "run", "work/1"]);
    assert_eq!((&run["state"], attempts(&run).len()), (&"CANCELLED".into(), 2));
    server
        .wharf()
        .call(["cancel", "work/1"])
        .failed_saying(1, &["run work/1 has ended: it is CANCELLED"]);
    server
        .wharf()
        .call(["cancel", "work"])
        .failed_saying(1, &["no run of work goes on"]);
    server
        .wharf()
        .call(["cancel", "work/9"])
        .failed_saying(1, &["there is no run 9 of `work`"]);
    server
        .wharf()
        .call(["cancel", "work/x"])
        .failed_saying(2, &["`x` is no run's number"]);
    server.wharf().ok(["delete", "work"]);
}

#[test]
fn a_job_with_a_schedule_is_deployed() {
    let server = Server::start();
    let schedule = "schedule = \"0 3 1 1 *\"\ntimezone = \"Europe/Paris\"\nconcurrency_policy = \"forbid\"";
    let project = job(r#"["print", "1"]"#, schedule);
    let deployed = server.wharf().ok(["deploy", project.path()]);
    assert!(
        deployed.contains("work:1 is scheduled: 0 3 1 1 * (Europe/Paris)"),
        "{deployed}"
    );
    assert!(deployed.contains("-01-01 03:00 +01:00"), "{deployed}");
    let again = server.wharf().json(["deploy", project.path()]);
    assert_eq!(again["unchanged"], true);
    // By hand it runs as well, and what is typed then is no revision.
    assert_eq!(server.wharf().ok(["run", "work"]), "line 1\n");
    let listed = server.wharf().ok(["jobs"]);
    assert!(
        listed.contains("0 3 1 1 *") && listed.contains("1 SUCCEEDED"),
        "{listed}"
    );

    let paused = server.wharf().ok(["pause", "work"]);
    assert!(paused.contains("work: paused"), "{paused}");
    assert_eq!(
        server.wharf().json(["jobs"])["jobs"][0]["schedule"]["nextRunAt"],
        Value::Null
    );
    let goes_on = server.wharf().ok(["continue", "work"]);
    assert!(
        goes_on.contains("work: goes on; next run: ") && goes_on.contains("-01-01 03:00 +01:00"),
        "{goes_on}"
    );

    let data = server.data().to_owned();
    let _directory = server.kill();
    let server = Server::start_on(&data);
    let jobs = server.wharf().json(["jobs"]);
    let job = &jobs["jobs"][0];
    assert_eq!(
        (&job["schedule"]["status"], &job["lastRun"]["number"]),
        (&"ACTIVE".into(), &1.into()),
        "{jobs}"
    );
    let plain = self::job(r#"["print", "1"]"#, "");
    server
        .wharf()
        .call(["deploy", plain.path()])
        .failed_saying(64, &["wharf.toml:", "without a schedule", "use `wharf run`"]);
    let service = Project::service("work", "");
    server
        .wharf()
        .call(["deploy", service.path()])
        .failed_saying(1, &["there is a job `work` with a schedule"]);
    server.wharf().ok(["delete", "work"]);
    assert_eq!(server.wharf().json(["jobs"])["jobs"], Value::Array(Vec::new()));
}

#[test]
fn after_a_kill_what_may_have_run_is_another_attempt() {
    let server = Server::start();
    let project = job(r#"["exit-until", "2"]"#, "retries = 1\nbackoff = \"0s\"");
    server.wharf().ok(["run", project.path()]);
    let running = server
        .wharf()
        .spawn(["run", "work", "--", "doze", "86400000", "0"]);
    until("it sleeps", || {
        let log = server.wharf().call(["logs", "work"]).stdout;
        log.contains("sleeping").then_some(())
    });
    let data = server.data().to_owned();
    let _directory = server.kill();
    Ended::of(running.wait_with_output().expect("our child"))
        .failed_saying(1, &["work/2 was begun, and goes on when the server does"]);

    let server = Server::start_on(&data);
    until("it is tried again", || {
        let log = server.wharf().call(["logs", "work"]).stdout;
        (log.matches("sleeping").count() == 2).then_some(())
    });
    let run = server.wharf().json(["describe", "run", "work/2"]);
    let attempts = attempts(&run);
    assert_eq!(attempts.len(), 2, "{run}");
    assert_eq!(attempts[0]["stoppedReason"], "server restarted");
    assert_ne!(attempts[0]["taskId"], attempts[1]["taskId"]);
    server.wharf().ok(["cancel", "work"]);
    until("it has ended", || {
        let run = server.wharf().json(["describe", "run", "work/2"]);
        (run["state"] == "CANCELLED").then_some(())
    });
}

#[test]
fn a_schedule_that_makes_no_sense_is_refused_with_its_line() {
    let server = Server::start();
    for (line, said) in [
        (
            "schedule = \"0 0 31 2 *\"",
            "wharf.toml:8:1: `schedule` in [job] is `0 0 31 2 *`: it never fires",
        ),
        (
            "schedule = \"* * * * *\"\ntimezone = \"Moon\"",
            "wharf.toml:9:1: `timezone` in [job]: there is no time zone `Moon`",
        ),
        (
            "count = 2\nparallelism = 3",
            "wharf.toml:9:1: `parallelism` in [job] is 3, more than `count`, 2",
        ),
    ] {
        let project = job(r#"["print", "1"]"#, line);
        server
            .wharf()
            .call(["deploy", project.path()])
            .failed_saying(64, &[said]);
    }
}
