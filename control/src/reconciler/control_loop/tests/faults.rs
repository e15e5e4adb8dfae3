//! Faults of what the loop stands on: it is late then, and never wrong.

use super::fake::unhealthy;
use super::paced::{Fault, Side};
use super::*;
use crate::model::stored::Record as _;
use crate::model::{Task, keys};

async fn written(cluster: &Cluster) -> Vec<TaskStatus> {
    let entries = cluster.store.list(keys::TASKS).await.unwrap().entries;
    let mut tasks: Vec<Task> = entries.iter().map(|entry| Task::decode(entry).unwrap()).collect();
    tasks.sort_by_key(|task| task.created_at);
    tasks.iter().map(|task| task.status).collect()
}

#[tokio::test(start_paused = true)]
async fn tasks_are_replaced_while_nothing_can_be_written() {
    let cluster = Cluster::steady(2).await;
    let sick = cluster.tasks()[0].id.clone();
    cluster.fault(Fault::Writes);
    cluster.turn(&sick, unhealthy("Request timed out"));
    cluster
        .until("replaced", |cluster| {
            cluster.tasks().len() == 3 && cluster.picture() == "1h 1h"
        })
        .await;
    cluster.fault(Fault::None);
    // What could not be written was not forgotten.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(
        written(&cluster).await,
        [TaskStatus::Stopped, TaskStatus::Running, TaskStatus::Running]
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_read_delays_what_depends_on_it() {
    let cluster = Cluster::steady(1).await;
    cluster.change_in_secret(|service| service.count = 2).await;
    cluster.fault(Fault::All);
    cluster.reconciler.reconcile(super::cluster::key()).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(cluster.picture(), "1h", "it can't know");
    cluster.fault(Fault::None);
    cluster.until_picture("1h 1h").await;
}

#[tokio::test(start_paused = true)]
async fn a_deployment_ends_when_the_store_is_back() {
    let cluster = Cluster::steady(1).await;
    cluster.behave(
        2,
        Behaviour::Healthy {
            after: Duration::from_secs(5),
        },
    );
    cluster.deploy(2, 1).await;
    cluster.until_picture("1h 2s").await;
    cluster.fault(Fault::Writes);
    cluster.until_picture("2h").await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    cluster.fault(Fault::None);
    let ended = cluster.ended(2).await;
    assert_eq!(ended.state, crate::model::RolloutState::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_which_nobody_told_comes_about_all_the_same() {
    let cluster = Cluster::steady(1).await;
    cluster.change_in_secret(|service| service.count = 3).await;
    cluster.until_picture("1h 1h 1h").await;
    cluster
        .change_in_secret(|service| service.status = crate::model::ServiceStatus::Draining)
        .await;
    cluster.until("gone", |cluster| cluster.tasks().is_empty()).await;
}

/// Deletes a service, with the server killed at a write on its way, if there are so many. Whether it was.
async fn killed_while_deleting(step: usize, side: Side) -> bool {
    let cluster = Cluster::steady(1).await;
    cluster.until_said("steady state").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    cluster
        .change_in_secret(|service| service.status = crate::model::ServiceStatus::Draining)
        .await;
    cluster.faults(|faults| faults.stuck_after = Some((step, side)));
    cluster.reconciler.reconcile(super::cluster::key()).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let killed = cluster.is_stuck();
    let cluster = cluster.crash().await;
    while cluster.service().await.is_some() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(cluster.said().await, [""; 0], "killed at write {step}, {side:?}");
    killed
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_of_a_service_whose_deletion_was_cut_short() {
    for side in [Side::Before, Side::After] {
        let mut steps = 0;
        while killed_while_deleting(steps, side).await {
            steps += 1;
        }
        assert!(steps >= 2, "{steps} writes are too few");
    }
}
