//! What serves goes on serving, and every deployment ends, whatever goes wrong besides.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_a_rollback_cannot_replace_keeps_its_requests() {
    let cluster = Cluster::steady(2).await;
    cluster
        .roll(2, 2, spec(Strategy::Rolling(Bounds::default())))
        .await;
    cluster.until_stage(2, Stage::Bake, 100).await;
    cluster.until_picture("2h 2h").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    cluster.count(2, 100, 50);
    // What the old revision needs is gone meanwhile, and so its way back fails as well.
    cluster.lacks(Some("the secret `prod/key` does not exist"));
    assert_eq!(cluster.ended(2).await.state, RolloutState::Failed);
    let back = cluster.ended_after(1, 1).await;
    assert_eq!(back.state, RolloutState::Failed);
    assert!(
        back.reason.contains("the secret `prod/key` does not exist"),
        "{}",
        back.reason
    );
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(cluster.picture(), "2h 2h 1P 1P");
    cluster.lacks(None);
    cluster.reconciler.retry(key().0).await;
    cluster.until_picture("1h 1h").await;
}
