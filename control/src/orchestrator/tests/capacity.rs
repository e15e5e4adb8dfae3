//! The host's capacity: who sees what of it.

use super::*;

#[tokio::test]
async fn who_may_see_a_namespace_only_sees_no_other_holders() {
    let harbour = Harbour::open().await;
    let deployed = harbour
        .deploy(
            "seen",
            serde_json::json!({"name": "web", "service": {"count": 2}}),
        )
        .await
        .unwrap();
    harbour.ended(deployed).await;
    harbour.fake.places.lock().unwrap().1 = Some(2);
    harbour
        .orchestrator
        .scale(&harbour.namespace, &"web".parse().unwrap(), 3)
        .await
        .unwrap();
    let mut changes = harbour.orchestrator.registry.changes();
    while harbour
        .orchestrator
        .registry
        .waiting()
        .iter()
        .all(|task| task.reason.is_none())
    {
        changes.changed().await.unwrap();
    }
    let all = harbour.orchestrator.capacity(HolderKind::Group, |_| true).await;
    assert_eq!(
        (all.holders_in_all, all.holders[0].tasks, all.waiting_in_all),
        (1, 2, 1)
    );
    let reason = all.waiting[0].reason.as_deref().unwrap();
    assert!(reason.contains("not enough places"), "{reason}");
    let other: NamespaceName = "other".parse().unwrap();
    let none = harbour
        .orchestrator
        .capacity(HolderKind::Task, |namespace| *namespace == other)
        .await;
    assert_eq!((none.holders_in_all, none.waiting_in_all), (0, 0));
    assert_eq!(none.host, all.host);
}
