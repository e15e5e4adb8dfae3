//! Outgoing requests: the egress list, the pool, redirects left to the guest.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use wharf_runtime::{Reach, RequestUsage};

use crate::support::{Bench, get, text, until};

/// Requests to `/together` are answered when there are so many: as many as connections are kept per host.
const TOGETHER: usize = 8;

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
        let together = Arc::new(tokio::sync::Barrier::new(TOGETHER));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let (may_answer, together) = (may_answer.clone(), Arc::clone(&together));
                let answer = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let (mut may_answer, together) = (may_answer.clone(), Arc::clone(&together));
                    async move {
                        let _ = may_answer.wait_for(|may| *may).await;
                        if request.uri().path() == "/together" {
                            together.wait().await;
                        }
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
async fn a_task_that_is_kept_off_the_host_does_not_reach_it_by_any_rule() {
    let upstream = Upstream::start().await;
    let port = upstream.port;
    let bench = Bench::new();
    let rules = [
        upstream.rule(),
        format!("http://127.0.0.0/8:{port}"),
        format!("http://0.0.0.0/0:{port}"),
        format!("http://localhost:{port}"),
    ];
    let (task, log) = bench
        .http(|spec| {
            spec.egress = rules.iter().map(|rule| rule.parse().unwrap()).collect();
            spec.reach = Reach::BeyondThisHost;
        })
        .await;
    for host in ["127.0.0.1", "127.9.9.9", "0.0.0.0", "localhost"] {
        let (_, body) = text(&task, &format!("/fetch?url=http://{host}:{port}/")).await;
        assert!(!body.contains("200"), "{host}: {body}");
    }
    assert!(log.contains("is on the server's own host"));
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 0);
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
    let fetch = |query: &str| {
        let (task, path) = (task.clone(), format!("/fetch?url={rule}/{query}"));
        tokio::spawn(async move { text(&task, &path).await.1 })
    };
    let calls: Vec<_> = (0..16).map(|_| fetch("&n=16")).collect();
    until("all that may be are open", || {
        upstream.connections.load(Ordering::SeqCst) == 256
    })
    .await;
    // One more waits for a place, for as long as it may take to connect.
    let refused = fetch("&connect_ms=100").await.unwrap();
    assert!(refused.contains("ConnectionLimitReached"), "{refused}");
    assert!(log.contains("the task has 256 connections in use"));
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 256);
    let waits = fetch("");
    upstream.answers.send_replace(true);
    assert_eq!(waits.await.unwrap(), "200 upstream");
    for call in calls {
        let lines = call.await.unwrap();
        assert_eq!(lines.matches("200 upstream").count(), 16, "{lines}");
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_make_way() {
    // As many as a task may have open, all idle, and one host more.
    let mut upstreams = Vec::new();
    for _ in 0..256 / TOGETHER + 1 {
        upstreams.push(Upstream::start().await);
    }
    let rules: Vec<String> = upstreams.iter().map(Upstream::rule).collect();
    let (task, _) = Bench::new()
        .http(|spec| spec.egress = rules.iter().map(|rule| rule.parse().unwrap()).collect())
        .await;
    let (last, others) = rules.split_last().unwrap();
    for rule in others {
        let path = format!("/fetch?url={rule}/together&n={TOGETHER}");
        let (_, body) = text(&task, &path).await;
        assert_eq!(body.matches("200").count(), TOGETHER, "{body}");
    }
    // One is asked all the while: nothing lets its connection go but that others need the place.
    let used = format!("/fetch?url={}/", others[0]);
    let path = format!("/fetch?url={last}/");
    let mut waiting = std::pin::pin!(text(&task, &path));
    let (_, body) = loop {
        tokio::select! {
            answer = &mut waiting => break answer,
            _ = text(&task, &used) => {}
        }
    };
    assert!(body.contains("200"), "{body}");
    text(&task, &used).await;
    let connections = upstreams[0].connections.load(Ordering::SeqCst);
    assert!(connections > TOGETHER, "it kept its connection, and so its place");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_s_own_limit_covers_the_connection_to_its_end() {
    // It accepts, and never says a word of TLS.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rule = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let (task, log) = Bench::new()
        .http(|spec| spec.egress = vec![rule.parse().unwrap()])
        .await;
    let (_, body) = text(&task, &format!("/fetch?url={rule}/&connect_ms=200")).await;
    assert!(body.contains("ConnectionTimeout"), "{body}");
    assert!(log.contains("no connection within 200 ms"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cpu_of_connections_is_the_task_s() {
    let upstream = Upstream::start().await;
    let rule = upstream.rule();
    let (task, _) = Bench::new()
        .http(|spec| spec.egress = vec![rule.parse().unwrap()])
        .await;
    let before = task.usage().cpu;
    let response = get(&task, &format!("/fetch?url={rule}/&n=50")).await.unwrap();
    let usage = response.extensions().get::<RequestUsage>().unwrap().clone();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(String::from_utf8_lossy(&body).matches("200").count(), 50);
    task.idle().await;
    // What the guest itself used is the request's; the rest is what its connections did.
    let (all, guests) = (task.usage().cpu - before, usage.cpu());
    assert!(all > guests, "{all:?} of which the guest {guests:?}");
}
