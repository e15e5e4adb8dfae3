//! The API over real sockets.

pub(crate) mod client;
mod refusals;
mod tenancy;
mod unusable;

use super::*;

/// The checked-in description is the one the routes generate. `WHARF_WRITE_OPENAPI=1` writes it.
#[test]
fn the_description_is_checked_in() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let generated = description();
    if std::env::var_os("WHARF_WRITE_OPENAPI").is_some() {
        std::fs::write(path, &generated).unwrap();
    }
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        checked_in == generated,
        "control/openapi.json is not what the routes are: run \
         `WHARF_WRITE_OPENAPI=1 cargo test -p wharf-control description` and look at the difference"
    );
}

#[test]
fn every_route_is_described_with_its_namespace_and_answers() {
    let description = serde_json::to_value(openapi()).unwrap();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().map_or(0, Vec::len);
            assert!(
                parameters >= path.matches('{').count(),
                "{method} {path} has parameters undescribed"
            );
            assert!(
                operation["responses"].as_object().is_some_and(|r| !r.is_empty()),
                "{method} {path}"
            );
            assert!(operation["summary"].is_string(), "{method} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_served_to_whoever_asks() {
    let directory = tempfile::tempdir().unwrap();
    let server = client::Running::start(directory.path()).await;
    let answer = server.call("GET", "/v1/openapi.json", None, b"").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(
        answer.head.contains("content-type: application/json"),
        "{}",
        answer.head
    );
    let checked_in = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json"));
    assert!(
        answer.body == checked_in.unwrap(),
        "what is served is not control/openapi.json"
    );
    let paths = &answer.json()["paths"];
    // An empty requirement beside the document's own: no token.
    assert_eq!(
        paths["/v1/openapi.json"]["get"]["security"],
        serde_json::json!([{}])
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn what_was_begun_is_seen_through_when_its_client_goes_away() {
    use tower_service::Service as _;
    let (gate, ended) = (
        Arc::new(tokio::sync::Notify::new()),
        Arc::new(tokio::sync::Notify::new()),
    );
    let (opened, done) = (gate.clone(), ended.clone());
    let begin = axum::routing::post(move || {
        let (gate, ended) = (opened.clone(), done.clone());
        async move {
            gate.notified().await;
            ended.notify_one();
        }
    });
    let mut router = Router::<()>::new()
        .route("/", begin)
        .layer(axum::middleware::from_fn(see_through));
    let request = http::Request::post("/").body(axum::body::Body::empty()).unwrap();
    let mut asked = Box::pin(router.call(request));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(asked.as_mut().poll(&mut context).is_pending());
    drop(asked);
    gate.notify_one();
    tokio::time::timeout(std::time::Duration::from_secs(60), ended.notified())
        .await
        .expect("what was begun ends");
}
