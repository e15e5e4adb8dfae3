//! Tasks that a person stops: they leave no request without a task, and leave in the end.

use super::fake::{not_live, unhealthy, unready};
use super::*;
use crate::manifest::{Bounds, DeploymentSpec, Strategy};
use crate::model::DesiredStatus;
use crate::names::TaskId;
use crate::reconciler::control_loop::commands::KEPT_AT_MOST;
use crate::tasks::HealthReport;

/// Whether requests wait for a target that isn't there.
fn holds(cluster: &Cluster) -> bool {
    cluster.fake.holds.lock().unwrap().last().unwrap().is_some()
}

async fn stop(cluster: &Cluster, id: &TaskId) {
    let told = cluster.reconciler.stop_task(id.clone(), "by hand".into());
    told.await.unwrap();
}

fn first(cluster: &Cluster) -> TaskId {
    cluster.tasks()[0].id.clone()
}

#[tokio::test(start_paused = true)]
async fn the_last_task_that_takes_requests_stays_until_another_does() {
    let cluster = Cluster::steady(1).await;
    let after = Duration::from_secs(5);
    cluster.behave(1, Behaviour::Healthy { after });
    let id = first(&cluster);
    stop(&cluster, &id).await;
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
    stop(&cluster, &id).await;
    cluster.until_picture("1h 1?").await;
    assert_eq!(cluster.registry.task(&id).unwrap().status, TaskStatus::Stopped);
}

#[tokio::test(start_paused = true)]
async fn without_a_successor_it_leaves_all_the_same() {
    let cluster = Cluster::steady(1).await;
    cluster.behave(1, Behaviour::Refuses("no such file"));
    let (id, began) = (first(&cluster), tokio::time::Instant::now());
    stop(&cluster, &id).await;
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
    assert!(!holds(&cluster));
    stop(&cluster, &id).await;
    cluster.until_picture("1L 1P").await;
    assert!(holds(&cluster), "its requests have nobody to go to");
    cluster
        .until("replaced", |cluster| {
            cluster.tasks().len() == 2 && cluster.picture() == "1h"
        })
        .await;
    assert!(began.elapsed() < KEPT_AT_MOST);
    assert_eq!(cluster.registry.task(&id).unwrap().status, TaskStatus::Stopped);
    cluster.until("told", |cluster| !holds(cluster)).await;
}

#[tokio::test(start_paused = true)]
async fn requests_wait_while_a_deployment_takes_the_last_task_away() {
    let cluster = Cluster::steady(1).await;
    cluster.places(1);
    let bounds = Bounds {
        minimum_healthy: 0,
        maximum: 100,
    };
    let spec = DeploymentSpec {
        strategy: Strategy::Rolling(bounds),
        ..DeploymentSpec::default()
    };
    cluster.roll(2, 1, spec).await;
    cluster.until_picture("1L 2P").await;
    assert!(holds(&cluster));
    cluster.until_picture("2h").await;
    cluster.ended(2).await;
    assert!(!holds(&cluster));
}

