//! What operations read of the store: no more, however many services there are.

use std::sync::Mutex as Locked;

use serde_json::json;

use super::*;
use crate::model::keys;
use crate::store::{Entry, Listing, Store, StoreError, StoreRevision, Transaction, Watch, WatchError};

/// A store that remembers what was listed of it.
#[derive(Debug)]
struct Remembering {
    store: SharedStore,
    listed: Locked<Vec<String>>,
}

#[async_trait::async_trait]
impl Store for Remembering {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        self.store.get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Listing, StoreError> {
        let listing = self.store.list(prefix).await?;
        // The loop compares all services with what it knows once a minute, whatever happens.
        if prefix != keys::SERVICES {
            let read = listing.entries.iter().map(|entry| entry.key.clone());
            self.listed.lock().unwrap().extend(read);
        }
        Ok(listing)
    }

    async fn count(&self, prefix: &str) -> Result<usize, StoreError> {
        self.store.count(prefix).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<StoreRevision, StoreError> {
        self.store.commit(transaction).await
    }

    fn watch(&self, prefix: &str, from: StoreRevision) -> Result<Watch, WatchError> {
        self.store.watch(prefix, from)
    }
}

#[tokio::test]
async fn a_deploy_reads_nothing_of_other_services() {
    let store = Arc::new(Remembering {
        store: crate::store::tests::memory(),
        listed: Locked::default(),
    });
    let harbour = Harbour::over(store.clone()).await;
    for other in ["other-1", "other-2", "other-3"] {
        let manifest = json!({"name": other, "task": {}});
        let deployed = harbour.deploy("one", manifest).await.unwrap();
        harbour.ended(deployed).await;
    }
    let first = harbour
        .deploy("one", json!({"name": "api", "task": {}}))
        .await
        .unwrap();
    harbour.ended(first).await;
    store.listed.lock().unwrap().clear();
    // A new revision, the same again; each is followed to its end.
    for content in ["two", "two"] {
        let deployed = harbour
            .deploy(content, json!({"name": "api", "task": {}}))
            .await
            .unwrap();
        harbour.ended(deployed).await;
    }
    let listed = store.listed.lock().unwrap().clone();
    assert!(
        listed.iter().any(|key| key.contains("/api/")),
        "its own are listed: {listed:?}"
    );
    let others: Vec<&String> = listed.iter().filter(|key| key.contains("other-")).collect();
    assert_eq!(others, Vec::<&String>::new());
}

#[tokio::test]
async fn a_deployment_is_found_by_its_id_for_as_long_as_it_is_known() {
    let harbour = Harbour::open().await;
    let first = harbour
        .deploy("one", json!({"name": "api", "task": {}}))
        .await
        .unwrap();
    let first = harbour.ended(first).await;
    let find = async |id: &crate::model::DeploymentId| {
        let found = harbour.orchestrator.find_deployment(&harbour.namespace, id).await;
        found.map(|found| found.id)
    };
    assert_eq!(find(&first.id).await.unwrap(), first.id);
    for env in 0..DEPLOYMENTS_KEPT + 2 {
        let manifest = json!({"name": "api", "task": {"env": {"A": env.to_string()}}});
        let next = harbour.deploy("one", manifest).await.unwrap();
        harbour.ended(next).await;
    }
    refused(find(&first.id).await, "DeploymentNotFound");
    let whose = keys::deployment_services(&harbour.namespace);
    let kept = harbour
        .orchestrator
        .store
        .count(&keys::deployments(&harbour.namespace))
        .await
        .unwrap();
    assert_eq!(harbour.orchestrator.store.count(&whose).await.unwrap(), kept);
}
