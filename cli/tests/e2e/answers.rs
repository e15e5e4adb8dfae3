//! What commands print: JSON whenever it is asked for, and never an empty table without a word.

use serde_json::Value;

use crate::project::Project;
use crate::server::Server;

#[test]
fn an_empty_list_says_what_would_fill_it() {
    let server = Server::start();
    server.wharf().ok(["namespace", "create", "blue"]);
    let blue = server.wharf().in_namespace("blue");
    for (words, said) in [
        (&["ps"][..], "no task in namespace `blue` runs: `wharf ps --all`"),
        (&["ps", "--all"], "no tasks in namespace `blue`: `wharf deploy`"),
        (&["ps", "web"], "nothing is known of `web` in namespace `blue`"),
        (
            &["services"],
            "no services in namespace `blue`: `wharf deploy PATH`",
        ),
        (&["events"], "no such events"),
        (
            &["secret", "list"],
            "no secrets in namespace `blue`: `wharf secret set NAME`",
        ),
        (
            &["token", "list"],
            "no tokens of namespace `blue`: `wharf token create`",
        ),
    ] {
        let ended = blue.call(words);
        ended.failed_saying(0, &[said]);
        assert_eq!(ended.stdout, "", "{words:?}");
        let ended = blue.call(words.iter().chain(&["-o", "json"]));
        assert_eq!(ended.stderr, "", "{words:?}");
    }
}

#[test]
fn every_command_answers_in_json() {
    let server = Server::start();
    let wharf = server.wharf();
    let service = Project::service("web", "");
    let job = Project::job("work", "[\"print\", \"2\"]");
    assert_eq!(
        wharf.with_input(["secret", "set", "key", "-o", "json"], "x").code,
        0
    );
    let deployed = wharf.json(["deploy", service.path()]);
    let deployment = deployed["id"].as_str().expect("text").to_owned();
    // A line each, of which the last is the run.
    let ran = wharf.ok(["run", job.path(), "-o", "json"]);
    let lines = ran.lines().map(serde_json::from_str::<Value>);
    let lines: Vec<Value> = lines.collect::<Result<_, _>>().expect("JSON lines");
    let task = lines
        .last()
        .and_then(|run| run["attempts"][0]["taskId"].as_str())
        .expect("a task")
        .to_owned();
    for words in [&["logs", "work"][..], &["events"]] {
        let said = wharf.ok(words.iter().chain(&["-o", "json"]));
        assert!(!said.is_empty(), "{words:?}");
        for line in said.lines() {
            serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        }
    }
    let running = wharf.json(["ps", "web"])["tasks"][0]["taskId"]
        .as_str()
        .expect("one")
        .to_owned();
    for words in [
        &["services"][..],
        &["describe", "service", "web"],
        &["describe", "deployment", &deployment],
        &["jobs"],
        &["describe", "job", "work"],
        &["describe", "run", "work/1"],
        &["describe", "task", &task],
        &["describe", "task-definition", "web"],
        &["scale", "web", "2"],
        &["stop", &running],
        &["delete", "web"],
        &["delete", "work"],
        &["secret", "list"],
        &["secret", "delete", "key"],
        &["namespace", "create", "blue"],
        &["namespace", "list"],
        &["token", "create"],
        &["token", "list"],
        &["namespace", "delete", "blue"],
    ] {
        assert!(wharf.json(words.iter().copied()).is_object(), "{words:?}");
    }
    let token = wharf.json(["token", "list"])["tokens"][0]["id"]
        .as_str()
        .expect("one")
        .to_owned();
    assert_eq!(wharf.json(["token", "revoke", &token])["status"], "revoked");
}
