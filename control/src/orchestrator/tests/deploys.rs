//! Deploys: new, unchanged, refused; routes; counts.

use serde_json::json;

use super::*;
use crate::model::ServiceKind;
use crate::reconciler::control_loop::tests::fake::Behaviour;
use crate::store::Transaction;

#[tokio::test]
async fn the_same_content_again_is_unchanged() {
    let harbour = Harbour::open().await;
    let manifest = json!({"name": "api", "task": {"env": {"A": "1"}}});
    let first = harbour.deploy("one", manifest.clone()).await.unwrap();
    let first = harbour.ended(first).await;
    assert_eq!((first.state, first.revision.get()), (RolloutState::Completed, 1));
    let again = harbour.deploy("one", manifest.clone()).await.unwrap();
    assert!(
        matches!(&again, Deployed::Unchanged(same, _) if same.id == first.id),
        "{again:?}"
    );
    for (content, manifest, revision) in [
        ("one", json!({"name": "api", "task": {"env": {"A": "2"}}}), 2),
        ("two", json!({"name": "api", "task": {"env": {"A": "2"}}}), 3),
        // Back to what revision 1 was: revisions only go on.
        ("one", manifest, 4),
    ] {
        let new = harbour.deploy(content, manifest).await.unwrap();
        assert!(matches!(new, Deployed::New(_)), "{new:?}");
        let ended = harbour.ended(new).await;
        assert_eq!(
            (ended.state, ended.revision.get()),
            (RolloutState::Completed, revision)
        );
    }
}

#[tokio::test]
async fn a_count_is_no_new_revision() {
    let harbour = Harbour::open().await;
    let with = |count: u32| json!({"name": "api", "task": {}, "service": {"count": count}});
    let first = harbour.deploy("one", with(2)).await.unwrap();
    harbour.ended(first).await;
    let name = "api".parse().unwrap();
    assert!(matches!(
        harbour.deploy("one", with(3)).await.unwrap(),
        Deployed::Unchanged(..)
    ));
    assert_eq!(
        harbour
            .orchestrator
            .service(&harbour.namespace, &name)
            .await
            .unwrap()
            .count,
        3
    );
    // A manifest that says none leaves what was scaled.
    harbour
        .orchestrator
        .scale(&harbour.namespace, &name, 5)
        .await
        .unwrap();
    let new = harbour
        .deploy("two", json!({"name": "api", "task": {}}))
        .await
        .unwrap();
    harbour.ended(new).await;
    assert_eq!(
        harbour
            .orchestrator
            .service(&harbour.namespace, &name)
            .await
            .unwrap()
            .count,
        5
    );
}

#[tokio::test]
async fn routes_of_two_services_that_clash_are_refused_naming_both() {
    let harbour = Harbour::open().await;
    let routed = |name: &str, route: serde_json::Value| json!({"name": name, "task": {}, "route": [route]});
    let host = json!({"host": ["api.example.com"]});
    let first = harbour.deploy("one", routed("one", host.clone())).await.unwrap();
    harbour.ended(first).await;
    let refusal = refused(
        harbour.deploy("two", routed("two", host.clone())).await,
        "RouteInUse",
    );
    assert!(refusal.message.contains("default/one[0]"), "{}", refusal.message);
    assert!(refusal.message.contains("default/two[0]"), "{}", refusal.message);
    // The same host with another path is no clash, nor is one's own route.
    let path = json!({"host": ["api.example.com"], "path": ["/two/*"]});
    harbour.deploy("two", routed("two", path)).await.unwrap();
    harbour
        .deploy("three", routed("one", host.clone()))
        .await
        .unwrap();
    // One that is being deleted has none.
    harbour
        .orchestrator
        .delete_service(&harbour.namespace, &"one".parse().unwrap())
        .await
        .unwrap();
    harbour.deploy("four", routed("four", host)).await.unwrap();
    let prioritised = |name: &str, host: &str| routed(name, json!({"priority": 7, "host": [host]}));
    harbour
        .deploy("five", prioritised("five", "a.example.com"))
        .await
        .unwrap();
    let refusal = refused(
        harbour.deploy("six", prioritised("six", "b.example.com")).await,
        "RouteInUse",
    );
    assert!(refusal.message.contains("priority 7"), "{}", refusal.message);
}

