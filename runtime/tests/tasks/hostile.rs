//! Guests that try to hold what is the host's: its memory, its threads, its log, its words.

use std::time::Duration;

use http_body_util::BodyExt;
use tempfile::TempDir;
use wharf_runtime::{
    ActivateError, Bytes, CommandTask, CpuUnits, Exit, FailureKind, LogStream, Mount, PrepareError,
};

use crate::support::{Bench, command, get, prepare, program, spec, text, until};

/// This process's resident memory.
fn resident() -> Bytes {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = pages.split(' ').nth(1).unwrap().parse().unwrap();
    Bytes::kib(pages * 4)
}

/// CPU time of this process.
fn process_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 10)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_behind_handles_is_bounded() {
    let (task, _) = Bench::new().http(|spec| spec.memory = Bytes::mib(32)).await;
    assert_eq!(text(&task, "/ok").await.0, 200);
    for path in [
        "/hostile/methods?n=4000&kib=1000",
        "/hostile/fields?n=4000&kib=120",
    ] {
        let before = resident();
        // Turned away by whichever bound it meets first.
        let _ = get(&task, path).await;
        let grown = resident().get().saturating_sub(before.get());
        assert!(grown < Bytes::mib(160).get(), "{path}: {}", Bytes::new(grown));
    }
    assert_eq!(text(&task, "/ok").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_request_have_a_longest_length() {
    let (task, _) = Bench::new().http(|_| {}).await;
    assert_eq!(text(&task, "/hostile/parts?len=8192").await.1, "");
    assert_eq!(
        text(&task, "/hostile/parts?len=8193").await.1,
        "method authority path"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_that_components_make_for_each_other_are_bounded() {
    let (bench, dir) = (Bench::new(), TempDir::new().unwrap());
    let bytes = program(
        r#"(type $r (resource (rep i32)))
        (core func $new (canon resource.new $r))
        (core instance $host (export "new" (func $new)))
        (core module $m
            (import "host" "new" (func $new (param i32) (result i32)))
            (func (export "run") (result i32)
                (loop (drop (call $new (i32.const 1))) (br 0))
                unreachable))
        (core instance $i (instantiate $m (with "host" (instance $host))))"#,
    );
    let artifact = prepare(&bench, &dir, &bytes).await.unwrap();
    let task = CommandTask::start(&bench.runtime, artifact, spec().0)
        .await
        .unwrap();
    let exit = task.exited().await;
    assert!(
        matches!(&exit, Exit::Trapped(why) if why.contains("handle")),
        "{exit:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_s_open_files_are_bounded_over_its_instances() {
    let (bench, dir) = (Bench::new(), TempDir::new().unwrap());
    std::fs::write(dir.path().join("page"), "a page").unwrap();
    let with_files = |spec: &mut wharf_runtime::TaskSpec| {
        spec.files = vec![Mount {
            host: dir.path().into(),
            guest: "/static".into(),
        }];
    };
    let (task, log) = bench.http(with_files).await;
    let (other, _) = bench.http(with_files).await;
    let hold = |n: u32| format!("/hold-files?path=/static/page&n={n}");
    assert_eq!(text(&task, &hold(300)).await.1, "256");
    assert!(log.contains("the task has 256 open, which is the limit"));
    task.idle().await;

    let mut holder = get(&task, &(hold(200) + "&then=wait")).await.unwrap();
    let held = holder.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(held.into_data().unwrap(), "200");
    assert_eq!(text(&task, &hold(300)).await.1, "56");
    assert_eq!(text(&other, &hold(300)).await.1, "256");
    drop(holder);
    task.idle().await;
    assert_eq!(text(&task, &hold(300)).await.1, "256");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_beyond_its_permit_traps() {
    let (task, _) = Bench::new().http(|_| {}).await;
    assert_eq!(
        get(&task, "/hostile/large-write").await.unwrap_err().kind(),
        FailureKind::Trapped
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_code_is_named_without_the_guest_s_words() {
    let (task, _) = Bench::new().http(|_| {}).await;
    let error = get(&task, "/hostile/error-code?text=boom::hunter2")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), FailureKind::InvalidResponse);
    assert!(error.to_string().contains("InternalError"), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_may_finish_after_an_answer_of_known_length() {
    let (task, log) = Bench::new().http(|_| {}).await;
    let mut response = get(&task, "/hostile/work-after-sized?ms=50").await.unwrap();
    assert_eq!(
        response
            .body_mut()
            .frame()
            .await
            .unwrap()
            .unwrap()
            .into_data()
            .unwrap(),
        "ok"
    );
    // A server that has written all it was promised asks no more.
    drop(response);
    until("its last words", || log.lines(LogStream::Stdout).len() == 1).await;
    drop(get(&task, "/hostile/work-after-empty?ms=50").await.unwrap());
    until("its last words", || log.lines(LogStream::Stdout).len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_may_finish_after_trailers() {
    let (task, log) = Bench::new().http(|_| {}).await;
    let mut response = get(&task, "/hostile/work-after-trailers?ms=50").await.unwrap();
    // Whoever has passed trailers on asks no more.
    while response.body_mut().frame().await.unwrap().unwrap().is_data() {}
    drop(response);
    until("its last words", || log.lines(LogStream::Stdout).len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_does_not_hide_what_is_said_about_it() {
    let (task, log) = Bench::new().http(|_| {}).await;
    assert_eq!(
        get(&task, "/hostile/flood-then-trap").await.unwrap_err().kind(),
        FailureKind::Trapped
    );
    assert!(log.contains("trap_on_purpose"));
    assert!(log.contains("dropped: the task logs more than"));
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_directories_is_the_task_s_own_cpu() {
    let dir = TempDir::new().unwrap();
    for number in 0..2000 {
        std::fs::write(dir.path().join(number.to_string()), "").unwrap();
    }
    let (task, _) = Bench::new()
        .http(|spec| {
            spec.cpu = CpuUnits::new(1024).unwrap();
            spec.files = vec![Mount {
                host: dir.path().into(),
                guest: "/static".into(),
            }];
        })
        .await;
    let (before, own) = (process_cpu(), task.usage().cpu);
    for _ in 0..20 {
        assert_eq!(text(&task, "/list?path=/static").await.0, 200);
    }
    let (used, charged) = (process_cpu() - before, task.usage().cpu - own);
    assert!(
        charged * 2 > used.saturating_sub(Duration::from_millis(20)),
        "{charged:?} of {used:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_never_ends_is_given_up_and_leaves_nothing_running() {
    let (bench, dir) = (Bench::new(), TempDir::new().unwrap());
    let body =
        r#"(core module $m (func $s (loop br 0)) (func (export "run") (result i32) i32.const 0) (start $s))"#;
    let artifact = prepare(&bench, &dir, &command(body)).await.unwrap();
    let (mut spec, _) = spec();
    spec.timeout = Some(Duration::from_millis(200));
    let error = CommandTask::start(&bench.runtime, artifact.clone(), spec.clone())
        .await
        .unwrap_err();
    assert!(
        matches!(&error, ActivateError::Failed(why) if why.contains("200 ms")),
        "{error}"
    );

    // Given up by the caller: the program goes with its start.
    spec.timeout = None;
    let start = CommandTask::start(&bench.runtime, artifact, spec);
    tokio::time::timeout(Duration::from_millis(100), start)
        .await
        .unwrap_err();
    let mut last = process_cpu();
    let deadline = tokio::time::Instant::now() + crate::support::PATIENCE;
    loop {
        let _ = tokio::time::timeout(Duration::from_millis(300), std::future::pending::<()>()).await;
        let now = process_cpu();
        if now - last < Duration::from_millis(100) {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "it goes on");
        last = now;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn components_beyond_the_pool_are_refused_with_the_reason() {
    let (bench, dir) = (Bench::new(), TempDir::new().unwrap());
    let memories = "(memory 1)".repeat(9);
    let run = r#"(func (export "run") (result i32) i32.const 0)"#;
    for module in [memories.as_str(), "(table 300000 funcref)"] {
        let bytes = command(&format!("(core module $m {module} {run})"));
        let error = prepare(&bench, &dir, &bytes).await.unwrap_err();
        assert!(matches!(error, PrepareError::Refused(_)), "{error}");
        assert!(
            error.to_string().contains("larger than can be run here"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn features_of_asynchronous_components_are_refused() {
    let (bench, dir) = (Bench::new(), TempDir::new().unwrap());
    let body = r#"(type $f (future)) (core func $new (canon future.new $f))
        (core module $m (func (export "run") (result i32) i32.const 0))"#;
    let error = prepare(&bench, &dir, &command(body)).await.unwrap_err();
    assert!(matches!(error, PrepareError::Refused(_)), "{error}");
}
