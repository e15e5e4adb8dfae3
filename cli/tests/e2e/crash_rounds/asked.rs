//! What is asked for, and what of it was acknowledged.

use std::fmt;
use std::net::SocketAddr;
use std::thread::Scope;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::count_of;
use crate::http::{self, Call};
use crate::server::Server;

/// One thing that is set again and again, each time with the next number.
#[derive(Debug, Default)]
pub(super) struct Series {
    asked: u64,
    /// What holds unless a later one does.
    certain: u64,
    /// Asked for, and never answered: it may hold or not.
    perhaps: Option<u64>,
    acknowledged: u64,
}

impl Series {
    fn ask(&mut self) -> u64 {
        self.asked += 1;
        self.perhaps = Some(self.asked);
        self.asked
    }

    fn acknowledge(&mut self) {
        if let Some(number) = self.perhaps.take() {
            self.certain = number;
            self.acknowledged += 1;
        }
    }

    /// What is seen after a start has to be what was acknowledged last, or what nobody answered; and stays so.
    #[track_caller]
    pub(super) fn settle(&mut self, seen: u64, shown_as: impl Fn(u64) -> u64) {
        let may_be = std::iter::once(self.certain).chain(self.perhaps.take());
        let found = may_be.filter(|number| shown_as(*number) == seen).last();
        self.certain = found.unwrap_or_else(|| panic!("{seen} is neither of {self:?}"));
    }
}

/// Everything that is asked for.
pub(super) struct Asked {
    /// What a deployment is made of.
    bundle: String,
    component: String,
    pub(super) versions: Series,
    pub(super) counts: Series,
    pub(super) secrets: Series,
    /// What the service `notes` keeps.
    pub(super) data: Series,
    /// The latest that was acknowledged.
    pub(super) deployments: Option<String>,
    /// Runs that were acknowledged since the last start, by number.
    pub(super) runs: Vec<u64>,
    /// The greatest number of a run that was acknowledged in all.
    last_run: u64,
    /// A job whose tasks wait for a secret that never comes.
    held: Value,
    /// Its tasks that were stopped, as was acknowledged since the last start.
    pub(super) stops: Vec<String>,
    /// How many that were in all.
    stopped: usize,
}

impl Asked {
    /// Of the definitions of the service that is deployed and of the job that is run.
    pub(super) fn new(definition: &Value, job: &Value) -> Self {
        let text = |key: &str| definition[key].as_str().expect("text").to_owned();
        // One that is stopped is tried again at once, so that there is one to stop until the server is killed. The deadline
        // ends what is left, long after that.
        let manifest = json!({
            "name": "held",
            "task": {"component": job["component"], "secrets": {"KEY": "missing"}},
            "job": {"count": 5, "retries": 100, "backoff": "0s", "deadline": "15s"},
        });
        Self {
            held: json!({"bundle": job["bundle"], "manifest": manifest}),
            stops: Vec::new(),
            stopped: 0,
            bundle: text("bundle"),
            component: text("component"),
            versions: Series::default(),
            counts: Series::default(),
            secrets: Series::default(),
            data: Series::default(),
            deployments: None,
            runs: Vec::new(),
            last_run: 1,
        }
    }

