//! Jobs and workers: what runs to its end, and what is started again.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::ChildStderr;

use rustix::process::Signal;
use serde_json::Value;

use crate::project::{Guest, Project};
use crate::server::{Server, until};
use crate::wharf::Ended;

#[test]
fn run_streams_the_output_and_ends_with_the_jobs_code() {
    let server = Server::start();
    let project = Project::job("work", r#"["print", "3"]"#);
    let ended = server.wharf().call(["run", project.path()]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (0, "line 1\nline 2\nline 3\n"),
        "{ended:?}"
    );
    assert_eq!(
        server
            .wharf()
            .call(["run", project.path(), "--", "exit", "7"])
            .code,
        7
    );
    // It is a definition by now, which runs by its name alone.
    assert_eq!(server.wharf().call(["run", "work", "--", "exit", "9"]).code, 9);
    assert_eq!(
        server.wharf().ok(["run", "work:1", "--", "print", "1"]),
        "line 1\n"
    );
}

#[test]
fn a_job_that_traps_fails_with_its_reason() {
    let server = Server::start();
    let ended = server
        .wharf()
        .call(["run", Project::job("work", r#"["unreachable"]"#).path()]);
    ended.failed_saying(1, &["unreachable"]);
}

#[test]
fn a_job_finds_its_files_arguments_and_environment() {
    let server = Server::start();
    let manifest = "name = \"work\"\n[task]\ncomponent = \"app.wasm\"\nargs = [\"cat\", \"/data/deep/note.txt\"]\n\
                    files = [{ source = \"static\", mount = \"/data\" }]\n[job]\n";
    let project = Project::new(Guest::Command, manifest);
    project.write("static/deep/note.txt", "read only\n");
    assert_eq!(server.wharf().ok(["run", project.path()]).trim_end(), "read only");
    let env = server
        .wharf()
        .ok(["run", project.path(), "--env", "COLOUR=blue", "--", "env"]);
    assert!(
        env.contains("COLOUR=blue") && env.contains("WHARF_NAMESPACE=default"),
        "{env}"
    );
}

#[test]
fn what_a_run_changes_is_its_own() {
    let server = Server::start();
    let manifest = "name = \"work\"\n[task]\ncomponent = \"app.wasm\"\nargs = [\"env\"]\n\
                    env = { COLOUR = \"red\" }\n[job]\n";
    let project = Project::new(Guest::Command, manifest);
    server.wharf().with_input(["secret", "set", "key"], "hush");
    let typed = ["--env", "COLOUR=blue", "--secret", "KEY=key", "--cpu", "512"];
    for job in [project.path(), "work"] {
        let changed = server.wharf().ok(["run", job].into_iter().chain(typed));
        assert!(
            changed.contains("COLOUR=blue") && changed.contains("KEY=hush"),
            "{changed}"
        );
        let plain = server.wharf().ok(["run", "work"]);
        assert!(plain.contains("COLOUR=red") && !plain.contains("KEY="), "{plain}");
    }
    let tasks = server.wharf().json(["ps", "--all"])["tasks"].clone();
    let tasks = tasks.as_array().expect("an array");
    assert!(
        tasks.iter().all(|task| task["taskDefinition"] == "work:1"),
        "{tasks:?}"
    );
    let changed = tasks.iter().find(|task| task["cpu"] == 512).expect("one of them");
    assert_eq!(changed["overrides"]["secrets"]["KEY"], "key");
    let id = changed["taskId"].as_str().expect("text");
    let described = server.wharf().ok(["describe", "task", id]);
    assert!(
        described.contains("--env COLOUR=blue --secret KEY=key --cpu 512"),
        "{described}"
    );
    server
        .wharf()
        .call(["run", "work", "--env", "A=1", "--env", "A=2"])
        .failed_saying(2, &["--env gives `A` twice"]);
}

/// A job that waits for a secret which isn't there.
fn waiting(server: &Server, project: &Project) -> (std::process::Child, BufReader<ChildStderr>, String) {
    let mut running = server
        .wharf()
        .spawn(["run", project.path(), "--secret", "KEY=absent"]);
    let mut said = BufReader::new(running.stderr.take().expect("piped"));
    let mut line = String::new();
    said.read_line(&mut line).expect("readable");
    (running, said, line)
}

#[test]
fn a_job_that_waits_says_so_and_runs_when_it_can() {
    let server = Server::start();
    let project = Project::job("work", r#"["print", "1"]"#);
    let (running, mut said, line) = waiting(&server, &project);
    assert!(
        line.starts_with("job work-") && line.contains(" is PENDING: ") && line.contains("absent"),
        "{line}"
    );
    server.wharf().with_input(["secret", "set", "absent"], "there");
    let ended = Ended::of(running.wait_with_output().expect("our child"));
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("readable");
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "line 1\n"), "{rest}");
}

#[test]
fn a_job_whose_client_is_told_to_end_while_it_waits_never_runs() {
    let server = Server::start();
    let project = Project::job("work", r#"["print", "1"]"#);
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let (running, _said, _) = waiting(&server, &project);
        crate::server::signal(&running, signal);
        let ended = Ended::of(running.wait_with_output().expect("our child"));
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended:?}");
    }
    server.wharf().with_input(["secret", "set", "absent"], "there");
    // One that comes later has run, and those before it have not.
    server.wharf().ok(["run", "work"]);
    let tasks = server.wharf().json(["ps", "--all"])["tasks"].clone();
    let tasks = tasks.as_array().expect("an array");
    let ended = |task: &&Value| (task["stopCode"] == "UserInitiated") && task["startedAt"].is_null();
    assert_eq!(tasks.iter().filter(ended).count(), 3, "{tasks:?}");
    assert_eq!(tasks.len(), 4);
}

#[test]
fn a_job_nobody_reads_any_more_is_stopped() {
    let server = Server::start();
    let manifest = "name = \"work\"\n[task]\ncomponent = \"app.wasm\"\nargs = [\"print\", \"1000000000\"]\n\
                    timeout = \"10m\"\nstop_timeout = \"1s\"\n[job]\n";
    let project = Project::new(Guest::Command, manifest);
    let mut running = server.wharf().spawn(["run", project.path()]);
    drop(running.stdout.take());
    let ended = Ended::of(running.wait_with_output().expect("our child"));
    ended.failed_saying(1, &["cannot write the job's output"]);
    until("the job is stopped", || {
        let all = server.wharf().json(["ps", "--all"]);
        (all["tasks"][0]["stopCode"] == "UserInitiated").then_some(())
    });
}

#[test]
fn a_name_that_is_neither_a_path_nor_a_family_is_refused() {
    let server = Server::start();
    server
        .wharf()
        .call(["run", "./nowhere"])
        .failed_saying(2, &["./nowhere"]);
    server
        .wharf()
        .call(["run", "nobody"])
        .failed_saying(1, &["nobody"]);
}

#[test]
fn a_worker_that_ends_is_started_again() {
    let server = Server::start();
    let manifest =
        "name = \"worker\"\n[task]\ncomponent = \"app.wasm\"\nargs = [\"exit\", \"4\"]\n[service]\n";
    let project = Project::new(Guest::Command, manifest);
    let mut deploying = server.wharf().spawn(["deploy", project.path()]);
    until("it was restarted", || {
        let tasks = server.wharf().json(["ps", "worker", "--all"]);
        let tasks = tasks["tasks"].as_array().expect("an array").clone();
        tasks
            .iter()
            .any(|task| task["restarts"].as_u64() > Some(0))
            .then_some(())
    });
    let all = server.wharf().json(["ps", "worker", "--all"]);
    let stopped = all["tasks"]
        .as_array()
        .expect("an array")
        .iter()
        .find(|task| task["lastStatus"] == "STOPPED");
    let stopped = stopped.expect("a stopped task");
    assert_eq!(
        (&stopped["stopCode"], &stopped["exitCode"]),
        (&"EssentialContainerExited".into(), &4.into())
    );
    deploying.kill().expect("our child");
    deploying.wait().expect("our child");
}

#[test]
fn a_sleeping_worker_that_is_stopped_ends_by_itself() {
    let server = Server::start();
    let manifest = "name = \"worker\"\n[task]\ncomponent = \"app.wasm\"\nargs = [\"nap\", \"86400000\"]\n\
                    stop_timeout = \"1h\"\n[service]\n";
    server
        .wharf()
        .ok(["deploy", Project::new(Guest::Command, manifest).path()]);
    let task = server.wharf().json(["ps", "worker"])["tasks"][0]["taskId"].clone();
    let task = task.as_str().expect("text");
    until("it sleeps", || {
        let log = server.wharf().ok(["logs", "worker"]);
        log.contains("sleeping").then_some(())
    });
    server.wharf().ok(["stop", task]);
    let stopped = until("it has ended", || {
        let task = server.wharf().json(["describe", "task", task]);
        (task["lastStatus"] == "STOPPED").then_some(task)
    });
    assert_eq!(
        (&stopped["stopCode"], &stopped["exitCode"]),
        (&"UserInitiated".into(), &0.into()),
        "{stopped}"
    );
}

#[test]
fn interrupting_run_stops_the_job() {
    let server = Server::start();
    let ended = interrupted(&server, r#"["doze", "86400000", "86400000"]"#, "1s");
    ended.failed_saying(1, &["interrupted"]);
    let all = server.wharf().json(["ps", "--all"]);
    assert_eq!(all["tasks"][0]["stopCode"], "UserInitiated", "{all}");
}

#[test]
fn a_job_that_heeds_an_interrupt_says_its_last_words_and_is_no_success() {
    let server = Server::start();
    let ended = interrupted(&server, r#"["nap", "86400000"]"#, "1h");
    ended.failed_saying(1, &["interrupted"]);
    assert_eq!(ended.stdout, "sleeping\nbye\n");
}

/// Run a job with these arguments, and interrupt `wharf run` when it sleeps.
fn interrupted(server: &Server, args: &str, stop_timeout: &str) -> Ended {
    let manifest = format!(
        "name = \"work\"\n[task]\ncomponent = \"app.wasm\"\nargs = {args}\n\
         stop_timeout = {stop_timeout:?}\ntimeout = \"1h\"\n[job]\n"
    );
    let project = Project::new(Guest::Command, &manifest);
    let running = server.wharf().spawn(["run", project.path()]);
    until("the job sleeps", || {
        let ended = server.wharf().call(["logs", "work"]);
        ended.stdout.contains("sleeping").then_some(())
    });
    crate::server::signal(&running, Signal::INT);
    Ended::of(running.wait_with_output().expect("our child"))
}

#[test]
fn deleting_a_service_says_that_a_job_of_its_name_stays() {
    let server = Server::start();
    let worker = Project::new(
        Guest::Command,
        "name = \"work\"\n[task]\ncomponent = \"app.wasm\"\nargs = [\"sleep\", \"3600000\"]\nstop_timeout = \"1s\"\n[service]\n",
    );
    server.wharf().ok(["deploy", worker.path()]);
    server.wharf().ok(["run", "work", "--", "print", "1"]);
    let deleted = server.wharf().call(["delete", "work"]);
    assert_eq!(
        (deleted.code, deleted.stdout.as_str()),
        (0, "work: deleted\n"),
        "{deleted:?}"
    );
    assert!(deleted.stderr.contains("the job `work` stays"), "{deleted:?}");
    assert!(
        server
            .wharf()
            .ok(["events", "work"])
            .contains("(service work) was deleted.")
    );
    let deleted = server.wharf().call(["delete", "work"]);
    assert_eq!((deleted.code, deleted.stderr.as_str()), (0, ""), "{deleted:?}");
}

#[test]
fn a_job_is_forgotten_when_it_is_deleted() {
    let server = Server::start();
    server
        .wharf()
        .ok(["run", Project::job("work", r#"["print", "1"]"#).path()]);
    server.wharf().ok(["delete", "work"]);
    server.wharf().call(["run", "work"]).failed_saying(1, &["work"]);
    server
        .wharf()
        .call(["delete", "work"])
        .failed_saying(1, &["work"]);
}
