//! A host that is short of memory or of instances: who waits, and who doesn't.

use std::time::Duration;

use wharf_runtime::{ActivateError, FailureKind, HttpTask, Isolation, TaskSpec};

use crate::support::{Bench, FakeHost, get, spec, text, until};

async fn activate(bench: &Bench, spec: TaskSpec) -> Result<HttpTask, ActivateError> {
    HttpTask::activate(&bench.runtime, bench.artifact("guest_http").await, spec).await
}

/// Whether a task can be activated now.
async fn has_room(bench: &Bench) -> bool {
    match activate(bench, spec().0).await {
        Ok(_) => true,
        Err(ActivateError::NoRoom) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Waits until the runtime knows how much is left.
async fn until_room_is(bench: &Bench, expected: bool) {
    let deadline = tokio::time::Instant::now() + crate::support::PATIENCE;
    while has_room(bench).await != expected {
        assert!(tokio::time::Instant::now() < deadline, "room is never {expected}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_instances_wait_while_the_host_is_short_of_memory() {
    let host = FakeHost::new();
    let bench = Bench::on_host(host.files());
    let hasty = |spec: &mut TaskSpec| spec.timeout = Some(Duration::from_secs(1));
    let (fresh, _) = bench.http(hasty).await;
    let (patient, _) = bench.http(|_| {}).await;
    let (warm, _) = bench
        .http(|spec| spec.isolation = Isolation::Task { max_requests: 1000 })
        .await;

    host.has_left(1000);
    until_room_is(&bench, false).await;
    let error = get(&fresh, "/ok").await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::QueueDeadline, "{error}");
    // What has its instance already needs none.
    assert_eq!(text(&warm, "/ok").await.0, 200);
    let waits = tokio::spawn({
        let task = patient.clone();
        async move { text(&task, "/ok").await.0 }
    });
    until("it has a place", || patient.usage().in_flight == 1).await;

    host.has_left(6_000_000);
    assert_eq!(waits.await.unwrap(), 200);
    until_room_is(&bench, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_task_fills_a_quarter_of_the_pool_and_no_more() {
    let host = FakeHost::new();
    host.has_mappings(1024);
    let bench = Bench::on_host(host.files());
    let endless = |spec: &mut TaskSpec| spec.timeout = None;
    let (greedy, _) = bench.http(endless).await;
    let (other, _) = bench.http(endless).await;
    // 16 mappings an instance are 64 instances.
    let mut held = Vec::new();
    for _ in 0..16 {
        held.push(get(&greedy, "/never-end").await.unwrap());
    }
    let one_more = tokio::time::timeout(Duration::from_millis(500), get(&greedy, "/ok"));
    one_more.await.unwrap_err();
    assert_eq!(text(&other, "/ok").await.0, 200);
    let waits = tokio::spawn({
        let greedy = greedy.clone();
        async move { text(&greedy, "/ok").await.0 }
    });
    until("it has a place", || greedy.usage().in_flight == 17).await;
    held.pop();
    assert_eq!(waits.await.unwrap(), 200);
}
