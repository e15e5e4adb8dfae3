//! The count of a service that scales, as people may choose it.

use serde_json::json;

use super::*;
use crate::events::EventQuery;
use crate::reconciler::control_loop::tests::fake::Behaviour;

fn manifest(count: Option<u32>, scaling: serde_json::Value) -> serde_json::Value {
    let mut manifest = json!({"name": "api", "task": {}});
    if !scaling.is_null() {
        manifest["scaling"] = scaling;
    }
    if let Some(count) = count {
        manifest["service"] = json!({"count": count});
    }
    manifest
}

impl Harbour {
    async fn count(&self) -> u32 {
        let name = "api".parse().unwrap();
        self.orchestrator
            .service(&self.namespace, &name)
            .await
            .unwrap()
            .count
    }

    async fn scale(&self, count: u32) -> Result<u32, Refusal> {
        let name = "api".parse().unwrap();
        let scaled = self.orchestrator.scale(&self.namespace, &name, count).await;
        scaled.map(|scaled| scaled.service.count)
    }
}

#[tokio::test]
async fn a_new_service_begins_with_its_count_brought_into_range() {
    for (count, wanted) in [(None, 2), (Some(1), 2), (Some(3), 3), (Some(9), 4)] {
        let harbour = Harbour::open().await;
        let bounds = json!({"min": 2, "max": 4});
        harbour.deploy("one", manifest(count, bounds)).await.unwrap();
        assert_eq!(harbour.count().await, wanted, "{count:?}");
    }
}

#[tokio::test]
async fn a_deploy_does_not_undo_what_was_chosen_since() {
    let harbour = Harbour::open().await;
    let bounds = json!({"min": 1, "max": 4});
    let first = harbour
        .deploy("one", manifest(Some(2), bounds.clone()))
        .await
        .unwrap();
    harbour.ended(first).await;
    assert_eq!(harbour.scale(3).await.unwrap(), 3);
    harbour.deploy("one", manifest(Some(2), bounds)).await.unwrap();
    assert_eq!(harbour.count().await, 3, "the same again");
    let next = json!({"min": 1, "max": 8});
    let second = harbour
        .deploy("two", manifest(Some(2), next.clone()))
        .await
        .unwrap();
    harbour.ended(second).await;
    assert_eq!(harbour.count().await, 3, "another revision");
    let fewer = json!({"min": 1, "max": 2});
    harbour.deploy("two", manifest(None, fewer)).await.unwrap();
    assert_eq!(harbour.count().await, 2, "registering brings it into range");
}

#[tokio::test]
async fn a_deploy_does_not_wake_what_was_put_to_sleep() {
    let harbour = Harbour::open().await;
    let idle = json!({"idle": "1h"});
    let first = harbour.deploy("one", manifest(None, idle.clone())).await.unwrap();
    harbour.ended(first).await;
    harbour.scale(0).await.unwrap();
    harbour.deploy("one", manifest(None, idle)).await.unwrap();
    assert_eq!(harbour.count().await, 0);
}

#[tokio::test]
async fn to_scale_otherwise_is_not_another_thing_to_run() {
    let harbour = Harbour::open().await;
    let name = "api".parse().unwrap();
    let service = async || {
        harbour
            .orchestrator
            .service(&harbour.namespace, &name)
            .await
            .unwrap()
    };
    let first = harbour
        .deploy("one", manifest(None, json!({"min": 2, "max": 4})))
        .await
        .unwrap();
    let first = harbour.ended(first).await;
    for (scaling, max, count) in [
        (json!({"min": 3, "max": 8}), Some(8), 3),
        (json!({"max": 2}), Some(2), 2),
        (serde_json::Value::Null, None, 2),
        // The most is the count of the manifest, which says none.
        (json!({"idle": "5m"}), Some(1), 1),
    ] {
        let again = harbour
            .deploy("one", manifest(None, scaling.clone()))
            .await
            .unwrap();
        assert!(
            matches!(&again, Deployed::Unchanged(same, _) if same.id == first.id),
            "{scaling}: {again:?}"
        );
        let service = service().await;
        assert_eq!(service.scaling.map(|spec| spec.max), max, "{scaling}");
        assert_eq!((service.count, service.rollout), (count, None), "{scaling}");
    }
    // It is the service's: a way back to another revision leaves it as it is.
    let second = harbour
        .deploy("two", manifest(None, json!({"max": 9})))
        .await
        .unwrap();
    harbour.ended(second).await;
    let back = harbour
        .orchestrator
        .roll_back(&harbour.namespace, &name, None)
        .await
        .unwrap();
    let back = harbour.ended(back).await;
    assert_eq!(back.revision, first.revision);
    assert_eq!(service().await.scaling.map(|spec| spec.max), Some(9));
}

