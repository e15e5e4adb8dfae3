//! A service that scales by load, sleeps and wakes.

use serde_json::json;
use wharf_gateway::{Demand, WakeUp as _};

mod written;

use super::cluster::key;
use super::paced::{Fault, Side};
use super::records::scaling_of;
use super::*;
use crate::edge::rules::group_name;
use crate::model::stored::Record as _;
use crate::model::{Task, keys};
use crate::names::ServiceName;

/// A service that sleeps when it is idle for a minute; it was deployed, and has fallen asleep.
async fn asleep() -> Cluster {
    let cluster = Cluster::empty().await;
    cluster.scales(
        json!({"idle": "1m", "cooldown_in": "0s", "cooldown_out": "0s", "max": 8, "concurrency": 10}),
    );
    cluster.deploy(1, 1).await;
    cluster.ended(1).await;
    cluster.until_picture("").await;
    cluster
}

fn knock(cluster: &Cluster) {
    let (namespace, name) = key();
    cluster.fake.wakes.wake(&group_name(&namespace, &name).unwrap());
}

fn load(cluster: &Cluster, in_flight: u32) {
    *cluster.fake.demand.lock().unwrap() = Demand {
        in_flight,
        ..Demand::default()
    };
}

#[tokio::test(start_paused = true)]
async fn an_idle_service_sleeps_and_the_first_request_wakes_it() {
    let cluster = asleep().await;
    let said = cluster.said().await;
    let slept = "(service api) has its desired count set to 0, from 1. Cause: no requests for 1m.";
    assert!(said.iter().any(|message| message == slept), "{said:?}");
    let before = cluster.service().await.unwrap();
    knock(&cluster);
    cluster.until_picture("1h").await;
    cluster
        .until_said("(service api) has its desired count set to 1, from 0. Cause: a request came.")
        .await;
    assert_eq!(
        cluster.service().await.unwrap(),
        before,
        "a wake changes no record"
    );
    let stopped = cluster.tasks().remove(0).stopped.unwrap();
    assert_eq!(stopped.code, StopCode::ServiceSchedulerInitiated);
}

