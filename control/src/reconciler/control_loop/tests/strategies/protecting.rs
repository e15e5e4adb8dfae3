//! What serves goes on serving, and every deployment ends, whatever goes wrong besides.

use super::super::fake::unhealthy;
use super::*;
use crate::manifest::DEFAULT_DEADLINE;

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

#[tokio::test(start_paused = true)]
async fn a_first_deployment_that_waits_for_what_does_not_come_fails() {
    let cluster = Cluster::empty().await;
    cluster.lacks(Some("the secret `prod/key` does not exist"));
    cluster.deploy(1, 1).await;
    let failed = cluster.ended(1).await;
    assert_eq!(failed.state, RolloutState::Failed);
    assert_eq!(
        failed.reason,
        "0 of 1 tasks became healthy in 5 minutes; the secret `prod/key` does not exist"
    );
    cluster.until_picture("").await;
}

#[tokio::test(start_paused = true)]
async fn old_tasks_that_come_to_their_place_put_no_verdict_off() {
    let cluster = Cluster::steady(1).await;
    cluster.behave(2, Behaviour::Unsure);
    let began = tokio::time::Instant::now();
    cluster.deploy(2, 1).await;
    cluster.until_picture("1h 2?").await;
    tokio::time::sleep(Duration::from_secs(200)).await;
    // The old one is lost, and its successor waits for a place for a while.
    cluster.places(1);
    let lost = cluster.tasks()[0].id.clone();
    cluster.reconciler.stop_task(lost, "lost".into()).await.unwrap();
    cluster.until_picture("2? 1P").await;
    cluster.places(2);
    cluster.reconciler.retry(key().0).await;
    cluster.until_picture("2? 1h").await;
    assert_eq!(cluster.ended(2).await.state, RolloutState::Failed);
    let took = began.elapsed();
    assert!(took < DEFAULT_DEADLINE + Duration::from_secs(10), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_old_task_that_gets_stuck_while_a_canary_is_watched_is_replaced() {
    let cluster = Cluster::steady(2).await;
    cluster.roll(2, 2, canary()).await;
    cluster.until_stage(2, Stage::Bake, 5).await;
    let stuck = cluster.tasks()[0].id.clone();
    cluster.turn(&stuck, unhealthy("Request timed out"));
    cluster.until_picture("1h 2h 2h 1h").await;
    assert_eq!(cluster.deployment(2).await.stage, Stage::Bake);
    assert_eq!(cluster.ended(2).await.state, RolloutState::Completed);
}
