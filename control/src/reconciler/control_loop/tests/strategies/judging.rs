//! When the answers of a new revision are judged, and when they are only counted.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_bake_is_judged_at_its_end_however_short_it_is() {
    let cluster = Cluster::steady(1).await;
    let spec = DeploymentSpec {
        bake: Duration::from_millis(900),
        ..spec(Strategy::Canary { step: 50 })
    };
    cluster.roll(2, 1, spec).await;
    cluster.until_stage(2, Stage::Bake, 50).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    cluster.count(1, 100, 0);
    cluster.count(2, 100, 100);
    let ended = cluster.ended(2).await;
    assert_eq!(ended.state, RolloutState::Failed, "{}", ended.reason);
}

#[tokio::test(start_paused = true)]
async fn what_is_paused_is_counted_and_not_judged() {
    let cluster = Cluster::steady(1).await;
    cluster.roll(2, 1, canary()).await;
    cluster.until_stage(2, Stage::Bake, 5).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    cluster.change_deployment(2, |it| it.pace = Pace::Paused).await;
    cluster.count(1, 1000, 0);
    cluster.count(2, 100, 50);
    tokio::time::sleep(Duration::from_secs(30)).await;
    let paused = cluster.deployment(2).await;
    assert_eq!(paused.state, RolloutState::InProgress, "{}", paused.reason);
    let progress = cluster.registry.progress(&paused.id).unwrap();
    assert_eq!(progress.figures.new.requests, 100);
    cluster.change_deployment(2, |it| it.pace = Pace::Going).await;
    assert_eq!(cluster.ended(2).await.state, RolloutState::Failed);
}
