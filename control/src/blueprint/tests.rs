//! A blueprint is made once of each write of its definition.

use super::*;
use crate::model::World;
use crate::names::Digest;
use crate::store::Transaction;

/// Writes `api:1`, whose tasks have this much CPU.
async fn define(store: &SharedStore, cpu: u32) -> FamilyRevision {
    define_with(store, cpu, serde_json::json!([])).await
}

/// The same with routes.
async fn define_with(store: &SharedStore, cpu: u32, routes: serde_json::Value) -> FamilyRevision {
    let namespace = NamespaceName::default_namespace();
    let digest = Digest::from_sha256([1; 32]);
    let bundle = Bundle {
        digest: digest.clone(),
        component: digest.clone(),
        world: World::Http,
        least_memory: wharf_runtime::Bytes::mib(1),
        mounts: Vec::new(),
    };
    let id: FamilyRevision = "api:1".parse().unwrap();
    let definition = Definition {
        id: id.clone(),
        bundle: digest.clone(),
        world: World::Http,
        content: digest.clone(),
        manifest: serde_json::json!({"name": "api", "task": {"component": digest.as_str(), "cpu": cpu}, "route": routes}),
        registered_at: Timestamp::UNIX_EPOCH,
    };
    let written = Transaction::new()
        .put(keys::bundle(&namespace, &digest), bundle.encode())
        .put(keys::definition(&namespace, &id), definition.encode());
    store.commit(written).await.unwrap();
    id
}

#[tokio::test]
async fn who_asks_again_gets_the_same_one() {
    let store = crate::store::tests::memory();
    let (blueprints, namespace) = (Blueprints::new(store.clone()), NamespaceName::default_namespace());
    let id = define(&store, 64).await;
    let first = blueprints.load(&namespace, &id).await.unwrap();
    let again = blueprints.load(&namespace, &id).await.unwrap();
    assert!(Arc::ptr_eq(&first, &again));
}

#[tokio::test]
async fn a_route_that_makes_no_sense_any_more_keeps_no_service_down() {
    let store = crate::store::tests::memory();
    let (blueprints, namespace) = (Blueprints::new(store.clone()), NamespaceName::default_namespace());
    let routes = serde_json::json!([{"path": ["/a"]}, {"path_regex": ["("]}]);
    let id = define_with(&store, 64, routes).await;
    let blueprint = blueprints.load(&namespace, &id).await.unwrap();
    let service = blueprint.service().unwrap();
    assert_eq!((service.routes.len(), service.unusable_routes.len()), (1, 1));
}

#[tokio::test]
async fn a_family_that_was_deleted_and_defined_anew_is_another() {
    let store = crate::store::tests::memory();
    let (blueprints, namespace) = (Blueprints::new(store.clone()), NamespaceName::default_namespace());
    let id = define(&store, 64).await;
    let old = blueprints.load(&namespace, &id).await.unwrap();
    let prefix = keys::family(&namespace, &id.family);
    store
        .commit(Transaction::new().delete_prefix(prefix))
        .await
        .unwrap();
    let gone = blueprints.load(&namespace, &id).await;
    assert!(matches!(gone, Err(BlueprintError::NoDefinition { .. })));
    define(&store, 128).await;
    let new = blueprints.load(&namespace, &id).await.unwrap();
    let cpu = |blueprint: &Blueprint| blueprint.manifest.task.cpu.get();
    assert_eq!((cpu(&old), cpu(&new)), (64, 128));
}