#[tokio::test]
async fn both_routes_of_a_service_that_is_being_rolled_are_taken() {
    let harbour = Harbour::open().await;
    let at = |name: &str, host: &str| json!({"name": name, "task": {}, "route": [{"host": [host]}]});
    let first = harbour.deploy("one", at("one", "a.example.com")).await.unwrap();
    harbour.ended(first).await;
    // Its next revision never becomes healthy: the deployment goes on.
    harbour
        .fake
        .behaviours
        .lock()
        .unwrap()
        .insert(2, Behaviour::Unsure);
    harbour.deploy("two", at("one", "b.example.com")).await.unwrap();
    for host in ["a.example.com", "b.example.com"] {
        let refusal = refused(harbour.deploy("other", at("other", host)).await, "RouteInUse");
        assert!(refusal.message.contains("default/one[0]"), "{}", refusal.message);
    }
    harbour
        .deploy("other", at("other", "c.example.com"))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_cannot_run_is_refused_at_once() {
    let harbour = Harbour::open().await;
    let large = json!({"name": "api", "task": {"cpu": 4096}});
    let refusal = refused(harbour.deploy("one", large).await, "TaskTooLarge");
    assert!(refusal.message.contains("4096"), "{}", refusal.message);
    let small = json!({"name": "api", "task": {"memory": "1MiB"}});
    let refusal = refused(harbour.deploy("one", small).await, "TaskTooSmall");
    assert_eq!(
        refusal.message,
        "this component needs at least 1.5MiB of memory, the task has 1MiB"
    );
    assert_eq!(refusal.field.as_deref(), Some("task.memory"));
    assert_eq!(refusal.hint.as_deref(), Some("set task.memory to 2MiB or more"));
    refused(
        harbour
            .deploy("one", json!({"name": "api", "task": {}, "job": {}}))
            .await,
        "NotAService",
    );
    let (bundle, _) = harbour.bundle("one").await;
    let other = Digest::from_sha256([1; 32]);
    let manifest = json!({"name": "api", "task": {"component": other.as_str()}});
    let ask = NewDeployment { bundle, manifest };
    refused(
        harbour.orchestrator.deploy(&harbour.namespace, ask).await,
        "BundleMismatch",
    );
    harbour.is_command();
    let health = json!({"name": "api", "task": {}, "health": {"path": "/"}});
    let refusal = refused(harbour.deploy("worker", health).await, "WorldMismatch");
    assert_eq!(refusal.field.as_deref(), Some("health"));
}

#[tokio::test]
async fn a_service_stays_of_its_kind() {
    let harbour = Harbour::open().await;
    let manifest = json!({"name": "api", "task": {}});
    let first = harbour.deploy("one", manifest.clone()).await.unwrap();
    harbour.ended(first).await;
    harbour.is_command();
    refused(harbour.deploy("worker", manifest).await, "ServiceKindChanged");
    let worker = harbour
        .deploy("worker", json!({"name": "worker", "task": {}}))
        .await
        .unwrap();
    harbour.ended(worker).await;
    let worker = harbour
        .orchestrator
        .service(&harbour.namespace, &"worker".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(worker.kind, ServiceKind::Worker);
}

#[test]
fn a_service_answers_at_its_default_host_or_at_its_routes() {
    let digest = Digest::from_sha256([1; 32]);
    let urls = |manifest: serde_json::Value, namespace: &str, port| {
        let mut manifest = manifest;
        manifest["name"] = "api".into();
        manifest["task"] = json!({"component": digest.as_str()});
        let manifest = crate::manifest::Manifest::from_json(manifest).unwrap();
        crate::edge::rules::urls(&namespace.parse().unwrap(), &manifest, port)
    };
    assert_eq!(urls(json!({}), "default", 8080), ["http://api.localhost:8080"]);
    assert_eq!(urls(json!({}), "red", 80), ["http://api.red.localhost"]);
    let routes = json!({"route": [{"host": ["a.example.com", "*.example.com"]}, {"path": ["/x"]}]});
    assert_eq!(urls(routes, "default", 8080), ["http://a.example.com:8080"]);
}

#[tokio::test]
async fn what_deleted_services_left_is_cleared_away() {
    let harbour = Harbour::open().await;
    let first = harbour
        .deploy("one", json!({"name": "kept", "task": {}}))
        .await
        .unwrap();
    harbour.ended(first).await;
    let logs = harbour._directory.path().join("logs");
    for folder in ["default/kept", "default/gone", "team/gone-too", "Not A Name/x"] {
        std::fs::create_dir_all(logs.join(folder)).unwrap();
    }
    // A crash after the deletion was written: the tasks' records are there still.
    let left = harbour.orchestrator.registry.of_namespace(&harbour.namespace)[0].clone();
    let left = crate::model::Task {
        id: crate::names::TaskId::generate(),
        group: crate::model::Group::Service("left".parse().unwrap()),
        ..left
    };
    let (registry, id) = (&harbour.orchestrator.registry, left.id.clone());
    registry.insert(crate::tasks::registry::Entry::new(left, None));
    harbour.orchestrator.sweep().await.unwrap();
    let forgotten: Vec<String> = harbour
        .fake
        .forgotten
        .lock()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(forgotten, ["gone", "left", "gone-too"]);
    assert_eq!(registry.task(&id), None);
    assert_eq!(registry.of_namespace(&harbour.namespace).len(), 1);
}

#[tokio::test]
async fn of_the_deployments_of_a_revision_that_runs_the_newest_is_kept() {
    let harbour = Harbour::open().await;
    let manifest = |value: &str| json!({"name": "api", "task": {"env": {"A": value}}});
    let first = harbour.deploy("one", manifest("1")).await.unwrap();
    let first = harbour.ended(first).await;
    // As after so many deployments that failed: each way back to the revision that runs has its record.
    let mut newest = first.id.clone();
    for _ in 0..DEPLOYMENTS_KEPT + 5 {
        newest = crate::model::DeploymentId::generate();
        let back = Deployment {
            id: newest.clone(),
            ..first.clone()
        };
        let written = back.begin(Transaction::new());
        harbour.orchestrator.store.commit(written).await.unwrap();
    }
    let known = async || {
        let name = first.service.clone();
        let all = harbour.orchestrator.deployments(&harbour.namespace, Some(&name));
        all.await.unwrap()
    };
    let same = harbour.deploy("one", manifest("1")).await.unwrap();
    assert!(
        matches!(&same, Deployed::Unchanged(same, _) if same.id == newest),
        "{same:?}"
    );
    // What runs is asked for when it is deployed again, however long ago it came.
    for value in 2..=DEPLOYMENTS_KEPT + 5 {
        let next = harbour.deploy("one", manifest(&value.to_string())).await.unwrap();
        let next = harbour.ended(next).await;
        assert!(known().await.len() <= DEPLOYMENTS_KEPT, "{value}");
        assert_eq!(
            known().await.first().map(|latest| latest.id.clone()),
            Some(next.id)
        );
    }
}

#[tokio::test]
async fn a_deploy_is_not_refused_for_a_step_of_the_one_before() {
    let harbour = Harbour::open().await;
    for round in 0..50 {
        let manifest =
            json!({"name": "api", "task": {"env": {"ROUND": round.to_string()}}, "service": {"count": 2}});
        harbour.deploy("one", manifest).await.unwrap();
        // However far the control loop has come with it.
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn the_longest_stop_timeout_is_that_of_the_tasks_there_are() {
    let harbour = Harbour::open().await;
    let registry = &harbour.orchestrator.registry;
    assert_eq!(registry.longest_stop_timeout(), None);
    for (name, stop_timeout) in [("quick", "1s"), ("slow", "90s")] {
        let manifest = json!({"name": name, "task": {"stop_timeout": stop_timeout}});
        let deployed = harbour.deploy("one", manifest).await.unwrap();
        harbour.ended(deployed).await;
    }
    let seconds = std::time::Duration::from_secs;
    assert_eq!(registry.longest_stop_timeout(), Some(seconds(90)));
    let slow = "slow".parse().unwrap();
    let (orchestrator, namespace) = (&harbour.orchestrator, &harbour.namespace);
    orchestrator.scale(namespace, &slow, 0).await.unwrap();
    let mut changes = registry.changes();
    while registry.longest_stop_timeout() != Some(seconds(1)) {
        let changed = tokio::time::timeout(seconds(30), changes.changed());
        changed.await.expect("its tasks are gone").unwrap();
    }
}

#[tokio::test]
async fn what_a_deploy_changes_of_the_service_itself_is_told() {
    let harbour = Harbour::open().await;
    let with = |more: serde_json::Value| {
        let mut manifest = json!({"name": "api", "task": {}, "service": {"count": 2}});
        let (manifest_keys, more) = (
            manifest.as_object_mut().unwrap(),
            more.as_object().unwrap().clone(),
        );
        manifest_keys.extend(more);
        manifest
    };
    let first = harbour.deploy("one", with(json!({}))).await.unwrap();
    harbour.ended(first).await;
    let canary = json!({"strategy": "canary", "step": 10, "bake": "1s"});
    let scaling = |max: u32| json!({"min": 1, "max": max, "cpu": 60});
    for more in [
        json!({"deployment": canary}),
        json!({"deployment": canary, "scaling": scaling(5)}),
        json!({"deployment": canary, "scaling": scaling(6)}),
        json!({"deployment": canary}),
        // The same again.
        json!({"deployment": canary}),
    ] {
        let deployed = harbour.deploy("one", with(more)).await.unwrap();
        assert!(matches!(deployed, Deployed::Unchanged(..)), "{deployed:?}");
    }
    // With a revision, too.
    let new = harbour.deploy("two", json!({"name": "api", "task": {}, "service": {"count": 3}}));
    let new = new.await.unwrap();
    harbour.ended(new).await;
    let orchestrator = &harbour.orchestrator;
    orchestrator.events.flush().await;
    let query = crate::events::EventQuery::default();
    let said = orchestrator
        .events
        .list(&harbour.namespace, &query)
        .await
        .unwrap();
    let told = said.iter().map(|event| event.message.as_str());
    let told = told.filter(|message| message.ends_with("Cause: it was deployed so."));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "(service api) has its [deployment] changed: strategy = canary, step = 10, bake = 1s, no minimum_healthy, \
             no maximum. Cause: it was deployed so.",
            "(service api) scales from now on: min = 1, max = 5, cpu = 60, cooldown_in = 5m, cooldown_out = 5m. Cause: it \
             was deployed so.",
            "(service api) has its [scaling] changed: max = 6. Cause: it was deployed so.",
            "(service api) does not scale any more. Cause: it was deployed so.",
            "(service api) has its desired count set to 3, from 2. Cause: it was deployed so.",
            "(service api) has its [deployment] changed: strategy = rolling, minimum_healthy = 100, maximum = 200, bake = \
             0s, no step. Cause: it was deployed so.",
        ]
    );
}
