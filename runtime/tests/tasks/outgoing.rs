//! Outgoing requests: the egress list, the pool, redirects left to the guest.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use crate::support::{Bench, text};

/// A server on loopback that counts its connections and requests.
struct Upstream {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Upstream {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let answer = service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                    let redirect = request.uri().path() == "/redirect";
                    let mut response = http::Response::new(Full::new(Bytes::from("upstream")));
                    if redirect {
                        *response.status_mut() = http::StatusCode::FOUND;
                        response
                            .headers_mut()
                            .insert("location", "http://10.0.0.1/".parse().unwrap());
                    }
                    Ok::<_, std::convert::Infallible>(response)
                });
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), answer));
            }
        });
        Self { port, connections }
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
