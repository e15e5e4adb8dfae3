//! Outgoing requests: the egress list, the pool, redirects left to the guest.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use tokio::sync::watch;
use wharf_runtime::LogStream;

use crate::support::{Bench, text, until};

/// A server on loopback that counts its connections.
struct Upstream {
    port: u16,
    connections: Arc<AtomicUsize>,
    /// It answers while this is true.
    answers: watch::Sender<bool>,
}

impl Upstream {
    async fn start() -> Self {
        let (answers, may_answer) = watch::channel(true);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let may_answer = may_answer.clone();
                let answer = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let mut may_answer = may_answer.clone();
                    async move {
                        let _ = may_answer.wait_for(|may| *may).await;
                        let redirect = request.uri().path() == "/redirect";
                        let mut response = http::Response::new(Full::new(Bytes::from("upstream")));
                        if redirect {
                            *response.status_mut() = http::StatusCode::FOUND;
                            response
                                .headers_mut()
                                .insert("location", "http://10.0.0.1/".parse().unwrap());
                        }
                        Ok::<_, std::convert::Infallible>(response)
                    }
                });
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), answer));
            }
        });
        Self {
            port,
            connections,
            answers,
        }
    }

    /// What `egress` has to name.
    fn rule(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_reached_without_a_rule() {
    let upstream = Upstream::start().await;
    let url = format!("http://127.0.0.1:{}/", upstream.port);
    let bench = Bench::new();
    let (denied, log) = bench.http(|_| {}).await;
    let (_, body) = text(&denied, &format!("/fetch?url={url}")).await;
    assert!(!body.contains("200"), "{body}");
    assert!(log.contains(&format!("add \"http://127.0.0.1:{}\" to `egress`", upstream.port)));
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_place_is_reached_over_pooled_connections() {
    let upstream = Upstream::start().await;
    let rule = format!("http://127.0.0.1:{}", upstream.port);
    let (task, _) = Bench::new()
        .http(|spec| spec.egress = vec![rule.parse().unwrap()])
        .await;
    for _ in 0..20 {
        let (_, body) = text(&task, &format!("/fetch?url={rule}/")).await;
        assert!(body.contains("200"), "{body}");
    }
    // Fresh instances, one client: the connection outlives them.
    assert!(upstream.connections.load(Ordering::SeqCst) <= 3);
    // A redirect is an answer like another.
    let (_, body) = text(&task, &format!("/fetch?url={rule}/redirect")).await;
    assert!(body.contains("302"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_to_loopback_is_refused_unless_it_says_so() {
    let upstream = Upstream::start().await;
    let bench = Bench::new();
    if let Some(host) = own_name_on_loopback() {
        let rule = format!("http://{host}:{}", upstream.port);
        let (task, log) = bench.http(|spec| spec.egress = vec![rule.parse().unwrap()]).await;
        let (_, body) = text(&task, &format!("/fetch?url={rule}/")).await;
        assert!(!body.contains("200"), "{body}");
        assert!(log.contains("not a public address"));
    }
    let by_name = format!("http://localhost:{}", upstream.port);
    let (task, _) = bench
        .http(|spec| spec.egress = vec![by_name.parse().unwrap()])
        .await;
    let (_, body) = text(&task, &format!("/fetch?url={by_name}/")).await;
    assert!(body.contains("200"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_has_so_many_connections_open_and_no_more() {
    let upstream = Upstream::start().await;
    let rule = upstream.rule();
    let (task, log) = Bench::new()
        .http(|spec| {
            spec.memory = wharf_runtime::Bytes::mib(256);
            spec.egress = vec![rule.parse().unwrap()];
        })
        .await;
    upstream.answers.send_replace(false);
    let calls: Vec<_> = (0..13)
        .map(|_| {
            let (task, path) = (task.clone(), format!("/fetch?n=20&url={rule}/"));
            tokio::spawn(async move { text(&task, &path).await.1 })
        })
        .collect();
    // 260 are wanted at once, and nobody lets go of one.
    until("all that may be are open", || {
        upstream.connections.load(Ordering::SeqCst) == 256
    })
    .await;
    let refused = || {
        let system = log.lines(LogStream::System);
        system
            .iter()
            .filter(|line| line.contains("the task has 256 connections open"))
            .count()
    };
    until("the others are refused", || refused() == 4).await;
    upstream.answers.send_replace(true);
    let mut lines = String::new();
    for call in calls {
        lines += &call.await.unwrap();
        lines += "\n";
    }
    assert_eq!(lines.matches("200 upstream").count(), 256, "{lines}");
    assert_eq!(lines.matches("ConnectionLimitReached").count(), 4, "{lines}");
    // Their places are free again.
    let (_, body) = text(&task, &format!("/fetch?url={rule}/")).await;
    assert_eq!(body, "200 upstream");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_whose_buffers_do_not_fit_the_envelope_fail() {
    let upstream = Upstream::start().await;
    let rule = upstream.rule();
    let (task, log) = Bench::new()
        .http(|spec| {
            spec.memory = wharf_runtime::Bytes::mib(4);
            spec.egress = vec![rule.parse().unwrap()];
        })
        .await;
    upstream.answers.send_replace(false);
    let call = tokio::spawn({
        let (task, path) = (task.clone(), format!("/fetch?n=60&url={rule}/"));
        async move { text(&task, &path).await.1 }
    });
    until("one is refused", || {
        log.contains("its buffers don't fit the task's memory")
    })
    .await;
    upstream.answers.send_replace(true);
    let lines = call.await.unwrap();
    assert!(lines.contains("200 upstream"), "{lines}");
    assert!(lines.contains("memory is full"), "{lines}");
    task.idle().await;
    assert!(task.usage().memory_peak <= 4 << 20);
    assert_eq!(task.usage().memory, 0);
    let (_, body) = text(&task, &format!("/fetch?url={rule}/")).await;
    assert_eq!(body, "200 upstream");
}

/// This machine's own name, where it resolves to loopback as it does on most.
fn own_name_on_loopback() -> Option<String> {
    use std::net::ToSocketAddrs;
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()?
        .trim()
        .to_owned();
    let mut addresses = (name.as_str(), 80).to_socket_addrs().ok()?;
    (name != "localhost" && addresses.all(|at| at.ip().is_loopback())).then_some(name)
}
