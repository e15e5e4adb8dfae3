//! A service that is to stay as it is: restarts, replacements, waiting, scaling, deletion.

use super::cluster::key;
use super::fake::{unhealthy, unready};
use super::*;
use crate::manifest::{Bounds, DEFAULT_DEADLINE, DeploymentSpec, Strategy};
use crate::model::ServiceStatus;
use crate::tasks::HealthReport;
use crate::tasks::registry::STOPPED_TASKS_KEPT;

#[tokio::test(start_paused = true)]
async fn a_task_that_crashes_is_restarted_later_each_time() {
    let cluster = Cluster::steady(1).await;
    cluster.behave(
        1,
        Behaviour::Exits {
            after: Duration::from_millis(5),
            code: 7,
        },
    );
    let first = cluster.tasks()[0].id.clone();
    cluster
        .reconciler
        .stop_task(first, "to get one that crashes".into())
        .await
        .unwrap();
    let began = tokio::time::Instant::now();
    cluster
        .until("five crashes", |cluster| cluster.tasks().len() >= 7)
        .await;
    // 1 + 2 + 4 + 8 + 16 s.
    let took = began.elapsed().as_secs();
    assert!((31..36).contains(&took), "{took} s");
    let last = cluster.tasks().pop().unwrap();
    assert_eq!(last.restarts, 5);
    assert_eq!(last.last_reason.as_deref(), Some("exited with code 7"));
    let crashed = &cluster.tasks()[2];
    let stopped = crashed.stopped.clone().unwrap();
    assert_eq!(
        (stopped.code, stopped.exit_code),
        (StopCode::EssentialContainerExited, Some(7))
    );
    let restarts = cluster
        .said()
        .await
        .iter()
        .filter(|event| event.contains("A new one starts in"))
        .count();
    assert!(restarts >= 5, "an event for each: {restarts}");
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_well_reset_the_back_off() {
    let cluster = Cluster::steady(1).await;
    cluster.behave(
        1,
        Behaviour::Exits {
            after: Duration::from_secs(601),
            code: 1,
        },
    );
    let first = cluster.tasks()[0].id.clone();
    cluster
        .reconciler
        .stop_task(first, "to get one that ends".into())
        .await
        .unwrap();
    cluster
        .until("a second end", |cluster| cluster.tasks().len() >= 4)
        .await;
    assert!(
        cluster.tasks().iter().all(|task| task.restarts <= 1),
        "each failure is the first"
    );
}

#[tokio::test(start_paused = true)]
async fn an_unhealthy_task_is_replaced_before_it_is_stopped() {
    let cluster = Cluster::steady(1).await;
    let sick = cluster.tasks()[0].id.clone();
    cluster.turn(&sick, unhealthy("3 failures in a row"));
    cluster
        .until("replaced", |cluster| {
            cluster.tasks().len() == 2 && cluster.picture() == "1h"
        })
        .await;
    let [old, new] = cluster.tasks().try_into().unwrap();
    assert_eq!(old.id, sick);
    assert!(new.started_at <= old.stopping_at, "start first");
    let stopped = old.stopped.unwrap();
    assert!(stopped.reason.contains("health checks"), "{}", stopped.reason);
    let said = cluster.said().await.join("\n");
    assert!(
        said.contains("is unhealthy in (target-group api) due to (reason 3 failures in a row)"),
        "{said}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_unhealthy_task_is_stopped_first_where_the_bounds_allow_no_more() {
    let cluster = Cluster::empty().await;
    let spec = DeploymentSpec {
        strategy: Strategy::Rolling(Bounds {
            minimum_healthy: 50,
            maximum: 100,
        }),
        ..DeploymentSpec::default()
    };
    cluster.roll(1, 2, spec).await;
    cluster.ended(1).await;
    let cluster = cluster.crash().await;
    cluster.until_picture("1h 1h").await;
    let sick = cluster.tasks().pop().unwrap().id;
    cluster.turn(&sick, unhealthy("3 failures in a row"));
    cluster
        .until("replaced", |cluster| cluster.picture() == "1h 1h")
        .await;
    cluster
        .until("gone", |c| {
            c.registry
                .task(&sick)
                .is_some_and(|t| t.status == TaskStatus::Stopped)
        })
        .await;
    let old = cluster.registry.task(&sick).unwrap();
    let new = cluster.tasks().pop().unwrap();
    assert_ne!(new.id, sick);
    assert!(old.stopping_at <= Some(new.created_at), "stop first");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_recovers_is_not_replaced() {
    let cluster = Cluster::steady(1).await;
    let id = cluster.tasks()[0].id.clone();
    cluster.turn(&id, unhealthy("a bad moment"));
    cluster.until_picture("1u").await;
    cluster.turn(&id, HealthReport::healthy());
    cluster.until_picture("1h").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(cluster.tasks().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_only_not_ready_is_not_replaced() {
    let cluster = Cluster::steady(1).await;
    let id = cluster.tasks()[0].id.clone();
    cluster.turn(&id, unready("Health checks failed with these codes: [503]"));
    cluster.until_picture("1u").await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(cluster.picture(), "1u", "it is waited for");
    assert_eq!(cluster.tasks().len(), 1);
    // What was only not ready may turn out to be broken.
    cluster.turn(&id, unhealthy("Request timed out"));
    cluster
        .until("replaced", |cluster| {
            cluster.tasks().len() == 2 && cluster.picture() == "1h"
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_missing_secret_keeps_tasks_pending_until_it_is_there() {
    let cluster = Cluster::empty().await;
    cluster.lacks(Some("the secret `prod/key` does not exist"));
    cluster.deploy(1, 2).await;
    cluster.until_picture("1P 1P").await;
    // Within the deadline: it is waiting, not failing.
    tokio::time::sleep(DEFAULT_DEADLINE - Duration::from_secs(10)).await;
    let tasks = cluster.tasks();
    assert_eq!(tasks.len(), 2, "not crash-looping");
    assert_eq!(
        tasks[0].reason.as_deref(),
        Some("the secret `prod/key` does not exist")
    );
    let unable = cluster
        .said()
        .await
        .iter()
        .filter(|event| event.contains("unable to place"))
        .count();
    assert_eq!(unable, 1, "one event for one reason");
    let progress = cluster
        .registry
        .progress(&cluster.deployment(1).await.id)
        .unwrap();
    assert_eq!(progress.note, "the secret `prod/key` does not exist");
    cluster.lacks(None);
    cluster.reconciler.retry(key().0).await;
    cluster.until_picture("1h 1h").await;
    assert_eq!(cluster.tasks()[0].reason, None);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_waits_for_a_place() {
    let cluster = Cluster::empty().await;
    cluster.places(1);
    cluster.deploy(1, 2).await;
    cluster.until_picture("1h 1P").await;
    let waiting = cluster.tasks()[1].clone();
    assert_eq!(waiting.reason.as_deref(), Some("not enough places: 1 are taken"));
    cluster.change(|service| service.count = 1).await;
    cluster.until_picture("1h").await;
    assert_eq!(
        cluster.registry.task(&waiting.id).unwrap().status,
        TaskStatus::Stopped
    );
}

#[tokio::test(start_paused = true)]
async fn services_scale_out_and_in() {
    let cluster = Cluster::steady(1).await;
    cluster.change(|service| service.count = 3).await;
    cluster.until_picture("1h 1h 1h").await;
    cluster.change(|service| service.count = 0).await;
    cluster.until_picture("").await;
}

#[tokio::test(start_paused = true)]
async fn a_stopped_task_is_replaced_at_once() {
    let cluster = Cluster::steady(1).await;
    let id = cluster.tasks()[0].id.clone();
    cluster
        .reconciler
        .stop_task(id.clone(), "because".into())
        .await
        .unwrap();
    cluster
        .until("replaced", |cluster| {
            cluster.tasks().len() == 2 && cluster.picture() == "1h"
        })
        .await;
    let stopped = cluster.registry.task(&id).unwrap().stopped.unwrap();
    assert_eq!(
        (stopped.code, stopped.reason.as_str()),
        (StopCode::UserInitiated, "because")
    );
    assert_eq!(cluster.tasks()[1].restarts, 0, "that was no failure");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_service_leaves_nothing() {
    let cluster = Cluster::steady(2).await;
    cluster
        .change(|service| service.status = ServiceStatus::Draining)
        .await;
    cluster
        .until("gone", |cluster| {
            cluster.tasks().is_empty() && cluster.exposed().is_empty()
        })
        .await;
    assert_eq!(cluster.service().await, None);
    cluster.reconciler.shut_down().await;
    for prefix in [
        "services/",
        "tasks/",
        "deployments/",
        "deployment-services/",
        "definitions/",
    ] {
        assert_eq!(cluster.store.list(prefix).await.unwrap().entries, [], "{prefix}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_stopped_tasks_are_kept() {
    let cluster = Cluster::steady(1).await;
    for _ in 0..STOPPED_TASKS_KEPT + 5 {
        cluster.until_picture("1h").await;
        let id = cluster.tasks().pop().unwrap().id;
        cluster
            .reconciler
            .stop_task(id.clone(), "again".into())
            .await
            .unwrap();
        cluster
            .until("stopped", |c| {
                c.registry
                    .task(&id)
                    .is_none_or(|t| t.status == TaskStatus::Stopped)
            })
            .await;
    }
    cluster.until_picture("1h").await;
    assert_eq!(cluster.tasks().len(), STOPPED_TASKS_KEPT + 1);
    cluster.reconciler.shut_down().await;
    let stored = cluster.store.list("tasks/").await.unwrap().entries.len();
    assert_eq!(
        stored, STOPPED_TASKS_KEPT,
        "the last of them is stopped now, and the oldest gone"
    );
}
