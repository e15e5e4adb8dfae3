//! Counts that scaling chose, on their way to the store: nothing waits for them, and none is lost.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_wake_waits_for_nothing_that_is_written() {
    let cluster = asleep().await;
    cluster.faults(|faults| faults.stuck_after = Some((0, Side::Before)));
    // The states of the tasks that have stopped are on their way to the store by now, and get nowhere.
    tokio::time::sleep(Duration::from_secs(1)).await;
    knock(&cluster);
    cluster.until_picture("1h").await;
    assert!(cluster.is_stuck());
}

#[tokio::test(start_paused = true)]
async fn tasks_are_written_although_the_count_cannot_be() {
    let cluster = asleep().await;
    cluster.fault(Fault::Services);
    load(&cluster, 40);
    knock(&cluster);
    until_written(&cluster, 4).await;
    assert_eq!(cluster.service().await.unwrap().count, 1);
    cluster.fault(Fault::None);
    until_count(&cluster, 4).await;
}

#[tokio::test(start_paused = true)]
async fn the_count_is_written_although_tasks_cannot_be() {
    let cluster = asleep().await;
    cluster.fault(Fault::Tasks);
    load(&cluster, 40);
    knock(&cluster);
    until_count(&cluster, 4).await;
    cluster.until_picture("1h 1h 1h 1h").await;
    cluster.fault(Fault::None);
    until_written(&cluster, 4).await;
}

#[tokio::test(start_paused = true)]
async fn a_count_that_is_chosen_while_another_is_written_is_not_lost() {
    let cluster = asleep().await;
    load(&cluster, 40);
    knock(&cluster);
    cluster.faults(|faults| faults.slow = Duration::from_secs(10));
    until_count(&cluster, 4).await;
    load(&cluster, 80);
    until_desired(&cluster, 8).await;
    // The record is read again, before it is known that the count before is written.
    cluster.reconciler.reconcile(key()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let shown = cluster.registry.scaling().get(&key().0, &key().1).unwrap();
    assert_eq!(shown.desired, 8);
    cluster.faults(|faults| faults.slow = Duration::ZERO);
    until_count(&cluster, 8).await;
}
