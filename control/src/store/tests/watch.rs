//! Watching: nothing is missed, and what can't be had is said.

use proptest::prelude::*;

use super::super::history::{History, MAX_CHANGES};
use super::*;

fn keys(changes: &[Change]) -> Vec<String> {
    changes.iter().map(|change| change.key().to_owned()).collect()
}

#[tokio::test]
async fn a_watch_from_a_listing_on_sees_every_later_change() {
    let store = memory();
    store.put_if("s/a", Expect::Any, value("1")).await.unwrap();
    let listing = store.list("s/").await.unwrap();
    let mut watch = store.watch("s/", listing.revision.next()).unwrap();
    store.put_if("other", Expect::Any, value("x")).await.unwrap();
    store
        .commit(Transaction::new().put("s/b", "2").put("s/c", "3"))
        .await
        .unwrap();
    store.delete_if("s/a", Expect::Present).await.unwrap();

    let mut seen = Vec::new();
    while seen.len() < 3 {
        seen.extend(watch.next().await.unwrap());
    }
    assert_eq!(keys(&seen), ["s/b", "s/c", "s/a"]);
    assert!(matches!(&seen[2], Change::Delete { .. }));
    assert_eq!(seen[0].revision(), seen[1].revision());
}

#[tokio::test]
async fn a_watch_waits_and_a_dropped_wait_loses_nothing() {
    let store = memory();
    let mut watch = store.watch("", StoreRevision(1)).unwrap();
    let waiting = tokio::time::timeout(std::time::Duration::from_millis(5), watch.next()).await;
    assert!(waiting.is_err());
    store.put_if("a", Expect::Any, value("1")).await.unwrap();
    assert_eq!(keys(&watch.next().await.unwrap()), ["a"]);
}

#[tokio::test]
async fn deleting_nothing_wakes_nobody_with_nothing() {
    let store = memory();
    let mut watch = store.watch("", StoreRevision(1)).unwrap();
    store.delete_if("absent", Expect::Any).await.unwrap();
    store.put_if("a", Expect::Any, value("1")).await.unwrap();
    assert_eq!(keys(&watch.next().await.unwrap()), ["a"]);
}

#[tokio::test]
async fn what_was_before_a_restart_is_compacted() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let revision = store.put_if("a", Expect::Any, value("1")).await.unwrap();
    drop(store);
    let store = open(directory.path()).unwrap();
    let compacted = store.watch("", revision).unwrap_err();
    assert_eq!(
        compacted,
        WatchError::Compacted {
            wanted: revision,
            oldest: revision.next()
        }
    );
    assert!(store.watch("", revision.next()).is_ok());
}

#[tokio::test]
async fn who_falls_behind_is_told() {
    let history = History::new(StoreRevision(0));
    let mut watch = history.watch("", StoreRevision(1)).unwrap();
    for number in 1..=MAX_CHANGES as u64 + 10 {
        let revision = StoreRevision(number);
        history.append(
            [Change::Delete {
                key: "k".to_owned(),
                revision,
            }],
            revision,
        );
    }
    let lost = watch.next().await.unwrap_err();
    assert_eq!(
        lost,
        WatchError::Compacted {
            wanted: StoreRevision(1),
            oldest: StoreRevision(11)
        }
    );
}

#[tokio::test]
async fn large_values_shorten_the_history() {
    let history = History::new(StoreRevision(0));
    let big = Bytes::from(vec![0; 1 << 20]);
    for number in 1..=20 {
        let revision = StoreRevision(number);
        let entry = Entry {
            key: "k".to_owned(),
            value: big.clone(),
            revision,
        };
        history.append([Change::Put(entry)], revision);
    }
    assert!(history.watch("", StoreRevision(1)).is_err());
    assert!(history.watch("", StoreRevision(15)).is_ok());
}

#[tokio::test]
async fn the_end_of_the_store_ends_a_watch() {
    let store = RedbStore::in_memory().unwrap();
    let mut watch = store.watch("", StoreRevision(1)).unwrap();
    drop(store);
    assert_eq!(watch.next().await.unwrap_err(), WatchError::Closed);
}

proptest! {
    /// Whatever is written, in whatever groups, a watcher sees the same changes in the same order, and
    /// what they come to is what a listing shows.
    #[test]
    fn replaying_a_watch_gives_the_listing(
        steps in proptest::collection::vec((0u8..6, any::<bool>(), any::<u8>()), 1..60)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = memory();
            let mut watch = store.watch("k/", StoreRevision(1)).unwrap();
            let mut newest = StoreRevision(0);
            for (key, delete, content) in steps {
                let key = format!("k/{key}");
                let transaction = if delete {
                    Transaction::new().delete(key)
                } else {
                    Transaction::new().put(key, vec![content])
                };
                newest = store.commit(transaction).await.unwrap();
            }
            newest = store.put_if("k/end", Expect::Any, Bytes::new()).await.unwrap().max(newest);
            let mut replayed = std::collections::BTreeMap::new();
            let mut last = StoreRevision(0);
            while last < newest {
                for change in watch.next().await.unwrap() {
                    assert!(change.revision() >= last);
                    last = change.revision();
                    match change {
                        Change::Put(entry) => { replayed.insert(entry.key.clone(), entry); }
                        Change::Delete { key, .. } => { replayed.remove(&key); }
                    }
                }
            }
            let listed = store.list("k/").await.unwrap().entries;
            assert_eq!(replayed.into_values().collect::<Vec<_>>(), listed);
        });
    }
}
