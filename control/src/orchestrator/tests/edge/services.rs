//! What is applied beside what services bring: compared when either changes, kept while the other needs it.

use super::*;

#[tokio::test]
async fn routes_that_clash_are_refused_naming_both() {
    let harbour = Harbour::open().await;
    harbour
        .apply(json!({"route": [fixed("one", "/one")]}))
        .await
        .unwrap();
    let refusal = refused(
        harbour.apply(json!({"route": [fixed("two", "/one")]})).await,
        "RouteInUse",
    );
    assert!(
        refusal.message.contains("default/routes/one") && refusal.message.contains("default/routes/two"),
        "{refusal}"
    );
    // A service's are compared with what was applied, and the other way round.
    let manifest = json!({"name": "api", "task": {}, "route": [{"path": ["/one"]}]});
    let refusal = refused(harbour.deploy("one", manifest).await, "RouteInUse");
    assert!(refusal.message.contains("default/api[0]"), "{refusal}");
    let manifest = json!({"name": "api", "task": {}, "route": [{"path": ["/api"]}]});
    let deployed = harbour.deploy("one", manifest).await.unwrap();
    harbour.ended(deployed).await;
    let refusal = refused(
        harbour.apply(json!({"route": [fixed("three", "/api")]})).await,
        "RouteInUse",
    );
    assert!(refusal.message.contains("default/routes/three"), "{refusal}");
}

#[tokio::test]
async fn what_a_route_needs_is_not_deleted() {
    let harbour = Harbour::open().await;
    let deployed = harbour
        .deploy("one", json!({"name": "api", "task": {}}))
        .await
        .unwrap();
    harbour.ended(deployed).await;
    let forward = json!([{"service": "api", "weight": 9}, {"target_group": "legacy"}]);
    harbour
        .apply(json!({
            "target_group": [{"name": "legacy", "targets": ["http://127.0.0.1:9"]}],
            "route": [{"name": "shop", "path": ["/shop"], "forward": forward}],
        }))
        .await
        .unwrap();
    let orchestrator = &harbour.orchestrator;
    let (service, group) = (
        "api".parse().unwrap(),
        ObjectName::TargetGroup("legacy".parse().unwrap()),
    );
    let refusal = refused(
        orchestrator.delete_service(&harbour.namespace, &service).await,
        "ResourceInUse",
    );
    assert!(refusal.message.contains("route `shop`"), "{refusal}");
    let refusal = refused(
        orchestrator.delete_object(&harbour.namespace, &group).await,
        "ResourceInUse",
    );
    assert!(refusal.message.contains("route `shop`"), "{refusal}");
    let route = ObjectName::Route("shop".parse().unwrap());
    orchestrator
        .delete_object(&harbour.namespace, &route)
        .await
        .unwrap();
    refused(
        orchestrator.delete_object(&harbour.namespace, &route).await,
        "RouteNotFound",
    );
    orchestrator
        .delete_object(&harbour.namespace, &group)
        .await
        .unwrap();
    orchestrator
        .delete_service(&harbour.namespace, &service)
        .await
        .unwrap();
    assert_eq!(harbour.met("/shop"), None);
}

#[tokio::test]
async fn a_target_group_has_one_meaning_in_its_namespace() {
    let harbour = Harbour::open().await;
    let group = |url: &str| json!([{"name": "legacy", "targets": [url]}]);
    let manifest = |url: &str| json!({"name": "api", "task": {}, "target_group": group(url), "route": [{"forward": [{"target_group": "legacy"}]}]});
    let deployed = harbour
        .deploy("one", manifest("http://127.0.0.1:1"))
        .await
        .unwrap();
    harbour.ended(deployed).await;
    let refusal = refused(
        harbour
            .apply(json!({"target_group": group("http://127.0.0.1:2")}))
            .await,
        "TargetGroupInUse",
    );
    assert!(
        refusal.message.contains("service `api`") && refusal.message.contains("wharf apply"),
        "{refusal}"
    );
    harbour
        .apply(json!({"target_group": group("http://127.0.0.1:1")}))
        .await
        .unwrap();
    refused(
        harbour.deploy("one", manifest("http://127.0.0.1:3")).await,
        "TargetGroupInUse",
    );
}

#[tokio::test]
async fn a_route_for_a_services_default_host_is_seen_when_it_is_deployed() {
    let harbour = Harbour::open().await;
    let named = json!({"name": "own", "host": ["api.localhost"], "fixed": {"status": 404}});
    harbour.apply(json!({ "route": [named] })).await.unwrap();
    let plain = |name: &str| json!({"name": name, "task": {}});
    let refusal = refused(harbour.deploy("one", plain("api")).await, "RouteInUse");
    assert!(refusal.message.contains("default/routes/own"), "{refusal}");
    // Those of services, too, in force or not yet.
    let manifest = json!({"name": "front", "task": {}, "route": [{"host": ["back.localhost"]}]});
    harbour.deploy("one", manifest).await.unwrap();
    let refusal = refused(harbour.deploy("two", plain("back")).await, "RouteInUse");
    assert!(refusal.message.contains("default/front[0]"), "{refusal}");
    harbour.deploy("two", plain("side")).await.unwrap();
}

#[tokio::test]
async fn a_service_that_the_gateway_has_no_room_for_is_refused() {
    let harbour = Harbour::open().await;
    let listeners: Vec<_> = (0..9)
        .map(|at| json!({"name": format!("l{at}"), "address": "127.0.0.1:0"}))
        .collect();
    // On each of ten listeners: as many as there may be.
    let routes: Vec<_> = (0..10_000)
        .map(|at| fixed(&format!("r{at}"), &format!("/{at}")))
        .collect();
    harbour
        .apply(json!({"listener": listeners, "route": routes}))
        .await
        .unwrap();
    let manifest = json!({"name": "api", "task": {}});
    let refusal = refused(harbour.deploy("one", manifest).await, "RouteInUse");
    assert!(refusal.message.contains("100000"), "{refusal}");
}
