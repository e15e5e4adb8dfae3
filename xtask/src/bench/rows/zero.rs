//! Very many services that sleep: what they cost while nobody asks for them, and at a start.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::super::accounting::{resident_mib, share_during};
use super::super::{Bench, Row, Stage};
use super::{PATIENCE, row};
use crate::http::{self, Call};
use crate::server::Server;

/// In two namespaces: one takes 5000.
const NAMESPACES: [&str; 2] = ["default", "more"];
const SERVICES_EACH: usize = 5000;

/// Deploys that go on at once.
const AT_ONCE: usize = 8;

/// How often it is looked whether it is so far.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

pub(crate) fn run(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let stage = bench.stage()?;
    stage.server.wharf(&["namespace", "create", NAMESPACES[1]])?;
    let began = Instant::now();
    for namespace in NAMESPACES {
        stage.fill(namespace)?;
    }
    let created = began.elapsed();
    for namespace in NAMESPACES {
        stage.until_all_sleep(namespace)?;
    }
    let data = stage.data;
    stage.server.stop()?;
    let began = Instant::now();
    let server = Server::start(&bench.wharf, data.path())?;
    let token = token(&server)?;
    while get(&server, &token, "/readyz")?.0 != 200 {
        ensure!(began.elapsed() < PATIENCE, "the server doesn't become ready");
        std::thread::park_timeout(LOOK_AGAIN);
    }
    let start = began.elapsed();
    // What the start needed is given back first.
    bench.pause(Duration::from_secs(2))?;
    let (share, ()) = share_during(server.id(), || bench.pause(bench.seconds()))?;
    let resident = resident_mib(server.id())?;
    bench.until_up(&super::Target::get(server.http, "sleeper-7.localhost", "/"))?;
    server.stop()?;
    let services = SERVICES_EACH * NAMESPACES.len();
    println!("{services} services deployed in {:.1} s", created.as_secs_f64());
    let what = format!("{services} services at zero");
    Ok(vec![
        row(
            format!("{what}: resident memory"),
            "≤ 600 MiB",
            format!("{resident:.0} MiB"),
            resident <= 600.0,
        ),
        row(
            format!("{what}: start of the server"),
            "≤ 10 s",
            format!("{:.1} s", start.as_secs_f64()),
            start <= Duration::from_secs(10),
        ),
        row(
            format!("{what}: CPU"),
            "≤ 2 % of a core",
            format!("{:.2} %", share * 100.0),
            share <= 0.02,
        ),
    ])
}

impl Stage {
    /// Fills a namespace with services that sleep, all of one component.
    fn fill(&self, namespace: &str) -> Result<()> {
        let component = super::component("hello");
        let text = format!("name = \"first\"\n[task]\ncomponent = {component:?}\n[scaling]\nidle = \"1s\"\n");
        let path = self.data.path().join("first.toml");
        std::fs::write(&path, text)?;
        self.server
            .wharf(&["deploy", "--namespace", namespace, &path.display().to_string()])?;
        let token = token(&self.server)?;
        let (_, first) = get(
            &self.server,
            &token,
            &format!("/v1/namespaces/{namespace}/task-definitions/first:1"),
        )?;
        println!("deploying {SERVICES_EACH} services in {namespace} …");
        let next = std::sync::atomic::AtomicUsize::new(1);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..AT_ONCE)
                .map(|_| scope.spawn(|| deploy_until(&self.server, &token, namespace, &first, &next)))
                .collect();
            workers.into_iter().try_for_each(|worker| {
                worker
                    .join()
                    .map_err(|_| anyhow::anyhow!("a deploy broke down"))?
            })
        })
    }

    fn until_all_sleep(&self, namespace: &str) -> Result<()> {
        let token = token(&self.server)?;
        let began = Instant::now();
        loop {
            let (_, all) = get(
                &self.server,
                &token,
                &format!("/v1/namespaces/{namespace}/services"),
            )?;
            let services = all
                .get("services")
                .and_then(Value::as_array)
                .context("no list of services")?;
            if services
                .iter()
                .all(|service| service.pointer("/scaling/asleep") == Some(&Value::Bool(true)))
            {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "the services don't fall asleep");
            std::thread::park_timeout(LOOK_AGAIN);
        }
    }
}

/// Deploys the next service as long as there is one to deploy.
fn deploy_until(
    server: &Server,
    token: &str,
    namespace: &str,
    first: &Value,
    next: &std::sync::atomic::AtomicUsize,
) -> Result<()> {
    loop {
        let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if number >= SERVICES_EACH {
            return Ok(());
        }
        let body = json!({
            "bundle": first["bundle"],
            "manifest": {
                "name": format!("sleeper-{number}"),
                "task": {"component": first["component"], "cpu": 16, "memory": "16MiB"},
                "scaling": {"idle": "1s"},
            },
        });
        let path = format!("/v1/namespaces/{namespace}/deployments");
        let (status, said) = ask(server, token, ("POST", &path), body.to_string().as_bytes())?;
        ensure!(status == 201, "{status}: {said}");
    }
}

fn token(server: &Server) -> Result<String> {
    let token = std::fs::read_to_string(server.data().join("admin-token"))?;
    Ok(token.trim().to_owned())
}

fn get(server: &Server, token: &str, path: &str) -> Result<(u16, Value)> {
    ask(server, token, ("GET", path), b"")
}

fn ask(server: &Server, token: &str, (method, path): (&str, &str), body: &[u8]) -> Result<(u16, Value)> {
    let host = server.api.to_string();
    let call = Call {
        method,
        host: &host,
        path,
        body,
    };
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let answer = http::send_with(server.api, call, &headers)?;
    Ok((
        answer.status,
        serde_json::from_str(&answer.body).unwrap_or_default(),
    ))
}
