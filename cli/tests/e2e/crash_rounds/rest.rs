//! What there is when everything has come to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::asked::Client;
use crate::http::{self, Call};
use crate::server::{DEADLINE, until};

/// The service when all its tasks are there and healthy, and its deployment is completed.
pub(super) fn service_at_rest(client: &Client) -> Value {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let described = client.get("services/web").expect("the server is there");
        let newest = &described["deployments"][0];
        assert_ne!(newest["rolloutState"], "FAILED", "{newest}");
        if is_at_rest(&described) {
            return described["service"].clone();
        }
        assert!(
            Instant::now() < deadline,
            "the service never comes to rest: {described:#}"
        );
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn is_at_rest(described: &Value) -> bool {
    let (service, newest) = (&described["service"], &described["deployments"][0]);
    let wanted = &service["desiredCount"];
    let tasks = described["tasks"].as_array().expect("an array");
    let leaves = |task: &Value| task["lastStatus"] != "STOPPED" && task["desiredStatus"] == "STOPPED";
    newest["rolloutState"] == "COMPLETED"
        && service["runningCount"] == *wanted
        && service["healthyCount"] == *wanted
        && !tasks.iter().any(leaves)
}

/// The tasks of the service that run; none if nobody answers.
pub(super) fn running(client: &Client) -> BTreeSet<String> {
    let listed = client.get("tasks?service=web").unwrap_or_default();
    let tasks = listed["tasks"].as_array().map_or(&[][..], Vec::as_slice);
    tasks
        .iter()
        .filter(|task| task["lastStatus"] == "RUNNING")
        .map(|task| task["taskId"].as_str().expect("text").to_owned())
        .collect()
}

/// The version and the secret that each of the tasks tells.
pub(super) fn told_by_all(to: SocketAddr, tasks: &BTreeSet<String>) -> (u64, u64) {
    let mut told = BTreeMap::new();
    until("each task has answered", || {
        let answer = http::send(to, Call::get("web.localhost", "/env"));
        assert_eq!(answer.status, 200, "{answer:?}");
        let env = answer.json();
        let number = |key: &str| env[key].as_str().expect("text").parse::<u64>().expect("a number");
        let task = env["WHARF_TASK_ID"].as_str().expect("text").to_owned();
        assert!(
            tasks.contains(&task),
            "{task} answers, which is none of {tasks:?}"
        );
        told.insert(task, (number("VERSION"), number("KEY")));
        (told.len() == tasks.len()).then_some(())
    });
    let all: BTreeSet<_> = told.values().copied().collect();
    assert_eq!(all.len(), 1, "{told:?}");
    all.into_iter().next().expect("one")
}

/// What the service `notes` keeps; 0 if nothing.
pub(super) fn kept(client: &Client) -> u64 {
    let said = until("the service answers", || client.notes("get,n"));
    said.parse().unwrap_or_else(|_| {
        assert_eq!(said, "-");
        0
    })
}

/// The latest that was acknowledged is known.
pub(super) fn deployments(client: &Client, acknowledged: &Option<String>) {
    let Some(id) = acknowledged else { return };
    let listed = client
        .get("deployments?service=web")
        .expect("the server is there");
    let known = listed["deployments"].as_array().expect("an array");
    assert!(
        known.iter().any(|known| known["id"] == **id),
        "{id} is none of {known:?}"
    );
}

/// Every run that was acknowledged succeeds, each of its tasks once.
pub(super) fn runs(client: &Client, acknowledged: &[u64]) {
    for number in acknowledged {
        let path = format!("jobs/work/runs/{number}");
        let run = until("the run has ended", || {
            let run = client.get(&path).expect("the server is there");
            (run["state"] != "IN_PROGRESS").then_some(run)
        });
        assert_eq!(run["state"], "SUCCEEDED", "{run}");
        let attempts = run["attempts"].as_array().expect("an array");
        let succeeded = attempts.iter().filter(|attempt| attempt["exitCode"] == 0);
        assert_eq!(succeeded.count(), 1, "{run}");
    }
    until("no other run goes on", || {
        let jobs = client.get("jobs/work").expect("the server is there");
        let runs = jobs["runs"].as_array().expect("an array");
        runs.iter().all(|run| run["state"] != "IN_PROGRESS").then_some(())
    });
}

/// Every task that waited and was stopped, as was acknowledged, is so.
pub(super) fn stops(client: &Client, acknowledged: &[String]) {
    for id in acknowledged {
        let task = client.get(&format!("tasks/{id}")).expect("the server is there");
        assert_eq!(
            (&task["lastStatus"], &task["stopCode"]),
            (&"STOPPED".into(), &"UserInitiated".into()),
            "{task}"
        );
    }
}

/// Whoever of the job's tasks has said who it is since then, as often as it said so.
pub(super) fn attempts_that_ran(client: &Client, since: jiff::Timestamp) -> Vec<String> {
    let path = format!("logs/work?since={since}");
    let lines = client
        .text("GET", &path, &Value::Null)
        .expect("the server is there");
    lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line"))
        .filter_map(|line| {
            let message = line["message"].as_str().expect("text");
            message.strip_prefix("WHARF_TASK_ID=").map(str::to_owned)
        })
        .collect()
}