    /// Asks for all of it at once, one thread a kind, until nobody answers.
    pub(super) fn ask_all<'scope>(
        &'scope mut self,
        scope: &'scope Scope<'scope, '_>,
        client: &'scope Client,
    ) {
        let Self {
            bundle,
            component,
            versions,
            counts,
            secrets,
            data,
            deployments,
            runs,
            last_run,
            held,
            stops,
            stopped,
        } = self;
        scope.spawn(move || {
            stop_all(client, held, stops);
            *stopped += stops.len();
        });
        scope.spawn(move || {
            each(versions, |number| {
                let manifest = json!({
                    "name": "web",
                    "task": {"component": component, "env": {"VERSION": number.to_string()}, "secrets": {"KEY": "key"}},
                });
                let body = json!({"bundle": bundle, "manifest": manifest});
                let created = client.ask("POST", "deployments", &body)?;
                *deployments = Some(created["id"].as_str().expect("text").to_owned());
                Some(())
            });
        });
        scope.spawn(move || {
            each(counts, |number| {
                let body = json!({"desiredCount": count_of(number)});
                client.ask("PATCH", "services/web", &body).map(drop)
            });
        });
        scope.spawn(move || {
            each(secrets, |number| {
                let body = json!({"valueBase64": STANDARD.encode(number.to_string())});
                client.ask("PUT", "secrets/key", &body).map(drop)
            });
        });
        scope.spawn(move || {
            each(data, |number| {
                let said = client.notes(&format!("set,n,{number}"))?;
                assert_eq!(said, "ok");
                Some(())
            });
        });
        scope.spawn(move || {
            while let Some(run) = client.ask("POST", "runs", &json!({"taskDefinition": "work"})) {
                let number = run["number"].as_u64().expect("a number");
                assert!(number > *last_run, "the run {number} was acknowledged twice");
                *last_run = number;
                runs.push(number);
                // The next one begins when it has ended, so that there are not ever more of them.
                let path = format!("jobs/work/runs/{number}");
                while client.get(&path).is_some_and(|run| run["state"] == "IN_PROGRESS") {}
            }
        });
    }

    pub(super) fn forget_acknowledged(&mut self) {
        self.runs.clear();
        self.stops.clear();
    }

    /// Otherwise there was nothing that could have been lost.
    pub(super) fn check_all_were_acknowledged(&self) {
        for series in [&self.versions, &self.counts, &self.secrets, &self.data] {
            assert!(series.acknowledged > 0, "{series:?}");
        }
        assert!(self.last_run > 1);
        assert!(self.stopped > 0);
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            versions,
            counts,
            secrets,
            data,
            last_run,
            stopped,
            ..
        } = self;
        write!(
            f,
            "{} deployments, {} counts, {} secrets, {} writes of data, {last_run} runs and {stopped} stops acknowledged",
            versions.acknowledged, counts.acknowledged, secrets.acknowledged, data.acknowledged
        )
    }
}

/// Runs the job whose tasks wait, and stops one after the other, until nobody answers.
fn stop_all(client: &Client, held: &Value, stops: &mut Vec<String>) -> Option<()> {
    let number = client.ask("POST", "runs", held)?["number"].as_u64();
    let path = format!("jobs/held/runs/{}", number.expect("a number"));
    loop {
        let run = client.get(&path)?;
        let mut attempts = run["attempts"].as_array().expect("an array").iter();
        let waiting = attempts.find(|attempt| attempt["lastStatus"] == "PENDING")?;
        let task = waiting["taskId"].as_str().expect("text");
        client.ask("POST", &format!("tasks/{task}/stop"), &json!({}))?;
        stops.push(task.to_owned());
    }
}

/// Sets the next and the next, until nobody answers.
fn each(series: &mut Series, mut set: impl FnMut(u64) -> Option<()>) {
    while set(series.ask()).is_some() {
        series.acknowledge();
    }
}

/// The API, as the administrator.
pub(super) struct Client {
    to: SocketAddr,
    http: SocketAddr,
    authorization: String,
}

impl Client {
    pub(super) fn of(server: &Server) -> Self {
        let token = std::fs::read_to_string(server.data().join("admin-token")).expect("a token");
        Self {
            to: server.api,
            http: server.http,
            authorization: format!("Bearer {}", token.trim()),
        }
    }

    /// What the service that keeps data says to a command; nothing if nobody answers.
    pub(super) fn notes(&self, command: &str) -> Option<String> {
        let answer = http::send(
            self.http,
            Call::get("notes.localhost", &format!("/own?{command}")),
        );
        // Cut off where the server was killed, it says nothing either.
        (answer.status == 200 && !answer.body.is_empty()).then_some(answer.body)
    }

    /// What is at a path of the namespace's; nothing if nobody answers.
    pub(super) fn get(&self, path: &str) -> Option<Value> {
        self.ask("GET", path, &Value::Null)
    }

    /// The answer, which has to be one of success; nothing if nobody answers.
    pub(super) fn ask(&self, method: &str, path: &str, body: &Value) -> Option<Value> {
        let said = self.text(method, path, body)?;
        // Cut off where the server was killed, it says nothing either.
        serde_json::from_str(&said).ok()
    }

    pub(super) fn text(&self, method: &str, path: &str, body: &Value) -> Option<String> {
        let (path, body) = (format!("/v1/namespaces/default/{path}"), body.to_string());
        let call = Call {
            method,
            body: body.as_bytes(),
            ..Call::get("api", &path)
        };
        let call = call
            .header("authorization", &self.authorization)
            .header("content-type", "application/json");
        let answer = http::send(self.to, call);
        match answer.status {
            0 => None,
            200..300 => Some(answer.body),
            _ => panic!("{method} {path} {body}: {answer:?}"),
        }
    }
}
