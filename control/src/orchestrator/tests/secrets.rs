//! A secret that is referred to stays.

use secrecy::SecretString;
use serde_json::json;

use super::*;
use crate::model::{Overrides, TaskStatus};
use crate::reconciler::control_loop::tests::fake::Behaviour;

#[tokio::test]
async fn a_secret_in_use_is_not_deleted_and_its_users_are_named() {
    let harbour = Harbour::open().await;
    let (orchestrator, namespace) = (&harbour.orchestrator, &harbour.namespace);
    let name = "prod/key".parse().unwrap();
    orchestrator
        .set_secret(namespace, &name, &SecretString::from("hush"))
        .await
        .unwrap();
    let with = json!({"name": "api", "task": {"secrets": {"KEY": "prod/key"}}});
    let deployed = harbour.deploy("one", with).await.unwrap();
    harbour.ended(deployed).await;
    let refusal = refused(orchestrator.delete_secret(namespace, &name).await, "SecretInUse");
    assert!(
        refusal.message.contains("service `api` (api:1)"),
        "{}",
        refusal.message
    );
    assert!(!refusal.message.contains("hush"));
    // Once nothing current refers to it, it may go: an old revision doesn't count.
    let without = harbour
        .deploy("one", json!({"name": "api", "task": {}}))
        .await
        .unwrap();
    harbour.ended(without).await;
    orchestrator.delete_secret(namespace, &name).await.unwrap();
    let refusal = refused(
        orchestrator.delete_secret(namespace, &name).await,
        "SecretNotFound",
    );
    assert_eq!(refusal.message, "there is no secret `prod/key`");
    assert!(refusal.hint.unwrap().contains("wharf secret list"));
}

/// A run of a job that fails at once and is tried again in six minutes, which refers to a secret as `task` and
/// `overrides` say: between its attempts.
async fn between_attempts(harbour: &Harbour, task: serde_json::Value, overrides: Overrides) -> String {
    harbour.is_command();
    harbour
        .fake
        .behaviours
        .lock()
        .unwrap()
        .insert(1, Behaviour::Refuses("not now"));
    let (bundle, component) = harbour.bundle("one").await;
    let mut manifest = json!({"name": "report", "task": task, "job": {"retries": 1, "backoff": "6m"}});
    manifest["task"]["component"] = component.as_str().into();
    let ask = NewRun {
        what: What::Bundle { bundle, manifest },
        overrides,
        count: None,
    };
    let run = harbour.orchestrator.run(&harbour.namespace, ask).await.unwrap();
    let mut changes = harbour.orchestrator.registry.changes();
    let waits = async {
        loop {
            let tasks = harbour.orchestrator.registry.of_namespace(&harbour.namespace);
            if tasks.iter().any(|task| task.status == TaskStatus::Stopped) {
                return;
            }
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), waits)
        .await
        .unwrap();
    run.name()
}

#[tokio::test]
async fn a_secret_of_a_run_between_two_attempts_is_not_deleted() {
    let overridden = Overrides {
        secrets: vec![("KEY".to_owned(), "prod/key".to_owned())],
        ..Overrides::default()
    };
    for (task, overrides) in [
        (json!({}), overridden),
        (json!({"secrets": {"KEY": "prod/key"}}), Overrides::default()),
    ] {
        let harbour = Harbour::open().await;
        let (orchestrator, namespace) = (&harbour.orchestrator, &harbour.namespace);
        let name = "prod/key".parse().unwrap();
        let value = SecretString::from("hush");
        orchestrator.set_secret(namespace, &name, &value).await.unwrap();
        let run = between_attempts(&harbour, task.clone(), overrides).await;
        if task != json!({}) {
            // Another revision of the job doesn't refer to it.
            let (bundle, component) = harbour.bundle("two").await;
            let manifest = json!({"name": "report", "task": {"component": component.as_str()}, "job": {}});
            let what = What::Bundle { bundle, manifest };
            let (overrides, count) = (Overrides::default(), None);
            let next = NewRun {
                what,
                overrides,
                count,
            };
            orchestrator.run(namespace, next).await.unwrap();
        }
        let refusal = refused(orchestrator.delete_secret(namespace, &name).await, "SecretInUse");
        let users = format!("the secret `prod/key` is referred to by run `{run}` (report:1)");
        assert_eq!(refusal.message, users);
        let (family, number) = run.split_once('/').unwrap();
        let (family, number) = (
            family.parse().unwrap(),
            crate::model::RunNumber(number.parse().unwrap()),
        );
        orchestrator
            .cancel_run(namespace, &family, number, None)
            .await
            .unwrap();
        orchestrator.delete_secret(namespace, &name).await.unwrap();
    }
}
