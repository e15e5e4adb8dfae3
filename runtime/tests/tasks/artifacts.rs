//! Preparing components: the cache, the compiler child, and what is refused.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use wharf_runtime::{PrepareError, World};

use crate::support::{Bench, digest_of, guest_path, until};

/// A compiler that must not be needed.
const NO_COMPILER: &str = "/bin/false";

fn cached(cache: &Path) -> Vec<PathBuf> {
    let engine = std::fs::read_dir(cache.join("cache"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mut files: Vec<_> = std::fs::read_dir(engine)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_is_compiled_once_per_data_directory() {
    let directory = TempDir::new().unwrap();
    let first = Bench::on(directory.path());
    let artifact = first.artifact("guest_http").await;
    assert_eq!(artifact.world(), World::Http);
    assert_eq!(first.artifact("guest-command").await.world(), World::Command);
    assert_eq!(cached(directory.path()).len(), 4);

    let second = Bench::with_compiler(directory.path(), NO_COMPILER);
    assert_eq!(second.artifact("guest_http").await.digest(), artifact.digest());
    let path = guest_path("guest_socket");
    let error = second
        .runtime
        .prepare(&path, &digest_of(&path))
        .await
        .unwrap_err();
    assert!(matches!(error, PrepareError::Compiler(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_many_ask_for_at_once_is_compiled_once() {
    let directory = TempDir::new().unwrap();
    let started = directory.path().join("started");
    let compiler = env!("CARGO_BIN_EXE_compile-child");
    let script = format!(
        r#"echo started >> "{}"; exec "{compiler}" "$0" "$1" "$2""#,
        started.display()
    );
    let bench = Bench::with_compiler_args(directory.path(), "/bin/sh", &["-c", &script]);
    let path = guest_path("guest-command");
    let digest = digest_of(&path);
    let prepare = || {
        let (runtime, path, digest) = (bench.runtime.clone(), path.clone(), digest.clone());
        tokio::spawn(async move { runtime.prepare(&path, &digest).await })
    };
    let asked: Vec<_> = (0..8).map(|_| prepare()).collect();
    let mut prepared = Vec::new();
    for asked in asked {
        prepared.push(asked.await.unwrap().unwrap());
    }
    assert!(prepared.iter().all(|artifact| artifact.digest() == digest));
    assert_eq!(std::fs::read_to_string(&started).unwrap(), "started\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compiler_that_dies_half_way_leaves_nothing() {
    let directory = TempDir::new().unwrap();
    // As a compiler that the kernel ends for its memory: some of the code is written.
    let script = r#"head -c 100000 "$0" > "$2"; kill -9 $$"#;
    let bench = Bench::with_compiler_args(directory.path(), "/bin/sh", &["-c", script]);
    let path = guest_path("guest-command");
    let error = bench.runtime.prepare(&path, &digest_of(&path)).await.unwrap_err();
    assert!(matches!(error, PrepareError::Compiler(_)), "{error}");
    assert!(error.to_string().contains("signal: 9"), "{error}");
    assert_eq!(cached(directory.path()), Vec::<PathBuf>::new());
    Bench::on(directory.path()).artifact("guest-command").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_was_changed_is_not_loaded() {
    let directory = TempDir::new().unwrap();
    let first = Bench::on(directory.path());
    first.artifact("guest-command").await;
    let code = cached(directory.path())
        .into_iter()
        .find(|file| file.extension().unwrap() == "cwasm")
        .unwrap();
    let mut bytes = std::fs::read(&code).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(&code, &bytes).unwrap();
    let changed = Bench::with_compiler(directory.path(), NO_COMPILER);
    let path = guest_path("guest-command");
    changed
        .runtime
        .prepare(&path, &digest_of(&path))
        .await
        .unwrap_err();
    let repaired = Bench::on(directory.path());
    repaired.artifact("guest-command").await;
    assert_ne!(std::fs::read(&code).unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_run_is_refused_and_leaves_nothing() {
    let directory = TempDir::new().unwrap();
    let bench = Bench::on(directory.path());
    let component = std::fs::read(guest_path("guest-command")).unwrap();
    let nn = wat::parse_str(
        r#"(component (import "wasi:nn/graph@0.2.0-rc" (instance))
            (instance $e) (export "wasi:cli/run@0.2.0" (instance $e)))"#,
    );
    let table: [(Vec<u8>, &str); 5] = [
        (wat::parse_str("(module)").unwrap(), "core WebAssembly module"),
        (b"hello".to_vec(), "offset 0"),
        (component[..component.len() / 2].to_vec(), "byte offset 0x"),
        (nn.unwrap(), "`wasi:nn/graph@0.2.0-rc`"),
        (wat::parse_str("(component)").unwrap(), "exports nothing"),
    ];
    for (bytes, expected) in table {
        let path = directory.path().join("component.wasm");
        std::fs::write(&path, bytes).unwrap();
        let error = bench.runtime.prepare(&path, &digest_of(&path)).await.unwrap_err();
        assert!(matches!(error, PrepareError::Refused(_)), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert_eq!(cached(directory.path()), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn content_must_match_its_digest() {
    let directory = TempDir::new().unwrap();
    let bench = Bench::on(directory.path());
    let other = digest_of(&guest_path("guest-command"));
    let error = bench
        .runtime
        .prepare(&guest_path("guest_http"), &other)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("has digest"), "{error}");
    let error = bench
        .runtime
        .prepare(&guest_path("guest_http"), "md5:1")
        .await
        .unwrap_err();
    assert!(matches!(error, PrepareError::Digest(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_compiler_limits_itself_before_it_reads_anything() {
    let directory = TempDir::new().unwrap();
    // A component that never comes: the child waits for it with its limits on.
    let pipe = directory.path().join("component.wasm");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_compile-child"))
        .args([&pipe, Path::new("0"), &directory.path().join("output")])
        .spawn()
        .unwrap();
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap();
    until("the priority is lowered", || {
        let stat = read("stat");
        let nice = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .nth(16)
            .unwrap();
        nice.parse::<i32>().unwrap() >= 10
    })
    .await;
    until("the kernel would end it first", || {
        read("oom_score_adj").trim() == "1000"
    })
    .await;
    for limit in [
        "Max address space",
        "Max cpu time",
        "Max file size",
        "Max core file size",
    ] {
        let limits = read("limits");
        let line = limits.lines().find(|line| line.starts_with(limit)).unwrap();
        assert!(!line.contains("unlimited"), "{line}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// As tasks do that start all at once: who isn't to wait for the others prepares it as they do, and has it then.
#[tokio::test]
async fn what_was_prepared_is_had_at_once_however_many_ask() {
    let path = guest_path("guest_http");
    let digest = digest_of(&path);
    Bench::new().artifact("guest_http").await;
    // It is in the cache, and not loaded.
    let bench = Bench::new();
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (runtime, path, digest) = (bench.runtime.clone(), path.clone(), digest.clone());
        asking.spawn(async move {
            if runtime.prepared(&digest).await.unwrap().is_none() {
                runtime.prepare(&path, &digest).await.unwrap();
                let prepared = runtime.prepared(&digest).await.unwrap();
                assert!(prepared.is_some(), "it was prepared just now");
            }
        });
    }
    asking.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compilers_are_few_at_a_time_and_end_with_whoever_waits() {
    let directory = TempDir::new().unwrap();
    let started = directory.path().join("started");
    std::fs::create_dir(&started).unwrap();
    let script = format!("echo > {}/$$; exec sleep 600", started.display());
    let bench = Bench::with_compiler_args(directory.path(), "/bin/sh", &["-c", &script]);
    let count = || std::fs::read_dir(&started).unwrap().count();
    let waiting: Vec<_> = (0..5)
        .map(|number| {
            let (runtime, path) = (bench.runtime.clone(), guest_path("guest_http"));
            let digest = format!("sha256:{number:064x}");
            tokio::spawn(async move { runtime.prepare(&path, &digest).await.map(drop) })
        })
        .collect();
    until("two have started", || count() == 2).await;
    // The others would need no longer than these did.
    let _ = tokio::time::timeout(
        std::time::Duration::from_millis(300),
        std::future::pending::<()>(),
    )
    .await;
    assert_eq!(count(), 2);
    let pids: Vec<_> = std::fs::read_dir(&started)
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    until("they have ended", || {
        pids.iter().all(|pid| {
            let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
            stat.map_or(true, |stat| stat.contains(") Z"))
        })
    })
    .await;
}
