//! Jobs: what may be run, and with what.

use serde_json::json;

use super::*;
use crate::model::{Overrides, TaskStatus};

async fn run(
    harbour: &Harbour,
    content: &'static str,
    overrides: Overrides,
) -> Result<Vec<crate::model::Task>, Refusal> {
    let (bundle, component) = harbour.bundle(content).await;
    let manifest = json!({"name": "report", "task": {"component": component.as_str()}, "job": {}});
    let ask = NewRun {
        what: What::Bundle { bundle, manifest },
        overrides,
        count: 1,
    };
    harbour.orchestrator.run(&harbour.namespace, ask).await
}

#[tokio::test]
async fn a_job_is_defined_once_and_run_as_often_as_asked() {
    let harbour = Harbour::open().await;
    harbour.is_command();
    let first = run(&harbour, "one", Overrides::default()).await.unwrap();
    let second = run(&harbour, "one", Overrides::default()).await.unwrap();
    assert_eq!(first[0].definition, second[0].definition);
    let named = NewRun {
        what: What::Definition("report".into()),
        overrides: Overrides::default(),
        count: 3,
    };
    let named = harbour.orchestrator.run(&harbour.namespace, named).await.unwrap();
    assert_eq!(named.len(), 3);
    let changed = run(&harbour, "two", Overrides::default()).await.unwrap();
    assert_eq!(changed[0].definition.to_string(), "report:2");
    // It is recorded, and known, before the answer.
    let key = crate::model::keys::task(&harbour.namespace, &changed[0].id);
    assert!(harbour.orchestrator.store.get(&key).await.unwrap().is_some());
    assert!(
        harbour
            .orchestrator
            .find_task(&harbour.namespace, changed[0].id.as_str())
            .is_ok()
    );
    let family = "report".parse().unwrap();
    let refused = harbour
        .orchestrator
        .delete_family(&harbour.namespace, &family)
        .await;
    super::refused(refused, "TaskDefinitionInUse");
}

#[tokio::test]
async fn overrides_are_checked_as_a_manifest_is() {
    let harbour = Harbour::open().await;
    harbour.is_command();
    let with = |change: fn(&mut Overrides)| {
        let mut overrides = Overrides::default();
        change(&mut overrides);
        overrides
    };
    for (overrides, code) in [
        (with(|o| o.env.push(("1A".into(), "x".into()))), "InvalidOverride"),
        (
            with(|o| o.env.push(("WHARF_TASK_ID".into(), "x".into()))),
            "InvalidOverride",
        ),
        (
            with(|o| o.secrets.push(("A".into(), "Not A Name".into()))),
            "InvalidOverride",
        ),
        (with(|o| o.cpu = Some(0)), "InvalidCpu"),
        (with(|o| o.cpu = Some(1 << 20)), "TaskTooLarge"),
        (with(|o| o.memory = Some(1 << 20)), "TaskTooSmall"),
    ] {
        refused(run(&harbour, "one", overrides).await, code);
    }
    let good = with(|o| o.cpu = Some(512));
    assert_eq!(run(&harbour, "one", good).await.unwrap()[0].cpu, 512);
}

#[tokio::test]
async fn what_answers_requests_is_not_run() {
    let harbour = Harbour::open().await;
    refused(run(&harbour, "one", Overrides::default()).await, "NotAJob");
    let tasks = harbour.orchestrator.registry.of_namespace(&harbour.namespace);
    assert!(tasks.iter().all(|task| task.status == TaskStatus::Stopped));
}
