//! Deployments over restarts: what was counted stays counted, and servers that end soon come to a verdict together.

use tokio::time::Instant;

use super::*;
use crate::manifest::{DEFAULT_DEADLINE, DeploymentSpec};
use crate::model::Deployment;
use crate::names::TaskId;

/// How soon each of the servers ends.
const SOON: Duration = Duration::from_secs(3);

/// Starts one server after the other, each for [`SOON`], until the deployment of revision 2 has ended; how long that took.
async fn until_ended(mut cluster: Cluster, new: Behaviour, longest: Duration) -> (Deployment, Duration) {
    let began = Instant::now();
    loop {
        let deployment = cluster.deployment(2).await;
        if deployment.state != RolloutState::InProgress {
            return (deployment, began.elapsed());
        }
        assert!(began.elapsed() < longest, "no verdict: {deployment:?}");
        cluster = cluster.crash().await;
        cluster.behave(2, new.clone());
        tokio::time::sleep(SOON).await;
    }
}

#[tokio::test(start_paused = true)]
async fn restarts_put_no_verdict_off() {
    let cluster = Cluster::steady(1).await;
    cluster.behave(2, Behaviour::Unsure);
    cluster.deploy(2, 1).await;
    cluster.until_picture("1h 2?").await;
    let (ended, took) = until_ended(cluster, Behaviour::Unsure, DEFAULT_DEADLINE * 2).await;
    assert_eq!(ended.state, RolloutState::Failed);
    assert_eq!(ended.reason, "0 of 1 tasks became healthy in 5 minutes");
    assert!(
        took >= DEFAULT_DEADLINE && took < DEFAULT_DEADLINE * 3 / 2,
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn restarts_while_a_task_waits_put_no_verdict_off() {
    let cluster = Cluster::steady(1).await;
    cluster.behave(2, Behaviour::Unsure);
    cluster.deploy(2, 1).await;
    cluster.until_picture("1h 2?").await;
    let mut cluster = cluster;
    let began = Instant::now();
    loop {
        let deployment = cluster.deployment(2).await;
        if deployment.state != RolloutState::InProgress {
            assert_eq!(deployment.state, RolloutState::Failed);
            return;
        }
        assert!(
            began.elapsed() < DEFAULT_DEADLINE * 4,
            "no verdict: {deployment:?}"
        );
        // Each server has no room for the new task at first.
        cluster = cluster.crash().await;
        cluster.behave(2, Behaviour::Unsure);
        cluster.lacks(Some("a secret"));
        tokio::time::sleep(SOON / 3).await;
        cluster.lacks(None);
        cluster.reconciler.retry(super::super::cluster::key().0).await;
        tokio::time::sleep(SOON).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_bake_that_no_server_sees_whole_ends() {
    let bake = Duration::from_secs(60);
    let spec = DeploymentSpec {
        bake,
        ..DeploymentSpec::default()
    };
    let cluster = Cluster::steady(1).await;
    cluster.roll(2, 1, spec.clone()).await;
    let longest = (bake + DEFAULT_DEADLINE) * 2;
    let (ended, took) = until_ended(cluster, Behaviour::well(), longest).await;
    assert_eq!(ended.state, RolloutState::Completed);
    assert!(took >= bake * 2 + DEFAULT_DEADLINE, "{took:?}");
    // And one restart has it watched from its start.
    let cluster = Cluster::steady(1).await;
    cluster.roll(2, 1, spec).await;
    cluster.until_picture("2h").await;
    tokio::time::sleep(bake * 9 / 10).await;
    let cluster = cluster.crash().await;
    let restarted = Instant::now();
    assert_eq!(cluster.ended(2).await.state, RolloutState::Completed);
    assert!(restarted.elapsed() >= bake, "{:?}", restarted.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_time_without_a_server_is_not_the_deployments() {
    let cluster = Cluster::steady(1).await;
    cluster.behave(2, Behaviour::Unsure);
    cluster.deploy(2, 1).await;
    cluster.until_picture("1h 2?").await;
    tokio::time::sleep(DEFAULT_DEADLINE / 2).await;
    let lasted = cluster.deployment(2).await.stage_lasted;
    assert!(lasted >= DEFAULT_DEADLINE / 2 - SOON * 4, "{lasted:?}");
    cluster.clock.set_on(3600);
    let cluster = cluster.crash().await;
    cluster.behave(2, Behaviour::Unsure);
    let restarted = Instant::now();
    assert_eq!(cluster.ended(2).await.state, RolloutState::Failed);
    let left = restarted.elapsed();
    assert!(left > DEFAULT_DEADLINE / 2 && left < DEFAULT_DEADLINE, "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn failures_are_counted_over_restarts() {
    let mut cluster = Cluster::steady(1).await;
    let refuses = Behaviour::Refuses("no such import");
    cluster.behave(2, refuses.clone());
    cluster.deploy(2, 1).await;
    for failures in 1..3 {
        let mut changes = cluster.registry.changes();
        while cluster.deployment(2).await.failed_tasks < failures {
            changes.changed().await.unwrap();
        }
        cluster = cluster.crash().await;
        cluster.behave(2, refuses.clone());
    }
    let ended = cluster.ended(2).await;
    assert_eq!((ended.state, ended.failed_tasks), (RolloutState::Failed, 3));
    let activated = cluster.fake.activated.lock().unwrap().clone();
    let is_new = |id: &&TaskId| cluster.registry.task(id).unwrap().definition.revision.get() == 2;
    let new = activated.iter().filter(is_new).count();
    assert_eq!(new, 1, "two had failed before this server");
}
