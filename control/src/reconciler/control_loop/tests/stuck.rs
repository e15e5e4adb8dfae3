//! What never ends by itself: it is given up in time, with a reason.

use super::cluster::key;
use super::fake::Leaving;
use super::*;
use crate::names::TaskId;
use crate::tasks::driver::{ACTIVATION_DEADLINE, OVERTIME};

/// Default `stop_timeout`.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn an_activation_that_never_ends_is_a_failed_task() {
    let cluster = Cluster::steady(1).await;
    cluster.behave(1, Behaviour::Hangs);
    let first = cluster.tasks()[0].id.clone();
    cluster
        .reconciler
        .stop_task(first, "to get one that hangs".into())
        .await
        .unwrap();
    let began = tokio::time::Instant::now();
    cluster.until_picture("1s").await;
    let stuck = cluster.tasks()[1].id.clone();
    cluster
        .until("given up", |cluster| {
            state(cluster, &stuck) == TaskStatus::Stopped
        })
        .await;
    assert!(began.elapsed() >= ACTIVATION_DEADLINE);
    let stopped = cluster.registry.task(&stuck).unwrap().stopped.unwrap();
    assert_eq!(stopped.code, StopCode::TaskFailedToStart);
    assert_eq!(
        stopped.reason,
        "it was not RUNNING after 10 minutes of ACTIVATING"
    );
    // The next one is not.
    cluster.behave(1, Behaviour::well());
    cluster
        .until("replaced", |cluster| cluster.picture() == "1h")
        .await;
    assert_eq!(cluster.tasks().pop().unwrap().restarts, 1);
}

#[tokio::test(start_paused = true)]
async fn requests_that_do_not_end_are_cut_off_and_counted() {
    let (took, reason) = stopped_while(Leaving::CutOff(3)).await;
    assert!(took >= STOP_TIMEOUT && took < STOP_TIMEOUT + OVERTIME, "{took:?}");
    assert_eq!(
        reason,
        "by hand; 3 requests were cut off when its stop_timeout was over"
    );
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_never_ends_is_given_up() {
    let (took, reason) = stopped_while(Leaving::NeverDrains).await;
    assert!(took >= STOP_TIMEOUT + OVERTIME, "{took:?}");
    assert_eq!(reason, "by hand; DEACTIVATING was given up: it took too long");
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_never_ends_is_given_up() {
    let (took, reason) = stopped_while(Leaving::NeverStops).await;
    assert!(took >= STOP_TIMEOUT + OVERTIME, "{took:?}");
    assert_eq!(reason, "by hand; STOPPING was given up: it took too long");
}

/// How long a task takes to stop that behaves like this, and why it says it stopped.
async fn stopped_while(leaving: Leaving) -> (Duration, String) {
    let cluster = Cluster::steady(1).await;
    let id = cluster.tasks()[0].id.clone();
    *cluster.fake.live.lock().unwrap()[&id].leaving.lock().unwrap() = leaving;
    let began = tokio::time::Instant::now();
    cluster
        .reconciler
        .stop_task(id.clone(), "by hand".into())
        .await
        .unwrap();
    cluster
        .until("stopped", |cluster| state(cluster, &id) == TaskStatus::Stopped)
        .await;
    assert_eq!(
        cluster.fake.places.lock().unwrap().0,
        1,
        "its place is free, its successor has one"
    );
    let said = format!("(service {}) has stopped 1 running tasks: (task {id})", key().1);
    cluster.until_said(&said).await;
    let stopped = cluster.registry.task(&id).unwrap().stopped.unwrap();
    (began.elapsed(), stopped.reason)
}

fn state(cluster: &Cluster, id: &TaskId) -> TaskStatus {
    cluster.registry.task(id).unwrap().status
}