#[tokio::test(start_paused = true)]
async fn requests_wait_no_longer_for_a_successor_that_does_not_come() {
    let cluster = Cluster::steady(1).await;
    cluster.behave(1, Behaviour::Hangs);
    let id = first(&cluster);
    stop(&cluster, &id).await;
    let is_gone = |cluster: &Cluster| cluster.registry.task(&id).unwrap().status == TaskStatus::Stopped;
    cluster.until("gone", is_gone).await;
    let gone = tokio::time::Instant::now();
    assert!(holds(&cluster));
    // Nothing else happens that could be waited for.
    while holds(&cluster) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(gone.elapsed() >= Duration::from_secs(59), "{:?}", gone.elapsed());
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_wanted_leaves_at_once() {
    let cluster = Cluster::steady(1).await;
    cluster.behave(1, Behaviour::Unsure);
    let id = first(&cluster);
    stop(&cluster, &id).await;
    cluster.until_picture("1h 1?").await;
    cluster.change(|service| service.count = 0).await;
    cluster.until_picture("").await;
}

#[tokio::test(start_paused = true)]
async fn requests_wait_as_long_as_a_service_is_recreated() {
    let cluster = Cluster::steady(1).await;
    assert!(!holds(&cluster));
    cluster.behave(2, Behaviour::Unsure);
    let spec = DeploymentSpec {
        strategy: Strategy::Recreate,
        ..DeploymentSpec::default()
    };
    cluster.roll(2, 1, spec).await;
    cluster.until_picture("2?").await;
    assert!(holds(&cluster));
    tokio::time::sleep(Duration::from_secs(150)).await;
    assert!(holds(&cluster), "it is recreated still");
    // Also by another server.
    let cluster = cluster.crash().await;
    cluster.behave(2, Behaviour::Unsure);
    cluster.until_picture("2?").await;
    assert!(holds(&cluster));
    cluster.ended(2).await;
    cluster.until("back", |cluster| cluster.picture() == "1h").await;
    cluster.until("told", |cluster| !holds(cluster)).await;
}

/// One task, and what it reports.
async fn of_one_that_is(report: HealthReport) -> (Cluster, TaskId) {
    let cluster = Cluster::steady(1).await;
    let id = first(&cluster);
    // Its successor waits out its back-off, and then isn't well for long.
    cluster.behave(1, Behaviour::Hangs);
    cluster.turn(&id, report);
    cluster
        .until("ill", |cluster| {
            cluster.registry.task(&id).unwrap().health == Health::Unhealthy
        })
        .await;
    (cluster, id)
}

async fn until_stopped(cluster: &Cluster, id: &TaskId) {
    let is_gone = |cluster: &Cluster| cluster.registry.task(id).unwrap().status == TaskStatus::Stopped;
    cluster.until("gone", is_gone).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_ill_and_takes_requests_stays_as_well() {
    // By its liveness, by its health where that fails open, and by its readiness.
    for report in [not_live("liveness"), unhealthy("health"), unready("readiness")] {
        let (cluster, id) = of_one_that_is(report.clone()).await;
        let began = tokio::time::Instant::now();
        stop(&cluster, &id).await;
        until_stopped(&cluster, &id).await;
        assert!(began.elapsed() >= KEPT_AT_MOST, "{report:?}");
        assert!(holds(&cluster), "{report:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_ill_leaves_at_once_beside_one_that_is_well() {
    let cluster = Cluster::steady(2).await;
    let id = first(&cluster);
    cluster.behave(1, Behaviour::Hangs);
    cluster.turn(&id, not_live("liveness"));
    cluster.until_picture("1u 1h").await;
    let began = tokio::time::Instant::now();
    stop(&cluster, &id).await;
    until_stopped(&cluster, &id).await;
    assert!(began.elapsed() < KEPT_AT_MOST);
    assert!(!holds(&cluster));
}

#[tokio::test(start_paused = true)]
async fn requests_wait_while_an_ill_task_gives_its_room_to_its_successor() {
    let cluster = Cluster::steady(1).await;
    cluster.places(1);
    let id = first(&cluster);
    cluster.turn(&id, not_live("liveness"));
    cluster.until_picture("1L 1P").await;
    assert!(holds(&cluster), "its requests have nobody to go to");
    cluster.until_picture("1h").await;
    cluster.until("told", |cluster| !holds(cluster)).await;
}

#[tokio::test(start_paused = true)]
async fn requests_wait_while_a_deployment_takes_an_ill_task_away() {
    let without_any = Strategy::Rolling(Bounds {
        minimum_healthy: 0,
        maximum: 100,
    });
    for strategy in [Strategy::Recreate, without_any] {
        let (cluster, _) = of_one_that_is(unhealthy("health")).await;
        let spec = DeploymentSpec {
            strategy,
            ..DeploymentSpec::default()
        };
        cluster.behave(2, Behaviour::Unsure);
        cluster.roll(2, 1, spec).await;
        cluster.until_picture("2?").await;
        assert!(holds(&cluster), "{strategy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn why_it_was_stopped_is_told_after_a_crash_as_well() {
    let cluster = Cluster::steady(1).await;
    cluster.behave(1, Behaviour::Hangs);
    let id = first(&cluster);
    stop(&cluster, &id).await;
    let cluster = cluster.crash().await;
    let said = cluster.said().await;
    let ends = |event: &&String| event.contains(id.as_str()) && event.contains("by hand");
    // That it shall stop, and that it did.
    assert_eq!(said.iter().filter(ends).count(), 2, "{said:#?}");
}
