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
