//! Bad input: each is refused with its status, in the one shape, saying where.

use sha2::{Digest as _, Sha256};

use super::client::Running;
use crate::names::Digest;

fn digest_of(bytes: &[u8]) -> Digest {
    Digest::from_sha256(Sha256::digest(bytes).into())
}

/// Method, path (`~` is the default namespace's), body; status and code.
const CASES: &[(&str, &str, &str, u16, &str)] = &[
    (
        "POST",
        "/v1/namespaces",
        r#"{"name": "No Good"}"#,
        400,
        "InvalidName",
    ),
    ("POST", "/v1/namespaces", "{", 400, "InvalidBody"),
    ("POST", "/v1/namespaces", r#"{"nome": "x"}"#, 422, "InvalidBody"),
    ("GET", "/v1/nonsense", "", 404, "RouteNotFound"),
    ("DELETE", "/v1/namespaces", "", 405, "MethodNotAllowed"),
    ("GET", "~services/nope", "", 404, "ServiceNotFound"),
    ("GET", "~services/No%20Good", "", 400, "InvalidName"),
    (
        "PATCH",
        "~services/nope",
        r#"{"desiredCount": 2}"#,
        404,
        "ServiceNotFound",
    ),
    (
        "PATCH",
        "~services/nope",
        r#"{"desiredCount": 5001}"#,
        422,
        "LimitExceeded",
    ),
    ("DELETE", "~services/nope", "", 404, "ServiceNotFound"),
    ("GET", "~deployments/nope", "", 404, "DeploymentNotFound"),
    ("GET", "~deployments/nope?follow=maybe", "", 400, "InvalidQuery"),
    ("GET", "~tasks/a", "", 404, "TaskNotFound"),
    ("GET", "~tasks/abcdef", "", 404, "TaskNotFound"),
    ("POST", "~tasks/abcdef/stop", "{}", 404, "TaskNotFound"),
    ("GET", "~tasks?status=dead", "", 400, "InvalidQuery"),
    ("GET", "~logs/nope", "", 404, "ServiceNotFound"),
    ("GET", "~task-definitions/nope", "", 404, "TaskDefinitionNotFound"),
    ("GET", "~jobs/nope", "", 404, "JobNotFound"),
    ("DELETE", "~jobs/nope", "", 404, "JobNotFound"),
    (
        "PATCH",
        "~jobs/nope",
        r#"{"status": "PAUSED"}"#,
        404,
        "JobNotFound",
    ),
    ("PATCH", "~jobs/nope", r#"{"status": "OFF"}"#, 422, "InvalidBody"),
    ("GET", "~jobs/nope/runs/1", "", 404, "JobNotFound"),
    ("GET", "~jobs/nope/runs/one", "", 400, "InvalidName"),
    ("POST", "~jobs/nope/runs/1/cancel", "{}", 404, "JobNotFound"),
    (
        "PUT",
        "~jobs/nope",
        r#"{"bundle": "sha256:short", "manifest": {"name": "other"}}"#,
        422,
        "NameMismatch",
    ),
    ("POST", "~runs", "{}", 400, "InvalidBody"),
    (
        "POST",
        "~runs",
        r#"{"taskDefinition": "nope"}"#,
        404,
        "TaskDefinitionNotFound",
    ),
    (
        "POST",
        "~bundles",
        r#"{"component": "sha256:short"}"#,
        422,
        "InvalidDigest",
    ),
    (
        "PUT",
        "~secrets/a",
        r#"{"valueBase64": "?"}"#,
        422,
        "InvalidSecret",
    ),
    (
        "PUT",
        "~secrets/a",
        r#"{"valueBase64": "/w=="}"#,
        422,
        "InvalidSecret",
    ),
    (
        "PUT",
        "~secrets/A",
        r#"{"valueBase64": "eA=="}"#,
        400,
        "InvalidName",
    ),
    ("DELETE", "~secrets/a", "", 404, "SecretNotFound"),
    ("DELETE", "~tokens/nope", "", 404, "TokenNotFound"),
    ("POST", "~routes/test", r#"{"host": "a b"}"#, 422, "InvalidSample"),
    (
        "POST",
        "~routes/test",
        r#"{"host": "me@a.test"}"#,
        422,
        "InvalidSample",
    ),
    ("POST", "~routes/test", r#"{"path": "up"}"#, 422, "InvalidSample"),
];

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_say_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::start(directory.path()).await;
    for (method, path, body, status, code) in CASES {
        let path = path.replace('~', "/v1/namespaces/default/");
        let answer = server.admin(method, &path, body).await;
        assert_eq!(answer.status, *status, "{method} {path} {body}: {}", answer.body);
        answer.refuses(*status, code);
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_manifest_is_refused_with_its_place_and_a_hint() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::start(directory.path()).await;
    let digest = digest_of(b"x");
    let good = serde_json::json!({
        "bundle": digest.as_str(), "manifest": {"name": "api", "task": {"component": digest.as_str()}},
    });
    let path = "/v1/namespaces/default/deployments";
    server
        .admin("POST", path, &good.to_string())
        .await
        .refuses(422, "BundleNotFound");
    let mut bad = good.clone();
    bad["manifest"]["task"]["memry"] = "64MiB".into();
    let refused = server.admin("POST", path, &bad.to_string()).await;
    refused.refuses(422, "InvalidManifest");
    let error = refused.json()["error"].clone();
    assert_eq!(error["field"], "task.memry");
    assert_eq!(error["hint"], "did you mean `memory`?");
    bad["manifest"]["task"]["cpu"] = 0.into();
    let both = server.admin("POST", path, &bad.to_string()).await;
    assert!(
        both.body.contains("memry") && both.body.contains("cpu"),
        "all at once: {}",
        both.body
    );
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_are_what_they_are_said_to_be() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::start(directory.path()).await;
    let path = format!("/v1/namespaces/default/blobs/{}", digest_of(b"some bytes"));
    assert_eq!(server.admin("HEAD", &path, "").await.status, 404);
    server
        .admin("PUT", &path, "other bytes")
        .await
        .refuses(422, "DigestMismatch");
    assert_eq!(server.admin("PUT", &path, "some bytes").await.status, 201);
    assert_eq!(server.admin("PUT", &path, "some bytes").await.status, 200);
    assert_eq!(server.admin("HEAD", &path, "").await.status, 200);
    let bundle = format!(r#"{{"component": "{}"}}"#, digest_of(b"absent"));
    let answer = server
        .admin("POST", "/v1/namespaces/default/bundles", &bundle)
        .await;
    answer.refuses(422, "BlobNotFound");
    let mounted = format!(
        r#"{{"component": "{0}", "files": [{{"mount": "/data", "entries": [{{"path": "../up", "digest": "{0}"}}]}}]}}"#,
        digest_of(b"some bytes")
    );
    let answer = server
        .admin("POST", "/v1/namespaces/default/bundles", &mounted)
        .await;
    answer.refuses(422, "InvalidBundle");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_413() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::start(directory.path()).await;
    let large = format!(r#"{{"name": "{}"}}"#, "x".repeat(crate::api::MAX_JSON_BODY));
    server
        .admin("POST", "/v1/namespaces", &large)
        .await
        .refuses(413, "BodyTooLarge");
    server.stop().await.unwrap();
}
