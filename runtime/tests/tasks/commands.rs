//! Jobs and workers.

use std::time::Duration;

use wharf_runtime::{ActivateError, Bytes, CommandTask, Exit, HttpTask, LogStream};

use crate::support::{Bench, spec, until};

#[tokio::test(flavor = "multi_thread")]
async fn programs_end_with_their_codes() {
    let bench = Bench::new();
    for (args, code) in [
        (vec!["exit", "0"], 0),
        (vec!["exit", "7"], 7),
        (vec!["print", "3"], 0),
    ] {
        let (task, log) = bench.command(&args, |_| {}).await;
        assert_eq!(task.exited().await, Exit::Code(code), "{args:?}");
        if args[0] == "print" {
            assert_eq!(log.lines(LogStream::Stdout).len(), 3);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_fail_in_their_own_ways() {
    let bench = Bench::new();
    let (task, log) = bench.command(&["panic"], |_| {}).await;
    assert!(matches!(task.exited().await, Exit::Trapped(_)));
    assert!(log.contains("panic_on_purpose"));

    let (task, _) = bench
        .command(&["spin"], |spec| spec.timeout = Some(Duration::from_millis(200)))
        .await;
    assert!(matches!(task.exited().await, Exit::TimedOut(_)));

    let (task, _) = bench
        .command(&["spin"], |spec| {
            spec.cpu_timeout = Some(Duration::from_millis(50))
        })
        .await;
    assert!(matches!(task.exited().await, Exit::CpuTimedOut(_)));

    let (task, _) = bench
        .command(&["grow-or-die", "100"], |spec| spec.memory = Bytes::mib(16))
        .await;
    assert!(matches!(task.exited().await, Exit::OutOfMemory(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_reads_its_input_ends_when_asked() {
    let (task, log) = Bench::new().command(&["stdin"], |spec| spec.timeout = None).await;
    assert_eq!(task.usage().in_flight, 1);
    task.request_stop();
    assert_eq!(task.exited().await, Exit::Code(0));
    assert!(log.contains("bye"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_sleeps_is_woken_when_asked_to_end() {
    let bench = Bench::new();
    let (task, log) = bench
        .command(&["nap", "86400000"], |spec| spec.timeout = None)
        .await;
    until("it sleeps", || log.contains("sleeping")).await;
    task.request_stop();
    assert_eq!(task.exited().await, Exit::Code(0));
    assert!(log.contains("bye"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_woken_once_and_sleeps_on_if_it_will() {
    let bench = Bench::new();
    let (task, log) = bench
        .command(&["doze", "86400000", "200"], |spec| spec.timeout = None)
        .await;
    until("it sleeps", || log.contains("sleeping")).await;
    task.request_stop();
    assert_eq!(task.exited().await, Exit::Code(0));
    let lines = log.lines(LogStream::Stdout);
    let [_, _, slept] = lines.as_slice() else {
        panic!("{lines:?}")
    };
    let slept: u32 = slept.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(slept >= 200, "its second sleep lasted {slept} ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_does_not_listen_is_killed() {
    let bench = Bench::new();
    for (args, at_work) in [(["spin", "", ""], ""), (["doze", "86400000", "86400000"], "woke")] {
        let (task, log) = bench.command(&args, |spec| spec.timeout = None).await;
        until("it runs", || !task.usage().cpu.is_zero()).await;
        task.request_stop();
        until("it goes on", || at_work.is_empty() || log.contains(at_work)).await;
        task.kill();
        assert_eq!(task.exited().await, Exit::Stopped);
        until("memory is given back", || task.usage().memory == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_world_must_fit_the_task() {
    let bench = Bench::new();
    let (http, _) = spec();
    let error = HttpTask::activate(&bench.runtime, bench.artifact("guest-command").await, http).await;
    assert!(matches!(error.unwrap_err(), ActivateError::World(_)));
    let (command, _) = spec();
    let error = CommandTask::start(&bench.runtime, bench.artifact("guest_http").await, command).await;
    assert!(error.unwrap_err().to_string().contains("wasi:cli/command"));
}
