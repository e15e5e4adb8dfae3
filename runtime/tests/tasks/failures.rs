//! Guests that trap, exit, say nothing or never end: what the caller is told, and what the log keeps.

use std::time::Duration;

use http_body_util::BodyExt;
use wharf_runtime::{FailureKind, LogStream};

use crate::support::{Bench, get, text};

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_has_its_kind() {
    let bench = Bench::new();
    let (task, log) = bench
        .http(|spec| spec.memory = wharf_runtime::Bytes::mib(16))
        .await;
    let table = [
        ("/trap", FailureKind::Trapped),
        ("/unreachable", FailureKind::Trapped),
        ("/exit", FailureKind::Exited),
        ("/no-response", FailureKind::NoResponse),
        ("/grow-or-die?mib=100", FailureKind::OutOfMemory),
    ];
    for (number, (path, kind)) in table.into_iter().enumerate() {
        let error = get(&task, path).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{path}: {error}");
        assert_eq!(task.usage().failures_in_a_row, u32::try_from(number).unwrap() + 1);
    }
    assert!(log.contains("exited with code 3") || log.contains("exited with code 1"));
    assert_eq!(text(&task, "/ok").await.0, 200);
    task.idle().await;
    assert_eq!(task.usage().failures_in_a_row, 0);
    assert_eq!(task.usage().memory, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_says_nothing_of_the_requests() {
    let (task, _log) = Bench::new().http(|_| {}).await;
    let request = |path: &str| {
        let body = http_body_util::Empty::<bytes::Bytes>::new();
        http::Request::get(format!("http://app.test{path}"))
            .body(body)
            .unwrap()
    };
    for failures in 1..=3 {
        get(&task, "/trap").await.unwrap_err();
        assert_eq!(task.check(request("/ok")).await.unwrap().status(), 200);
        task.check(request("/trap")).await.unwrap_err();
        task.idle().await;
        assert_eq!(task.usage().failures_in_a_row, failures);
    }
    assert_eq!(text(&task, "/ok").await.0, 200);
    task.idle().await;
    assert_eq!(task.usage().failures_in_a_row, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_s_frames_are_in_the_log_and_not_in_the_error() {
    let (task, log) = Bench::new().http(|_| {}).await;
    let error = get(&task, "/trap").await.unwrap_err().to_string();
    assert!(!error.contains("trap_on_purpose"), "{error}");
    let system = log.lines(LogStream::System).join("\n");
    assert!(system.contains("trap_on_purpose"), "{system}");
    assert!(
        !log.lines(LogStream::Stderr).is_empty(),
        "the panic's own words are the guest's stderr"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_fails_after_its_head_ends_its_body_with_an_error() {
    let (task, log) = Bench::new().http(|_| {}).await;
    for path in ["/trap-after-head", "/short-body"] {
        let response = get(&task, path).await.unwrap();
        assert_eq!(response.status(), 200);
        response.into_body().collect().await.unwrap_err();
    }
    assert!(log.contains("trapped"));
}

#[tokio::test(flavor = "multi_thread")]
async fn deadlines_hold_before_and_after_the_head_for_spinning_and_sleeping_guests() {
    let (task, log) = Bench::new()
        .http(|spec| spec.timeout = Some(Duration::from_millis(300)))
        .await;
    for (before, path) in ["/spin", "/sleep?ms=600000"].into_iter().enumerate() {
        assert_eq!(
            get(&task, path).await.unwrap_err().kind(),
            FailureKind::Deadline,
            "{path}"
        );
        let late = task.usage().timeouts_in_a_row;
        assert_eq!(late, u32::try_from(before).unwrap() + 1, "{path}");
    }
    for path in ["/spin-after-head", "/never-end"] {
        let response = get(&task, path).await.unwrap();
        let usage = response
            .extensions()
            .get::<wharf_runtime::RequestUsage>()
            .unwrap()
            .clone();
        response.into_body().collect().await.unwrap_err();
        assert!(usage.failure().unwrap().contains("deadline"), "{path}");
    }
    assert!(log.contains("timeout of 300 ms"));
    assert_eq!(task.usage().timeouts_in_a_row, 2, "those had an answer");
    assert_eq!(text(&task, "/ok").await.0, 200);
    task.idle().await;
    assert_eq!(task.usage().timeouts_in_a_row, 0);
    assert_eq!(task.usage().memory, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cpu_timeout_counts_cpu_and_not_waiting() {
    let (task, log) = Bench::new()
        .http(|spec| spec.cpu_timeout = Some(Duration::from_millis(100)))
        .await;
    let error = get(&task, "/spin").await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::CpuTimeout);
    assert!(error.usage().cpu() >= Duration::from_millis(100));
    assert!(log.contains("CPU time used up"));
    // Where it spent its time is for its owner alone.
    let system = log.lines(LogStream::System).join("\n");
    assert!(system.contains("spin"), "{system}");
    assert!(!error.to_string().contains("spin"), "{error}");
    assert_eq!(text(&task, "/sleep?ms=400").await.0, 200);
}
