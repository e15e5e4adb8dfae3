//! What a guest can see of the world, and that it is what the task grants and no more.

use std::sync::{Arc, Mutex};

use secrecy::SecretString;
use wharf_runtime::{
    ActivateError, HttpTask, LogStream, MAX_LOG_LINE, Mount, SecretSource, SecretUnavailable,
};

use crate::support::{Bench, spec, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_sees_its_own_environment_and_nothing_of_the_host_s() {
    let bench = Bench::new();
    let (bare, _) = bench.http(|_| {}).await;
    let nothing = text(&bare, "/env").await.1;
    assert!(
        !nothing.contains("PATH") && !nothing.contains("HOME"),
        "{nothing}"
    );
    let (task, _) = bench
        .http(|spec| {
            spec.env = vec![("GREETING".into(), "hello".into())];
            spec.args = vec!["one".into()];
        })
        .await;
    assert!(text(&task, "/env").await.1.contains("\"GREETING\":\"hello\""));
    assert!(text(&task, "/args").await.1.contains("\"one\""));
}

#[derive(Debug)]
struct Rotating(Mutex<Option<&'static str>>);

impl SecretSource for Rotating {
    fn resolve(&self) -> Result<Vec<(String, SecretString)>, SecretUnavailable> {
        let value = self
            .0
            .lock()
            .unwrap()
            .ok_or_else(|| SecretUnavailable("secret `k` is missing".into()))?;
        Ok(vec![("KEY".into(), SecretString::from(value))])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_resolved_for_each_instance() {
    let bench = Bench::new();
    let secrets = Arc::new(Rotating(Mutex::new(None)));
    let (mut missing, _) = spec();
    missing.secrets = secrets.clone();
    let error = HttpTask::activate(&bench.runtime, bench.artifact("guest_http").await, missing).await;
    let error = error.unwrap_err();
    assert!(matches!(error, ActivateError::Unprepared(_)) && error.is_temporary());
    assert!(error.to_string().contains("secret `k` is missing"));

    *secrets.0.lock().unwrap() = Some("first");
    let (task, log) = bench.http(|spec| spec.secrets = secrets.clone()).await;
    assert!(text(&task, "/env").await.1.contains("first"));
    *secrets.0.lock().unwrap() = Some("second");
    assert!(text(&task, "/env").await.1.contains("second"));
    assert!(!log.contains("first") && !log.contains("second"));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_read_only_and_end_at_their_mount() {
    let dir = tempfile::TempDir::new().unwrap();
    std::fs::create_dir(dir.path().join("public")).unwrap();
    std::fs::write(dir.path().join("public/page.txt"), "a page").unwrap();
    std::fs::write(dir.path().join("secret.txt"), "not yours").unwrap();
    std::os::unix::fs::symlink("../secret.txt", dir.path().join("public/link")).unwrap();
    let (task, _) = Bench::new()
        .http(|spec| {
            spec.files = vec![Mount {
                host: dir.path().join("public"),
                guest: "/static".into(),
            }];
        })
        .await;
    assert_eq!(text(&task, "/read?path=/static/page.txt").await.1, "a page");
    for escape in [
        "/static/../secret.txt",
        "/static/link",
        "/etc/passwd",
        "/secret.txt",
        "../secret.txt",
    ] {
        let (status, body) = text(&task, &format!("/read?path={escape}")).await;
        assert!(
            status >= 400 && !body.contains("not yours"),
            "{escape}: {status} {body}"
        );
    }
    for write in ["/static/page.txt", "/static/new.txt", "/new.txt"] {
        assert!(
            text(&task, &format!("/write?path={write}")).await.0 >= 400,
            "{write}"
        );
    }
    assert_eq!(
        std::fs::read_to_string(dir.path().join("public/page.txt")).unwrap(),
        "a page"
    );
    assert!(!dir.path().join("public/new.txt").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn output_goes_to_the_log_line_by_line_within_bounds() {
    let (task, log) = Bench::new().http(|_| {}).await;
    assert_eq!(text(&task, "/log?lines=3&len=5").await.0, 200);
    assert_eq!(text(&task, "/log?lines=2&len=5&stream=err").await.0, 200);
    task.idle().await;
    assert_eq!(log.lines(LogStream::Stdout).len(), 3);
    assert_eq!(log.lines(LogStream::Stderr).len(), 2);
    assert_eq!(
        text(&task, &format!("/log?lines=1&len={}", MAX_LOG_LINE * 2))
            .await
            .0,
        200
    );
    task.idle().await;
    assert_eq!(log.lines(LogStream::Stdout)[3].len(), MAX_LOG_LINE);

    assert_eq!(text(&task, "/log?lines=20000&len=1000").await.0, 200);
    task.idle().await;
    let kept: usize = log.lines(LogStream::Stdout).iter().map(String::len).sum();
    assert!(kept < 19 << 20, "{kept} bytes of a flood of 20 MB were kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_and_random_bytes_are_there_within_bounds() {
    let (task, _) = Bench::new().http(|_| {}).await;
    assert_eq!(text(&task, "/clock").await.0, 200);
    assert_ne!(
        text(&task, "/random?n=16").await.1,
        text(&task, "/random?n=16").await.1
    );
    crate::support::get(&task, "/random?n=100000000")
        .await
        .unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_and_headers_are_bounded() {
    let (task, _) = Bench::new().http(|_| {}).await;
    assert_eq!(text(&task, "/handles?n=100").await.0, 200);
    assert!(crate::support::get(&task, "/handles?n=100000").await.is_err());
    assert_eq!(text(&task, "/headers?n=10&len=100").await.0, 200);
    let bomb = crate::support::get(&task, "/headers?n=10000&len=1000").await;
    assert!(bomb.is_err() || bomb.unwrap().headers().len() < 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_are_denied() {
    let bench = Bench::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (open, _) = spec();
    let artifact = bench.artifact("guest_socket").await;
    let task = HttpTask::activate(&bench.runtime, artifact, open).await.unwrap();
    let (status, body) = text(&task, &format!("/?to={}", listener.local_addr().unwrap())).await;
    assert!(status >= 400 || !body.contains("connected"), "{status} {body}");
}
