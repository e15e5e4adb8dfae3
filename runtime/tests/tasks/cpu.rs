//! The CPU cap, and that neither accepts nor timers nor quick guests wait for spinning ones.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_runtime::{CpuUnits, HttpTask};

use crate::support::{Bench, get, text, until};

fn spin(task: &HttpTask, requests: usize) -> Vec<tokio::task::JoinHandle<()>> {
    let call = |_| {
        let task = task.clone();
        tokio::spawn(async move { get(&task, "/spin").await.map(drop).unwrap_or_default() })
    };
    (0..requests).map(call).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spinning_task_stays_at_its_share_whatever_its_requests() {
    let (task, _) = Bench::new()
        .http(|spec| spec.cpu = CpuUnits::new(128).unwrap())
        .await;
    until("a full bucket", || task.usage().cpu_credit > 0.99).await;
    let (begin, before) = (Instant::now(), task.usage().cpu);
    let _spinning = spin(&task, 6);
    until("two seconds of throttling", || {
        task.usage().throttled > Duration::from_secs(2)
    })
    .await;
    let share = (task.usage().cpu - before).as_secs_f64() / begin.elapsed().as_secs_f64();
    // An eighth of a vCPU, the burst of the first period included; a busy machine can only make it less.
    assert!(share < 0.125 * 1.15, "{share}");
    task.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spinning_task_gets_its_share() {
    let (task, _) = Bench::new()
        .http(|spec| spec.cpu = CpuUnits::new(256).unwrap())
        .await;
    let _spinning = spin(&task, 1);
    until("two seconds of throttling", || {
        task.usage().throttled > Duration::from_secs(2)
    })
    .await;
    let usage = task.usage();
    let share = usage.cpu.as_secs_f64() / (usage.cpu + usage.throttled).as_secs_f64();
    // A quarter, of the time in which it ran or was paused: time in which it waits for a busy machine is neither,
    // and earns it more.
    assert!(share > 0.25 * 0.5, "{share}");
    task.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timers_and_quick_guests_keep_time_beside_spinning_guests() {
    let bench = Bench::new();
    let (noisy, _) = bench
        .http(|spec| spec.cpu = CpuUnits::new(16 * 1024).unwrap())
        .await;
    let (quiet, _) = bench.http(|_| {}).await;
    let spinning = spin(&noisy, 16);
    until("the noise", || noisy.usage().cpu > Duration::from_millis(200)).await;
    // Guests hold no thread: on two workers with sixteen spinners, tasks and timers still turn.
    let turned = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let ticker = tokio::spawn({
        let turned = Arc::clone(&turned);
        async move {
            let mut interval = tokio::time::interval(Duration::from_millis(1));
            loop {
                interval.tick().await;
                turned.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
    });
    for _ in 0..50 {
        assert_eq!(text(&quiet, "/ok").await.0, 200);
    }
    until("timers", || {
        turned.load(std::sync::atomic::Ordering::Relaxed) > 50
    })
    .await;
    assert!(spinning.iter().all(|call| !call.is_finished()));
    ticker.abort();
    noisy.stop();
    noisy.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_may_burst_is_never_held_back() {
    let (task, _) = Bench::new()
        .http(|spec| {
            spec.cpu = CpuUnits::new(8).unwrap();
            spec.cpu_burst = true;
        })
        .await;
    let _spinning = spin(&task, 1);
    until("CPU beyond the share", || {
        task.usage().cpu > Duration::from_millis(500)
    })
    .await;
    assert_eq!(task.usage().throttled, Duration::ZERO);
    task.stop();
}
