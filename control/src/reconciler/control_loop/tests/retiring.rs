//! Tasks that a person stops: they leave no request without a task, and leave in the end.

use super::*;
use crate::model::DesiredStatus;
use crate::names::TaskId;
use crate::reconciler::control_loop::commands::KEPT_AT_MOST;

fn first(cluster: &Cluster) -> TaskId {
    cluster.tasks()[0].id.clone()
}

#[tokio::test(start_paused = true)]
async fn the_last_task_that_takes_requests_stays_until_another_does() {
    let cluster = Cluster::steady(1).await;
    let after = Duration::from_secs(5);
    cluster.behave(1, Behaviour::Healthy { after });
    let id = first(&cluster);
    cluster
        .reconciler
        .stop_task(id.clone(), "by hand".into())
        .await
        .unwrap();
    cluster.until_picture("1h 1s").await;
    let task = cluster.registry.task(&id).unwrap();
    assert_eq!(
        (task.status, task.desired),
        (TaskStatus::Running, DesiredStatus::Stopped)
    );
    cluster
        .until("gone", |cluster| {
            cluster.registry.task(&id).unwrap().status == TaskStatus::Stopped
        })
        .await;
    let [old, new] = cluster.tasks().try_into().unwrap();
    assert!(new.started_at.unwrap() <= old.stopped_at.unwrap());
    let stopped = old.stopped.unwrap();
    assert_eq!(
        (stopped.code, stopped.reason.as_str()),
        (StopCode::UserInitiated, "by hand")
    );
    let said = cluster.said().await;
    let draining = said.iter().filter(|event| event.contains("begun draining"));
    assert_eq!(draining.count(), 1, "{said:#?}");
}

#[tokio::test(start_paused = true)]
async fn one_of_several_leaves_at_once() {
    let cluster = Cluster::steady(2).await;
    cluster.behave(1, Behaviour::Unsure);
    let id = first(&cluster);
    cluster
        .reconciler
        .stop_task(id.clone(), "by hand".into())
        .await
        .unwrap();
    cluster.until_picture("1h 1?").await;
    assert_eq!(cluster.registry.task(&id).unwrap().status, TaskStatus::Stopped);
}

#[tokio::test(start_paused = true)]
async fn without_a_successor_it_leaves_all_the_same() {
    let cluster = Cluster::steady(1).await;
    cluster.behave(1, Behaviour::Refuses("no such file"));
    let (id, began) = (first(&cluster), tokio::time::Instant::now());
    cluster
        .reconciler
        .stop_task(id.clone(), "by hand".into())
        .await
        .unwrap();
    cluster
        .until("gone", |cluster| {
            cluster.registry.task(&id).unwrap().status == TaskStatus::Stopped
        })
        .await;
    assert!(began.elapsed() >= KEPT_AT_MOST);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_in_its_successors_way_leaves_first() {
    let cluster = Cluster::steady(1).await;
    cluster.places(1);
    let (id, began) = (first(&cluster), tokio::time::Instant::now());
    cluster
        .reconciler
        .stop_task(id.clone(), "by hand".into())
        .await
        .unwrap();
    cluster
        .until("replaced", |cluster| {
            cluster.tasks().len() == 2 && cluster.picture() == "1h"
        })
        .await;
    assert!(began.elapsed() < KEPT_AT_MOST);
    assert_eq!(cluster.registry.task(&id).unwrap().status, TaskStatus::Stopped);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_wanted_leaves_at_once() {
    let cluster = Cluster::steady(1).await;
    cluster.behave(1, Behaviour::Unsure);
    let id = first(&cluster);
    cluster
        .reconciler
        .stop_task(id.clone(), "by hand".into())
        .await
        .unwrap();
    cluster.until_picture("1h 1?").await;
    cluster.change(|service| service.count = 0).await;
    cluster.until_picture("").await;
}
