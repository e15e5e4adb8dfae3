//! Places in the engine's pool: whoever finds none waits in line, and the engine refuses nobody.

use std::pin::pin;

use futures_util::future::join_all;
use futures_util::poll;
use tempfile::TempDir;
use wharf_runtime::{ActivateError, Artifact, CommandTask, LogStream};

use crate::support::{Bench, FakeHost, get, prepare, program, spec, text};

/// Memories of a component, at most: four instances of such fill the pool.
const MEMORIES: usize = 8;

/// A runtime with the smallest pool there is: 16 instances with 32 memories.
fn bench(host: &FakeHost) -> Bench {
    host.has_mappings(1);
    Bench::on_host(host.files())
}

/// A program of so many memories that waits until it is killed.
async fn sleeper(bench: &Bench, dir: &TempDir) -> Artifact {
    let spare = "(core instance (instantiate $memory))".repeat(MEMORIES - 1);
    let bytes = program(&format!(
        r#"(import "wasi:io/poll@0.2.0" (instance $poll
                (export "pollable" (type $p (sub resource)))
                (export "[method]pollable.block" (func (param "self" (borrow $p))))))
            (alias export $poll "pollable" (type $pollable))
            (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
                (alias outer 1 $pollable (type $q))
                (export "pollable" (type $p (eq $q)))
                (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
            (core func $subscribe (canon lower (func $clock "subscribe-duration")))
            (core func $block (canon lower (func $poll "[method]pollable.block")))
            (core instance $waits (export "subscribe" (func $subscribe)) (export "block" (func $block)))
            (core module $memory (memory 1))
            {spare}
            (core module $m
                (import "waits" "subscribe" (func $subscribe (param i64) (result i32)))
                (import "waits" "block" (func $block (param i32)))
                (memory 1)
                (func (export "run") (result i32)
                    (call $block (call $subscribe (i64.const 1000000000000000)))
                    i32.const 0))
            (core instance $i (instantiate $m (with "waits" (instance $waits))))"#
    ));
    prepare(bench, dir, &bytes).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_without_places_waits_its_turn() {
    let (host, dir) = (FakeHost::new(), TempDir::new().unwrap());
    let bench = bench(&host);
    let artifact = sleeper(&bench, &dir).await;
    let start = async || {
        loop {
            match CommandTask::start(&bench.runtime, artifact.clone(), spec().0).await {
                // A slow machine.
                Err(ActivateError::NoRoom) => {}
                started => return started.unwrap(),
            }
        }
    };
    let mut running = Vec::new();
    for _ in 0..4 {
        running.push(start().await);
    }
    // Instances there are enough, memories there are none.
    let mut fifth = pin!(start());
    let mut sixth = pin!(start());
    assert!(poll!(fifth.as_mut()).is_pending());
    assert!(poll!(sixth.as_mut()).is_pending());

    running.swap_remove(0).kill();
    let fifth = fifth.await;
    assert!(poll!(sixth.as_mut()).is_pending());
    fifth.kill();
    sixth.await.kill();
    running.iter().for_each(CommandTask::kill);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_pool_are_served_one_after_another() {
    let host = FakeHost::new();
    let bench = bench(&host);
    let mut tasks = Vec::new();
    for _ in 0..8 {
        tasks.push(bench.http(|_| {}).await.0);
    }
    // More at once than the pool has places for, of more tasks than can have their share.
    let calls: Vec<_> = (0..160)
        .map(|number: usize| {
            let task = tasks[number % tasks.len()].clone();
            tokio::spawn(async move { text(&task, "/sleep?ms=5").await.0 })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_s_requests_get_instances_in_the_order_of_arrival() {
    let host = FakeHost::new();
    let bench = bench(&host);
    let (task, log) = bench.http(|_| {}).await;
    // The task's share, a quarter of the pool.
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(get(&task, "/never-end").await.unwrap());
    }
    let mut waiting = Vec::new();
    for length in 1..=5 {
        let task = task.clone();
        let path = format!("/log?lines=1&len={length}");
        let mut call = Box::pin(async move { text(&task, &path).await.0 });
        assert!(poll!(call.as_mut()).is_pending());
        waiting.push(call);
    }
    held.truncate(3);
    assert_eq!(join_all(waiting).await, [200; 5]);
    let lines = log.lines(LogStream::Stdout);
    let lengths: Vec<_> = lines.iter().map(String::len).collect();
    assert_eq!(lengths, [1, 2, 3, 4, 5]);
}
