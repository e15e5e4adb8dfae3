//! Stickiness of groups, and of the routes that draw among them.

use super::*;

/// ALB: `TargetGroupStickinessConfig` has to be enabled where a target group of several is sticky.
#[tokio::test]
async fn a_sticky_group_is_not_drawn_anew_for_each_request() {
    let harbour = Harbour::open().await;
    let groups = json!([
        {"name": "sticky", "targets": ["http://192.0.2.1"], "stickiness": "1h"},
        {"name": "plain", "targets": ["http://192.0.2.2"]},
    ]);
    let ask = |to: serde_json::Value, stickiness: Option<&str>| {
        let mut route = json!({"name": "both", "path": ["/both"], "forward": to});
        if let Some(stickiness) = stickiness {
            route["stickiness"] = stickiness.into();
        }
        json!({"target_group": groups, "route": [route]})
    };
    let both = |plain: i64| json!([{"target_group": "sticky"}, {"target_group": "plain", "weight": plain}]);
    let refusal = refused(harbour.apply(ask(both(1), None)).await, "StickinessMissing");
    for words in ["route `both`", "target group `sticky`"] {
        assert!(refusal.message.contains(words), "{refusal}");
    }
    harbour.apply(ask(both(0), None)).await.unwrap();
    harbour.apply(ask(both(1), Some("1h"))).await.unwrap();
    let without = json!([{"name": "sticky", "targets": ["http://192.0.2.1"]}]);
    harbour.apply(json!({ "target_group": without })).await.unwrap();
    harbour
        .apply(json!({"route": [{"name": "both", "path": ["/both"], "forward": both(1)}]}))
        .await
        .unwrap();
    // Nor does a group become sticky under such a route.
    refused(
        harbour.apply(json!({ "target_group": groups })).await,
        "StickinessMissing",
    );
}

#[tokio::test]
async fn a_service_does_not_become_sticky_under_a_route_that_is_not() {
    let harbour = Harbour::open().await;
    let plain = json!({"name": "api", "task": {}});
    let deployed = harbour.deploy("one", plain).await.unwrap();
    harbour.ended(deployed).await;
    let shares = json!([{"service": "api"}, {"target_group": "legacy"}]);
    harbour
        .apply(json!({
            "target_group": [{"name": "legacy", "targets": ["http://192.0.2.1"]}],
            "route": [{"name": "both", "path": ["/both"], "forward": shares}],
        }))
        .await
        .unwrap();
    let sticky = json!({"name": "api", "task": {}, "service": {"stickiness": "1h"}});
    let refusal = refused(harbour.deploy("two", sticky).await, "StickinessMissing");
    assert!(refusal.message.contains("service `api`"), "{refusal}");
    harbour
        .apply(json!({"route": [fixed("other", "/other")]}))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_default_of_a_listener_is_no_exception() {
    let harbour = Harbour::open().await;
    let ask = |stickiness: Option<&str>| {
        let mut default = json!({"forward": [{"target_group": "sticky"}, {"target_group": "plain"}]});
        if let Some(stickiness) = stickiness {
            default["stickiness"] = stickiness.into();
        }
        json!({
            "target_group": [
                {"name": "sticky", "targets": ["http://192.0.2.1"], "stickiness": "1h"},
                {"name": "plain", "targets": ["http://192.0.2.2"]},
            ],
            "listener": [{"name": "other", "address": "127.0.0.1:0", "default": default}],
        })
    };
    let refusal = refused(harbour.apply(ask(None)).await, "StickinessMissing");
    assert!(
        refusal.message.contains("the default of listener `other`"),
        "{refusal}"
    );
    assert_eq!(refusal.field.as_deref(), Some("listener"));
    harbour.apply(ask(Some("1h"))).await.unwrap();
}

#[tokio::test]
async fn what_an_older_server_took_keeps_nothing_else_from_changing() {
    let harbour = Harbour::open().await;
    let groups = json!([
        {"name": "sticky", "targets": ["http://192.0.2.1"], "stickiness": "1h"},
        {"name": "plain", "targets": ["http://192.0.2.2"]},
    ]);
    harbour.apply(json!({ "target_group": groups })).await.unwrap();
    let restless = json!({"name": "both", "path": ["/both"], "forward": [
        {"target_group": "sticky"}, {"target_group": "plain"},
    ]});
    let applied = Applied {
        definition: restless,
        applied_at: Timestamp::now(),
    };
    let key = keys::route(&harbour.namespace, &"both".parse().unwrap());
    let store = &harbour.orchestrator.store;
    let written = Transaction::new().put(key, applied.encode());
    store.commit(written).await.unwrap();
    let objects = Objects::load(store).await.unwrap();
    harbour.orchestrator.edge.take_over(Arc::new(objects)).unwrap();
    harbour
        .apply(json!({"route": [fixed("other", "/other")]}))
        .await
        .unwrap();
    assert!(harbour.met("/other").is_some());
}
