//! Namespaces and tokens: who sees what.

use super::client::Running;

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_or_missing_token_is_401() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::start(directory.path()).await;
    let missing = server.call("GET", "/v1/namespaces", None, b"").await;
    missing.refuses(401, "MissingToken");
    assert!(
        missing.head.contains("www-authenticate: bearer"),
        "{}",
        missing.head
    );
    for token in ["wharf_wrong", "", "é"] {
        let wrong = server
            .call("GET", "/v1/namespaces/default/services", Some(token), b"")
            .await;
        assert_eq!(wrong.status, 401, "{token}: {}", wrong.body);
    }
    for probe in ["/healthz", "/readyz"] {
        assert_eq!(server.call("GET", probe, None, b"").await.status, 200, "{probe}");
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_its_namespace_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::start(directory.path()).await;
    for name in ["red", "blue"] {
        let body = format!(r#"{{"name": "{name}"}}"#);
        assert_eq!(server.admin("POST", "/v1/namespaces", &body).await.status, 201);
    }
    let created = server
        .admin("POST", "/v1/namespaces/red/tokens", r#"{"description": "ci"}"#)
        .await;
    assert_eq!(created.status, 201, "{}", created.body);
    let created = created.json();
    let token = created["token"].as_str();

    let own = server
        .call("GET", "/v1/namespaces/red/services", token, b"")
        .await;
    assert_eq!((own.status, own.body.as_str()), (200, r#"{"services":[]}"#));
    let foreign = server
        .call("GET", "/v1/namespaces/blue/services", token, b"")
        .await;
    foreign.refuses(404, "NamespaceNotFound");
    let absent = server
        .call("GET", "/v1/namespaces/green/services", token, b"")
        .await;
    assert_eq!(
        foreign.body.replace("blue", "green"),
        absent.body,
        "one can't be told from the other"
    );

    let seen = server.call("GET", "/v1/namespaces", token, b"").await.json();
    assert_eq!(seen["namespaces"].as_array().unwrap().len(), 1);
    let more = server
        .call("POST", "/v1/namespaces/red/tokens", token, b"{}")
        .await;
    more.refuses(403, "AccessDenied");
    server
        .call("DELETE", "/v1/namespaces/blue", token, b"")
        .await
        .refuses(404, "NamespaceNotFound");
    server
        .call("DELETE", "/v1/namespaces/red", token, b"")
        .await
        .refuses(403, "AccessDenied");

    let listed = server.admin("GET", "/v1/namespaces/red/tokens", "").await;
    assert_eq!(listed.json()["tokens"][0]["description"], "ci");
    assert!(!listed.body.contains(token.unwrap()), "a token is shown once");
    let path = format!("/v1/namespaces/red/tokens/{}", created["id"].as_str().unwrap());
    assert_eq!(server.admin("DELETE", &path, "").await.status, 204);
    let revoked = server
        .call("GET", "/v1/namespaces/red/services", token, b"")
        .await;
    revoked.refuses(401, "InvalidToken");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_with_something_in_it_is_not_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::start(directory.path()).await;
    server.admin("POST", "/v1/namespaces", r#"{"name": "red"}"#).await;
    let again = server.admin("POST", "/v1/namespaces", r#"{"name": "red"}"#).await;
    again.refuses(409, "NamespaceExists");
    let set = server
        .admin(
            "PUT",
            "/v1/namespaces/red/secrets/prod%2Fkey",
            r#"{"valueBase64": "aHVzaA=="}"#,
        )
        .await;
    assert_eq!(set.status, 200, "{}", set.body);
    assert_eq!(set.json()["name"], "prod/key");
    let kept = server.admin("DELETE", "/v1/namespaces/red", "").await;
    kept.refuses(409, "NamespaceInUse");
    assert!(kept.body.contains("secret `prod/key`"), "{}", kept.body);
    let listed = server.admin("GET", "/v1/namespaces/red/secrets", "").await;
    assert_eq!(listed.json()["secrets"][0]["version"], 1);
    assert!(
        !listed.body.contains("hush") && !listed.body.contains("aHVzaA"),
        "{}",
        listed.body
    );
    assert_eq!(
        server
            .admin("DELETE", "/v1/namespaces/red/secrets/prod%2Fkey", "")
            .await
            .status,
        204
    );
    assert_eq!(server.admin("DELETE", "/v1/namespaces/red", "").await.status, 204);
    server
        .admin("GET", "/v1/namespaces/red/services", "")
        .await
        .refuses(404, "NamespaceNotFound");
    server
        .admin("DELETE", "/v1/namespaces/default", "")
        .await
        .refuses(409, "NamespaceInUse");
    server.stop().await.unwrap();
}
