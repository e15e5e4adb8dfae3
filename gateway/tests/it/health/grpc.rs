//! Checks of gRPC servers, whose codes decide.

use super::*;

/// ALB: `/AWS.ALB/healthcheck`, which nobody implements, answered 12.
#[tokio::test]
async fn grpc_targets_are_checked_by_a_call() {
    let answering = |code: &'static str| async move {
        Outside::http(move |request| async move {
            assert_eq!(request.uri().path(), "/AWS.ALB/healthcheck");
            assert_eq!(request.method(), http::Method::POST);
            assert_eq!(request.headers()["content-type"], "application/grpc");
            let mut response = text("");
            response
                .headers_mut()
                .insert("grpc-status", code.parse().unwrap());
            response
        })
        .await
    };
    let grpc = HealthSpec {
        interval: Duration::from_millis(5),
        unhealthy: 1.try_into().unwrap(),
        ..HealthSpec::outside_grpc()
    };
    for (code, state) in [("12", "healthy"), ("14", "unhealthy")] {
        let server = answering(code).await;
        let rig = Rig::new();
        rig.check(grpc.clone());
        let health = rig.register_any("grpc", server.speaking(UpstreamVersion::Grpc));
        seen("the verdict", health.clone(), |health| health.state() == state).await;
        if state == "unhealthy" {
            let reason = health.borrow().reason().unwrap();
            assert_eq!(reason, HealthReason::ResponseCodeMismatch(14));
        }
    }
}

/// Trailers decide, and they come last.
#[tokio::test]
async fn a_grpc_status_has_to_come_within_what_is_read() {
    for (bytes, verdict) in [(64 * 1024, "healthy"), (64 * 1024 + 1, "unhealthy")] {
        let server = Outside::http(move |_| async move {
            let message = Frame::data(Bytes::from(vec![0; bytes]));
            let trailers =
                http::HeaderMap::from_iter([("grpc-status".parse().unwrap(), "12".parse().unwrap())]);
            let frames = [message, Frame::trailers(trailers)].map(Ok);
            http::Response::new(StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync())
        })
        .await;
        let rig = Rig::new();
        rig.check(HealthSpec {
            interval: Duration::from_millis(5),
            unhealthy: 1.try_into().unwrap(),
            ..HealthSpec::outside_grpc()
        });
        let mut health = rig.register_any("grpc", server.speaking(UpstreamVersion::Grpc));
        within("the verdict", health.changed()).await.unwrap();
        let health = health.borrow().clone();
        assert_eq!(health.state(), verdict, "{bytes}: {health}");
        if verdict == "unhealthy" {
            assert!(health.to_string().contains("no grpc-status"), "{health}");
        }
    }
}
