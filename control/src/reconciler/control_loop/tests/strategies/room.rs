//! Deployments that have no room, within their bounds or on the host.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_deployment_that_can_never_move_says_so_at_once() {
    let cluster = Cluster::steady(1).await;
    let bounds = Bounds {
        minimum_healthy: 50,
        maximum: 100,
    };
    let began = tokio::time::Instant::now();
    cluster
        .roll(
            2,
            1,
            DeploymentSpec {
                strategy: Strategy::Rolling(bounds),
                ..DeploymentSpec::default()
            },
        )
        .await;
    let failed = cluster.ended(2).await;
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(
        failed.reason.contains("minimum_healthy = 50 lets none stop"),
        "{}",
        failed.reason
    );
    cluster.until_picture("1h").await;
}

#[tokio::test(start_paused = true)]
async fn where_both_do_not_fit_old_ones_stop_first_if_they_may() {
    let cluster = Cluster::steady(4).await;
    cluster.places(4);
    let bounds = Bounds {
        minimum_healthy: 50,
        maximum: 200,
    };
    cluster
        .roll(
            2,
            4,
            DeploymentSpec {
                strategy: Strategy::Rolling(bounds),
                ..DeploymentSpec::default()
            },
        )
        .await;
    let mut changes = cluster.registry.changes();
    while cluster.picture() != "2h 2h 2h 2h" {
        assert!(
            cluster.picture().matches('h').count() >= 2,
            "{}",
            cluster.picture()
        );
        changes.changed().await.unwrap();
    }
    assert_eq!(cluster.ended(2).await.state, RolloutState::Completed);
    // A canary needs both: it fails, with the figures.
    cluster.roll(3, 4, canary()).await;
    let failed = cluster.ended(3).await;
    assert!(
        failed.reason.contains("not enough places: 4 are taken"),
        "{}",
        failed.reason
    );
    assert!(
        failed
            .reason
            .ends_with("strategy canary keeps 4 old ones meanwhile"),
        "{}",
        failed.reason
    );
}