#[tokio::test]
async fn a_count_outside_the_bounds_is_refused() {
    let harbour = Harbour::open().await;
    let bounds = json!({"min": 2, "max": 4});
    let first = harbour.deploy("one", manifest(None, bounds)).await.unwrap();
    harbour.ended(first).await;
    for outside in [0, 1, 5] {
        let refusal = refused(harbour.scale(outside).await, "OutsideScalingBounds");
        let said = format!("the service `api` scales from 2 to 4 tasks, {outside} is outside");
        assert_eq!(refusal.message, said);
        assert_eq!(refusal.field.as_deref(), Some("desiredCount"));
    }
    assert_eq!(harbour.scale(4).await.unwrap(), 4);
}

#[tokio::test]
async fn what_answers_no_requests_does_not_scale_by_them() {
    let harbour = Harbour::open().await;
    harbour.is_command();
    let worker = |scaling| json!({"name": "worker", "task": {}, "scaling": scaling});
    for (scaling, field) in [
        (json!({"max": 3, "requests": 10}), "scaling.requests"),
        (json!({"max": 3, "cpu": 60, "queue": 10}), "scaling.queue"),
        (json!({"idle": "5m"}), "scaling.idle"),
    ] {
        let refusal = refused(harbour.deploy("worker", worker(scaling)).await, "WorldMismatch");
        assert_eq!(refusal.field.as_deref(), Some(field));
    }
    let by_cpu = worker(json!({"max": 3, "cpu": 60}));
    harbour.deploy("worker", by_cpu).await.unwrap();
}

#[tokio::test]
async fn the_answer_is_of_the_count_that_was_chosen() {
    let harbour = Harbour::open().await;
    let first = harbour
        .deploy("one", manifest(None, json!({"idle": "1h", "max": 4})))
        .await
        .unwrap();
    harbour.ended(first).await;
    let name = "api".parse().unwrap();
    let orchestrator = &harbour.orchestrator;
    for count in [0, 3, 0, 1] {
        let scaled = orchestrator
            .scale(&harbour.namespace, &name, count)
            .await
            .unwrap();
        assert_eq!(scaled.scaling.map(|shown| shown.desired), Some(count));
    }
    // For a deployment it is awake.
    harbour
        .fake
        .behaviours
        .lock()
        .unwrap()
        .insert(2, Behaviour::Unsure);
    harbour
        .deploy("two", manifest(None, json!({"idle": "1h", "max": 4})))
        .await
        .unwrap();
    let scaled = orchestrator.scale(&harbour.namespace, &name, 0).await.unwrap();
    assert_eq!(scaled.scaling.map(|shown| shown.desired), Some(1));
}

#[tokio::test]
async fn what_a_deploy_changes_of_the_service_alone_is_said() {
    let harbour = Harbour::open().await;
    let with = |count: u32, rest: serde_json::Value| {
        let mut manifest = manifest(Some(count), serde_json::Value::Null);
        manifest
            .as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        manifest
    };
    let first = harbour.deploy("one", with(2, json!({}))).await.unwrap();
    harbour.ended(first).await;
    harbour.scale(5).await.unwrap();
    let slower = json!({"deployment": {"strategy": "recreate"}});
    let scaling = json!({"scaling": {"max": 4}});
    for (manifest, expected) in [
        (with(2, json!({})), vec![ServiceChange::Count { from: 5, to: 2 }]),
        (with(2, json!({})), vec![]),
        (with(2, slower), vec![ServiceChange::Deployment]),
        (
            with(2, scaling),
            vec![ServiceChange::Scaling, ServiceChange::Deployment],
        ),
    ] {
        match harbour.deploy("one", manifest).await.unwrap() {
            Deployed::Unchanged(_, changes) => assert_eq!(changes, expected),
            new @ Deployed::New(_) => panic!("{new:?}"),
        }
    }
    harbour.orchestrator.events.flush().await;
    let query = EventQuery {
        service: Some("api".parse().unwrap()),
        since: None,
    };
    let events = harbour
        .orchestrator
        .events
        .list(&harbour.namespace, &query)
        .await
        .unwrap();
    let said = "(service api) has its desired count set to 2, from 5. Cause: it was deployed so.";
    assert!(events.iter().any(|event| event.message == said), "{events:?}");
}
