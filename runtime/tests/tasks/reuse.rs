//! `isolation = "request"` and `isolation = "task"`.

use wharf_runtime::{FailureKind, Isolation};

use crate::support::{Bench, get, text};

async fn count(task: &wharf_runtime::HttpTask) -> u32 {
    let answer = text(task, "/count").await.1;
    task.idle().await;
    answer.trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_instance_for_each_request() {
    let (task, _) = Bench::new().http(|_| {}).await;
    for _ in 0..5 {
        assert_eq!(count(&task).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_are_reused_up_to_their_number_of_requests() {
    let (task, _) = Bench::new()
        .http(|spec| spec.isolation = Isolation::Task { max_requests: 3 })
        .await;
    let mut seen = Vec::new();
    for _ in 0..7 {
        seen.push(count(&task).await);
    }
    assert_eq!(seen, [1, 2, 3, 1, 2, 3, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_at_once_share_few_instances_one_at_a_time() {
    let (task, _) = Bench::new()
        .http(|spec| {
            spec.isolation = Isolation::Task { max_requests: 1000 };
            spec.concurrency = 4;
            spec.queue = 200;
        })
        .await;
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let task = task.clone();
            tokio::spawn(async move { text(&task, "/count").await })
        })
        .collect();
    let mut seen = Vec::new();
    for call in calls {
        let (status, count) = call.await.unwrap();
        assert_eq!(status, 200);
        seen.push(count.trim().parse::<usize>().unwrap());
    }
    // Each instance counts its own requests from one: as many ones as instances, and no number without the one
    // before it.
    let times = |count| seen.iter().filter(|seen| **seen == count).count();
    let instances = times(1);
    assert!((1..=4).contains(&instances), "{instances} instances");
    let most = *seen.iter().max().unwrap();
    for count in 2..=most {
        assert!((1..=times(count - 1)).contains(&times(count)), "{seen:?}");
    }
    task.idle().await;
    let usage = task.usage();
    assert_eq!((usage.requests, usage.in_flight, usage.queued), (200, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_or_a_timeout_retires_the_instance() {
    let (task, _) = Bench::new()
        .http(|spec| {
            spec.isolation = Isolation::Task { max_requests: 1000 };
            spec.timeout = Some(std::time::Duration::from_millis(500));
        })
        .await;
    for path in ["/trap", "/spin", "/exit", "/sleep?ms=60000"] {
        assert_eq!(count(&task).await, 1, "before {path}");
        assert_eq!(count(&task).await, 2);
        let kind = get(&task, path).await.unwrap_err().kind();
        assert_ne!(kind, FailureKind::QueueFull);
        task.idle().await;
    }
    assert_eq!(count(&task).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn warm_instances_hold_their_memory_and_stop_with_the_task() {
    let (task, _) = Bench::new()
        .http(|spec| spec.isolation = Isolation::Task { max_requests: 1000 })
        .await;
    assert!(task.usage().memory > 0);
    assert_eq!(count(&task).await, 1);
    assert!(task.usage().memory > 0);
    task.stop();
    assert_eq!(task.usage().memory, 0);
}

#[tokio::test]
async fn instances_that_nobody_needs_are_let_go_but_for_one() {
    let (task, _) = Bench::new()
        .http(|spec| {
            spec.isolation = Isolation::Task { max_requests: 1000 };
            spec.timeout = None;
        })
        .await;
    let one = task.usage().memory;
    let (first, second) = tokio::join!(get(&task, "/never-end"), get(&task, "/never-end"));
    drop((first, second));
    task.idle().await;
    let (first, second) = tokio::join!(text(&task, "/sleep?ms=100"), text(&task, "/sleep?ms=100"));
    assert_eq!((first.0, second.0), (200, 200));
    task.idle().await;
    assert!(task.usage().memory > one);
    tokio::time::pause();
    for _ in 0..10 {
        tokio::time::advance(std::time::Duration::from_secs(31)).await;
        tokio::task::yield_now().await;
    }
    assert!(
        task.usage().memory > 0 && task.usage().memory < one * 2,
        "{}",
        task.usage().memory
    );
}
