//! The measurements, a module each.

pub(super) mod connections;
pub(super) mod crons;
pub(super) mod deploy;
pub(super) mod edge;
pub(super) mod idle;
pub(super) mod memory;
pub(super) mod neighbour;
pub(super) mod request;
pub(super) mod rollout;
pub(super) mod rules;
pub(super) mod share;
pub(super) mod start;
pub(super) mod wake;
pub(super) mod zero;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::load::{Target, once};
use super::{Bench, Row, Stage, component};

/// Longer than anything here takes to come up.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often a service that isn't up yet is asked.
const ASK_AGAIN: Duration = Duration::from_millis(2);

impl Stage {
    /// Deploys an example's component under a name and a size, with time to spin.
    fn deploy(&self, name: &str, example: &str, cpu: u32, memory: &str) -> Result<()> {
        let component = component(example);
        let text = format!(
            "name = {name:?}\n[task]\ncomponent = {component:?}\ncpu = {cpu}\nmemory = {memory:?}\n\
             timeout = \"10m\"\n[service]\ncount = 1\n"
        );
        let path = self.data.path().join(format!("{name}.toml"));
        std::fs::write(&path, text)?;
        let output = self.server.output(&["deploy", &path.display().to_string()])?;
        ensure!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// Requests to a service of this server.
    fn target(&self, service: &str, path: &str) -> Target {
        Target::get(self.server.http, &format!("{service}.localhost"), path)
    }
}

impl Bench<'_> {
    /// Waits until `target` answers with 200.
    fn until_up(&self, target: &Target) -> Result<()> {
        let begin = Instant::now();
        self.runtime.block_on(async {
            while once(target).await.ok() != Some(200) {
                ensure!(begin.elapsed() < PATIENCE, "it does not come up");
                tokio::time::sleep(ASK_AGAIN).await;
            }
            Ok(())
        })
    }

    /// Requests that never end by themselves, held open until the answer is dropped.
    fn hold(&self, target: &Target, requests: usize) -> tokio::task::JoinSet<()> {
        let mut held = tokio::task::JoinSet::new();
        for _ in 0..requests {
            let target = target.clone();
            let again = async move {
                loop {
                    // Cut off at its timeout, a spinning request is sent again.
                    let _ = once(&target).await;
                }
            };
            held.spawn_on(again, self.runtime.handle());
        }
        held
    }

    fn pause(&self, time: Duration) -> Result<()> {
        self.runtime.block_on(async { tokio::time::sleep(time).await });
        Ok(())
    }
}

fn row(what: impl Into<String>, must: impl Into<String>, measured: String, reached: bool) -> Row {
    Row {
        what: what.into(),
        must: must.into(),
        measured,
        reached,
    }
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
