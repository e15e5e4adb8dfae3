//! The memory envelope, shared by everything a task does.

use http_body_util::BodyExt;
use tempfile::TempDir;
use wharf_runtime::{ActivateError, Bytes, CommandTask, FailureKind, HttpTask};

use crate::support::{Bench, command, get, prepare, spec, text, until};

#[tokio::test(flavor = "multi_thread")]
async fn growth_past_the_envelope_fails_in_the_guest() {
    let (task, _) = Bench::new().http(|spec| spec.memory = Bytes::mib(16)).await;
    assert_eq!(text(&task, "/grow?mib=8").await.0, 200);
    assert_eq!(text(&task, "/grow?mib=32").await.0, 500);
    let error = get(&task, "/grow-or-die?mib=32").await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::OutOfMemory);
    assert!(
        error.to_string().contains("of 16MiB in use by the task"),
        "{error}"
    );
    assert_eq!(text(&task, "/ok").await.0, 200);
    task.idle().await;
    assert!(task.usage().memory_peak <= 16 << 20);
    assert_eq!(task.usage().memory, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_greedy_requests_share_one_envelope() {
    let (task, _) = Bench::new().http(|spec| spec.memory = Bytes::mib(32)).await;
    let calls: Vec<_> = (0..12)
        .map(|_| {
            let task = task.clone();
            tokio::spawn(async move { get(&task, "/grow-or-die?mib=20").await.map(drop) })
        })
        .collect();
    for call in calls {
        if let Err(error) = call.await.unwrap() {
            assert_eq!(error.kind(), FailureKind::OutOfMemory, "{error}");
        }
    }
    task.idle().await;
    assert!(task.usage().memory_peak <= 32 << 20);
    assert_eq!(task.usage().memory, 0);
    assert_eq!(text(&task, "/ok").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_instance_does_not_fit_waits() {
    let (task, _) = Bench::new().http(|spec| spec.memory = Bytes::mib(8)).await;
    // Teach the task what its requests come to hold.
    assert_eq!(text(&task, "/grow?mib=5").await.0, 200);
    task.idle().await;
    let mut holder = get(&task, "/never-end").await.unwrap();
    let waits = tokio::spawn({
        let task = task.clone();
        async move { text(&task, "/grow?mib=5").await.0 }
    });
    until("two have places", || task.usage().in_flight == 2).await;
    holder.body_mut().frame().await.unwrap().unwrap();
    assert!(!waits.is_finished());
    drop(holder);
    assert_eq!(waits.await.unwrap(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_larger_than_the_envelope_never_starts() {
    let bench = Bench::new();
    let artifact = bench.artifact("guest_http").await;
    let least = artifact.least_memory();
    assert!(least > Bytes::mib(1), "{least}");
    let (mut small, _) = spec();
    small.memory = Bytes::new(least.get() - 1);
    let error = HttpTask::activate(&bench.runtime, artifact.clone(), small.clone())
        .await
        .unwrap_err();
    assert!(matches!(error, ActivateError::OutOfMemory(_)), "{error}");
    assert!(
        error.to_string().contains(&format!("at least {least}")),
        "{error}"
    );
    assert!(!error.is_temporary());

    // No more than that is charged before the guest has asked for any.
    small.memory = least;
    let task = HttpTask::activate(&bench.runtime, artifact, small).await.unwrap();
    assert_eq!(task.usage().memory_peak, least.get());
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_globals_and_functions_count() {
    let (bench, dir) = (Bench::new(), TempDir::new().unwrap());
    let globals = "(global (mut i64) (i64.const 0))".repeat(20_000);
    let bytes = command(&format!(
        r#"(core module $m {globals} (func (export "run") (result i32) i32.const 0))"#
    ));
    let artifact = prepare(&bench, &dir, &bytes).await.unwrap();
    let (spec, _) = spec();
    let task = CommandTask::start(&bench.runtime, artifact, spec).await.unwrap();
    task.exited().await;
    assert!(
        task.usage().memory_peak > 20_000 * 16,
        "{}",
        task.usage().memory_peak
    );
}