/// As `wharf scale` does.
async fn set(cluster: &Cluster, count: u32) {
    cluster
        .change(|service| {
            (service.count, service.stable_count) = (count, count);
            service.choices += 1;
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_count_that_a_person_sets_again_wakes_it_and_sends_it_to_sleep() {
    let cluster = asleep().await;
    set(&cluster, 1).await;
    cluster.until_picture("1h").await;
    load(&cluster, 1);
    set(&cluster, 0).await;
    cluster.until_picture("").await;
    knock(&cluster);
    cluster.until_picture("1h").await;
    set(&cluster, 0).await;
    cluster.until_picture("").await;
}

/// Waits until scaling wants so many tasks; the store has that a moment later.
async fn until_desired(cluster: &Cluster, count: u32) {
    let (namespace, name) = key();
    cluster
        .until("scaling wants them", |c| {
            let shown = c.registry.scaling().get(&namespace, &name);
            shown.is_some_and(|shown| shown.desired == count)
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_person_chooses_is_not_lost_to_what_scaling_chose_before() {
    let cluster = asleep().await;
    load(&cluster, 40);
    knock(&cluster);
    until_desired(&cluster, 4).await;
    assert_eq!(cluster.service().await.unwrap().count, 1, "it isn't written yet");
    load(&cluster, 1);
    let chosen = tokio::time::Instant::now();
    // The count that the record has: nothing else tells of it.
    set(&cluster, 1).await;
    until_desired(&cluster, 1).await;
    assert!(
        chosen.elapsed() < Duration::from_secs(1),
        "scaling came down by itself"
    );
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(cluster.service().await.unwrap().count, 1);
}

#[tokio::test(start_paused = true)]
async fn what_scaling_chose_is_written_at_the_end_although_the_record_changed() {
    let cluster = asleep().await;
    load(&cluster, 40);
    knock(&cluster);
    until_desired(&cluster, 4).await;
    cluster
        .change_in_secret(|service| service.created_at = jiff::Timestamp::UNIX_EPOCH)
        .await;
    cluster.reconciler.shut_down().await;
    let service = cluster.service().await.unwrap();
    assert_eq!(
        (service.count, service.created_at),
        (4, jiff::Timestamp::UNIX_EPOCH)
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_under_way_keeps_it_awake() {
    let cluster = asleep().await;
    knock(&cluster);
    load(&cluster, 1);
    cluster.until_picture("1h").await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(cluster.picture(), "1h");
    load(&cluster, 0);
    cluster.until_picture("").await;
}

#[tokio::test(start_paused = true)]
async fn many_requests_at_once_wake_it_once() {
    let cluster = asleep().await;
    let before = cluster.tasks().len();
    for _ in 0..100 {
        knock(&cluster);
    }
    cluster.until_picture("1h").await;
    knock(&cluster);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        (cluster.picture().as_str(), cluster.tasks().len()),
        ("1h", before + 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_that_comes_while_the_last_task_drains_wakes_a_new_one() {
    let cluster = asleep().await;
    knock(&cluster);
    cluster.until_picture("1h").await;
    cluster.until_picture("1L").await;
    knock(&cluster);
    cluster
        .until("a new one beside it", |cluster| cluster.picture().contains("1h"))
        .await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(cluster.picture(), "1h");
}

#[tokio::test(start_paused = true)]
async fn it_sleeps_after_a_restart_and_wakes_as_before() {
    let cluster = asleep().await;
    knock(&cluster);
    cluster.until_picture("1h").await;
    let cluster = cluster.crash().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(cluster.reconciler.is_ready());
    assert_eq!(cluster.picture(), "");
    knock(&cluster);
    cluster.until_picture("1h").await;
}

#[tokio::test(start_paused = true)]
async fn a_deploy_finds_out_whether_the_new_revision_works_and_then_it_sleeps_again() {
    let cluster = asleep().await;
    cluster.behave(2, Behaviour::Refuses("no such import"));
    cluster.deploy(2, 1).await;
    let failed = cluster.ended(2).await;
    assert_eq!(failed.state, crate::model::RolloutState::Failed);
    cluster.deploy(3, 1).await;
    let completed = cluster.ended(3).await;
    assert_eq!(completed.state, crate::model::RolloutState::Completed);
    cluster.until_picture("").await;
    knock(&cluster);
    cluster.until_picture("3h").await;
}

#[tokio::test(start_paused = true)]
async fn load_brings_tasks_within_seconds_and_takes_them_away_again() {
    let cluster = asleep().await;
    knock(&cluster);
    load(&cluster, 1);
    cluster.until_picture("1h").await;
    load(&cluster, 45);
    let began = tokio::time::Instant::now();
    cluster.until_picture("1h 1h 1h 1h 1h").await;
    assert!(
        began.elapsed() <= Duration::from_millis(2500),
        "{:?}",
        began.elapsed()
    );
    cluster
        .until_said("has its desired count set to 5, from 1. Cause: each task had 45.0 requests under way, the target is 10.")
        .await;
    load(&cluster, 400);
    cluster.until_picture("1h 1h 1h 1h 1h 1h 1h 1h").await;
    load(&cluster, 15);
    cluster.until_picture("1h 1h").await;
    let shown = cluster.registry.scaling().get(&key().0, &key().1).unwrap();
    assert_eq!((shown.min, shown.max, shown.desired), (0, 8, 2));
}

#[tokio::test(start_paused = true)]
async fn the_count_that_was_chosen_outlives_a_crash() {
    let cluster = Cluster::empty().await;
    cluster.scales(json!({"max": 8, "concurrency": 10}));
    cluster.deploy(1, 1).await;
    cluster.ended(1).await;
    load(&cluster, 40);
    cluster.until_picture("1h 1h 1h 1h").await;
    until_count(&cluster, 4).await;
    let cluster = cluster.crash().await;
    cluster.until_picture("1h 1h 1h 1h").await;
}

#[tokio::test(start_paused = true)]
async fn a_count_set_by_hand_is_where_scaling_goes_on_from() {
    let cluster = Cluster::empty().await;
    cluster.scales(json!({"min": 1, "max": 8, "concurrency": 10}));
    cluster.deploy(1, 1).await;
    cluster.ended(1).await;
    cluster
        .change(|service| {
            service.count = 3;
            service.stable_count = 3;
        })
        .await;
    cluster.until_picture("1h 1h 1h").await;
    load(&cluster, 60);
    cluster.until_picture("1h 1h 1h 1h 1h 1h").await;
}

#[tokio::test(start_paused = true)]
async fn during_a_deployment_tasks_are_added_and_none_is_taken_away() {
    let cluster = Cluster::empty().await;
    cluster.scales(json!({"max": 8, "concurrency": 10, "cooldown_in": "0s", "cooldown_out": "0s"}));
    cluster.deploy(1, 4).await;
    cluster.ended(1).await;
    load(&cluster, 40);
    cluster.behave(2, Behaviour::Unsure);
    cluster.deploy(2, 4).await;
    cluster
        .until("the new ones", |cluster| {
            cluster.picture().matches("2?").count() == 4
        })
        .await;
    load(&cluster, 0);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(cluster.picture().matches("2?").count(), 4);
    load(&cluster, 120);
    cluster
        .until("more of them", |cluster| {
            cluster.picture().matches("2?").count() == 8
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn scaling_changes_without_a_deployment() {
    let cluster = Cluster::steady(3).await;
    let change = async |scaling: Option<serde_json::Value>| {
        let scaling = scaling.map(scaling_of);
        cluster
            .change(|service| service.scaling.clone_from(&scaling))
            .await;
    };
    // One that may sleep from now on is awake, and had its last request now.
    change(Some(
        json!({"idle": "1m", "max": 8, "concurrency": 10, "cooldown_in": "0s"}),
    ))
    .await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(cluster.picture(), "1h 1h 1h");
    load(&cluster, 60);
    cluster.until_picture("1h 1h 1h 1h 1h 1h").await;
    change(Some(json!({"max": 4, "concurrency": 10}))).await;
    cluster.until_picture("1h 1h 1h 1h").await;
    load(&cluster, 0);
    change(Some(json!({"idle": "1m"}))).await;
    cluster.until_picture("").await;
    // One that doesn't scale any more is awake.
    change(None).await;
    cluster
        .until("awake", |cluster| cluster.picture().contains("1h"))
        .await;
    assert_eq!(cluster.registry.scaling().get(&key().0, &key().1), None);
    assert_eq!(
        cluster
            .tasks()
            .iter()
            .filter(|task| task.deployment.is_some())
            .count(),
        3
    );
}

#[tokio::test(start_paused = true)]
async fn a_wake_does_not_wait_for_compilers() {
    let cluster = asleep().await;
    cluster.fake.uncompiled.lock().unwrap().insert(7);
    // More of them than are activated at once.
    let name: ServiceName = "batch".parse().unwrap();
    cluster.run_other(&name, 7, 40).await;
    cluster
        .until("compiling", |cluster| {
            let tasks = cluster.registry.of_namespace(&key().0);
            let compiling = tasks.iter().filter(|task| task.status == TaskStatus::Activating);
            compiling.filter(|task| *task.group.name() == name).count() == 40
        })
        .await;
    let began = tokio::time::Instant::now();
    knock(&cluster);
    cluster.until_picture("1h").await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(
        cluster.fake.uncompiled.lock().unwrap().contains(&7),
        "they compile still"
    );
}

/// Waits until the store has so many running tasks.
async fn until_written(cluster: &Cluster, count: usize) {
    until(async || {
        let tasks = cluster.store.list(keys::TASKS).await.unwrap().entries;
        let tasks = tasks.iter().map(|entry| Task::decode(entry).unwrap());
        tasks.filter(|task| task.status == TaskStatus::Running).count() == count
    })
    .await;
}

/// Waits until the store has this count.
async fn until_count(cluster: &Cluster, count: u32) {
    until(async || cluster.service().await.unwrap().count == count).await;
}

async fn until(condition: impl AsyncFn() -> bool) {
    let met = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), met).await.unwrap();
}
