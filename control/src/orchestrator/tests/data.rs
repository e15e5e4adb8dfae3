//! What services keep: whose it is, and when it goes.

use serde_json::json;
use wharf_runtime::key_value::{Change, Expected, Write};

use super::*;
use crate::names::ServiceName;

async fn keep(harbour: &Harbour, namespace: &NamespaceName, name: &ServiceName) {
    let change = Change::Set {
        value: Bytes::from_static(b"kept"),
        ttl: None,
        expected: Expected::Any,
    };
    let write = Write {
        key: "k".to_owned(),
        change,
    };
    let data = harbour.orchestrator.data.of(namespace, name);
    data.write(vec![write]).await.unwrap();
}

fn has_data(harbour: &Harbour, name: &ServiceName) -> bool {
    let data = harbour.orchestrator.data.of(&harbour.namespace, name);
    data.get("k").unwrap().is_some()
}

#[tokio::test]
async fn whoever_is_new_begins_without_data() {
    let harbour = Harbour::open().await;
    let api: ServiceName = "api".parse().unwrap();
    // As a crash leaves it, between a service's record and its data.
    keep(&harbour, &harbour.namespace, &api).await;
    let deploy = |version: u32| {
        let env = json!({ "VERSION": version.to_string() });
        harbour.deploy("one", json!({"name": "api", "task": {"env": env}}))
    };
    deploy(1).await.unwrap();
    assert!(!has_data(&harbour, &api));
    keep(&harbour, &harbour.namespace, &api).await;
    deploy(2).await.unwrap();
    assert!(has_data(&harbour, &api));
}

#[tokio::test]
async fn data_that_is_nobody_s_goes_at_the_start() {
    let harbour = Harbour::open().await;
    let (api, gone): (ServiceName, ServiceName) = ("api".parse().unwrap(), "gone".parse().unwrap());
    harbour
        .deploy("one", json!({"name": "api", "task": {}}))
        .await
        .unwrap();
    for name in [&api, &gone] {
        keep(&harbour, &harbour.namespace, name).await;
    }
    harbour.orchestrator.sweep().await.unwrap();
    assert_eq!(*harbour.fake.forgotten.lock().unwrap(), [gone]);
}

#[tokio::test]
async fn a_namespace_s_data_goes_with_it() {
    let harbour = Harbour::open().await;
    let (name, team): (ServiceName, NamespaceName) = ("api".parse().unwrap(), "team".parse().unwrap());
    harbour.orchestrator.create_namespace(team.clone()).await.unwrap();
    for namespace in [&harbour.namespace, &team] {
        keep(&harbour, namespace, &name).await;
    }
    harbour.orchestrator.delete_namespace(&team).await.unwrap();
    let names = harbour.orchestrator.data.names().unwrap();
    assert_eq!(names, [(harbour.namespace.clone(), name)]);
}
