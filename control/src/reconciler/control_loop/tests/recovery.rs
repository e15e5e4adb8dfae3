//! Starting from the store, after an end in order and after one without.

use std::sync::atomic::Ordering;

use super::cluster::key;
use super::*;
use crate::model::stored::Record as _;
use crate::model::{RolloutState, Task, keys};
use crate::reconciler::control_loop::batch::USAGE_EVERY;

#[tokio::test(start_paused = true)]
async fn after_a_crash_services_are_back_and_lost_tasks_say_so() {
    let cluster = Cluster::steady(2).await;
    cluster
        .until("saved", |cluster| cluster.picture() == "1h 1h")
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let lost = cluster.tasks()[0].id.clone();
    let cluster = cluster.crash().await;
    assert!(!cluster.reconciler.is_ready());
    cluster
        .until("back", |cluster| cluster.picture() == "1h 1h")
        .await;
    cluster
        .until("ready", |cluster| cluster.reconciler.is_ready())
        .await;
    let stopped = cluster.registry.task(&lost).unwrap().stopped.unwrap();
    assert_eq!(
        (stopped.code, stopped.reason.as_str()),
        (StopCode::TerminationNotice, "server restarted")
    );
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_the_middle_of_a_rollout_goes_on() {
    let cluster = Cluster::steady(2).await;
    cluster.behave(2, Behaviour::Unsure);
    cluster.deploy(2, 2).await;
    cluster.until_picture("1h 1h 2? 2?").await;
    let cluster = cluster.crash().await;
    assert_eq!(cluster.ended(2).await.state, RolloutState::Completed);
    cluster.until_picture("2h 2h").await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_stops_all_and_records_it() {
    let cluster = Cluster::steady(2).await;
    cluster.reconciler.shut_down().await;
    let entries = cluster.store.list(keys::TASKS).await.unwrap().entries;
    assert_eq!(entries.len(), 2);
    for entry in &entries {
        let task = Task::decode(entry).unwrap();
        assert_eq!(task.status, TaskStatus::Stopped);
        assert_eq!(task.stopped.unwrap().reason, "server stopped");
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_store_is_ready_at_once() {
    let cluster = Cluster::empty().await;
    assert!(cluster.reconciler.is_ready());
    assert_eq!(cluster.registry.of_namespace(&key().0), []);
}

#[tokio::test(start_paused = true)]
async fn what_a_task_used_survives_a_crash() {
    let cluster = Cluster::steady(2).await;
    let ids: Vec<_> = cluster.tasks().into_iter().map(|task| task.id).collect();
    let written = async |cluster: &Cluster| cluster.store.list(keys::TASKS).await.unwrap().revision;
    tokio::time::sleep(USAGE_EVERY).await;
    let before = written(&cluster).await;
    tokio::time::sleep(USAGE_EVERY * 6).await;
    assert_eq!(
        written(&cluster).await,
        before,
        "nothing is written while nothing is new"
    );
    for id in &ids {
        cluster.fake.live.lock().unwrap()[id]
            .cpu_ms
            .store(900, Ordering::Relaxed);
    }
    tokio::time::sleep(USAGE_EVERY * 2).await;
    assert_eq!(written(&cluster).await, before.next(), "one transaction for all");
    let cluster = cluster.crash().await;
    for id in &ids {
        assert_eq!(cluster.registry.task(id).unwrap().usage.cpu_ms, 900);
    }
}
