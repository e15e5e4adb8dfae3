//! Routes of the store's that make no sense to this version: left out and shown, and everything else is served.

use std::path::Path;

use jiff::Timestamp;
use serde_json::json;

use super::client::Running;
use crate::model::stored::Record as _;
use crate::model::{Applied, keys};
use crate::names::NamespaceName;
use crate::store::{Store as _, Transaction};

/// Writes routes as another version would have, which took expressions that this one doesn't.
async fn write(data: &Path, routes: &[(&str, serde_json::Value)]) {
    let store = crate::store::tests::open(data).unwrap();
    let namespace = NamespaceName::default_namespace();
    let mut transaction = Transaction::new();
    for (name, definition) in routes {
        let applied = Applied {
            definition: definition.clone(),
            applied_at: Timestamp::now(),
        };
        transaction = transaction.put(keys::route(&namespace, &name.parse().unwrap()), applied.encode());
    }
    store.commit(transaction).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_whose_expression_does_not_compile_any_more_is_left_out_and_shown() {
    let directory = tempfile::tempdir().unwrap();
    let good = json!({"name": "good", "path": ["/good"], "fixed": {"status": 418}});
    let bad = json!({"name": "bad", "priority": 7, "path_regex": ["(?=x)"], "fixed": {"status": 404}});
    write(directory.path(), &[("bad", bad.clone()), ("good", good)]).await;
    let server = Running::start(directory.path()).await;
    let routes = "/v1/namespaces/default/routes";
    let list = server.admin("GET", routes, "").await.json();
    let names: Vec<&str> = list["routes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|route| route["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["good", "bad"], "{list}");
    assert_eq!(list["routes"][0]["error"], json!(null), "it is in force");
    let shown = server.admin("GET", &format!("{routes}/bad"), "").await.json();
    assert_eq!(shown, list["routes"][1]);
    let error = shown["error"].as_str().unwrap();
    assert!(error.contains("path_regex") && error.contains("(?=x)"), "{error}");
    assert_eq!((&shown["priority"], &shown["definition"]), (&json!(7), &bad));
    assert_eq!(shown["action"], "answer 404");
    // It is there to be changed, or to be deleted.
    let mended = json!({"path_regex": ["x"], "fixed": {"status": 404}}).to_string();
    let answer = server.admin("PUT", &format!("{routes}/bad"), &mended).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let shown = server.admin("GET", &format!("{routes}/bad"), "").await.json();
    assert_eq!(shown["error"], json!(null), "{shown}");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_is_left_out_can_be_deleted() {
    let directory = tempfile::tempdir().unwrap();
    write(
        directory.path(),
        &[("bad", json!({"name": "bad", "path_regex": ["("]}))],
    )
    .await;
    let server = Running::start(directory.path()).await;
    let routes = "/v1/namespaces/default/routes";
    let deleted = server.admin("DELETE", &format!("{routes}/bad"), "").await;
    assert_eq!(deleted.status, 204, "{}", deleted.body);
    let list = server.admin("GET", routes, "").await.json();
    assert_eq!(list["routes"], json!([]));
    server.stop().await.unwrap();
}
