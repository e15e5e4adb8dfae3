//! Who starts while a secret is being written.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;

use super::*;
use crate::store::{Entry, Listing, Store, StoreRevision, Watch, WatchError};

/// A store whose commits wait until they are let through, once that is asked for.
#[derive(Debug)]
struct Gated {
    store: SharedStore,
    is_shut: AtomicBool,
    gate: Semaphore,
    /// Commits that came to the gate.
    came: Semaphore,
}

#[async_trait::async_trait]
impl Store for Gated {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        self.store.get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Listing, StoreError> {
        self.store.list(prefix).await
    }

    async fn count(&self, prefix: &str) -> Result<usize, StoreError> {
        self.store.count(prefix).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<StoreRevision, StoreError> {
        if self.is_shut.load(Ordering::SeqCst) {
            self.came.add_permits(1);
            self.gate.acquire().await.unwrap().forget();
        }
        self.store.commit(transaction).await
    }

    fn watch(&self, prefix: &str, from: StoreRevision) -> Result<Watch, WatchError> {
        self.store.watch(prefix, from)
    }
}

#[tokio::test]
async fn who_starts_waits_for_no_write_and_misses_none() {
    let store = Arc::new(Gated {
        store: memory(),
        is_shut: AtomicBool::new(false),
        gate: Semaphore::new(0),
        came: Semaphore::new(0),
    });
    let directory = tempfile::tempdir().unwrap();
    let source = MasterKeySource::DataDirectory(directory.path().to_owned());
    let secrets = Arc::new(Secrets::open(store.clone(), &source).await.unwrap());
    set(&secrets, "key", "one").await.unwrap();
    store.is_shut.store(true, Ordering::SeqCst);
    let writing = tokio::spawn({
        let secrets = secrets.clone();
        async move { set(&secrets, "key", "two").await.map(drop) }
    });
    store.came.acquire().await.unwrap().forget();
    let held = tokio::time::timeout(std::time::Duration::from_secs(30), hold(&secrets, "key"));
    let held = held.await.expect("the disk is not waited for").unwrap();
    assert_eq!(now(&held), "one");
    store.gate.add_permits(1);
    writing.await.unwrap().unwrap();
    assert_eq!(now(&held), "two");
}
