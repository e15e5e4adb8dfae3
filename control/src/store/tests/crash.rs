//! Crashes and failing disks.

use proptest::prelude::*;

use super::super::database::open_database;
use super::disk::FaultyDisk;
use super::*;

impl FaultyDisk {
    fn open(&self) -> Result<RedbStore, StoreError> {
        let disk = self.clone();
        RedbStore::start(
            Box::new(move || open_database(disk.clone())),
            None,
            FORMAT,
            UPGRADES,
        )
    }
}

async fn fill(store: &RedbStore, count: usize, size: usize) -> (usize, Option<StoreError>) {
    for index in 0..count {
        let written = store
            .put_if(
                &format!("fill/{index:05}"),
                Expect::Any,
                Bytes::from(vec![7; size]),
            )
            .await;
        if let Err(error) = written {
            return (index, Some(error));
        }
    }
    (count, None)
}

#[tokio::test]
async fn a_full_disk_refuses_the_write_and_nothing_else() {
    let disk = FaultyDisk::new();
    let store = disk.open().unwrap();
    store.put_if("a", Expect::Absent, value("1")).await.unwrap();
    disk.fill();

    let (written, refused) = fill(&store, 1000, 100_000).await;
    assert!(matches!(refused, Some(StoreError::DiskFull)), "{refused:?}");
    // Reads go on, and so do writes that fit.
    assert_eq!(text(&store, "a").await.unwrap(), "1");
    assert_eq!(store.list("fill/").await.unwrap().entries.len(), written);
    store.put_if("b", Expect::Absent, value("2")).await.unwrap();

    // And everything again, once there is space.
    disk.free();
    let (written, refused) = fill(&store, 50, 100_000).await;
    assert_eq!((written, refused.is_none()), (50, true));
    drop(store);
    let store = disk.open().unwrap();
    assert_eq!(text(&store, "b").await.unwrap(), "2");
    assert_eq!(store.list("fill/").await.unwrap().entries.len(), 50);
}

/// A commit can fail in its last step and still have reached the disk. Whichever it was, the answer, the
/// store and what watchers see agree.
#[tokio::test]
async fn a_failed_sync_is_answered_with_what_is_in_the_store() {
    for succeeding in 0..4 {
        let disk = FaultyDisk::new();
        let store = disk.open().unwrap();
        let first = store.put_if("a", Expect::Absent, value("old")).await.unwrap();
        let mut watch = store.watch("", first.next()).unwrap();
        *disk.syncs.lock().unwrap() = (succeeding, 1);
        let answer = store.put_if("a", Expect::Revision(first), value("new")).await;
        disk.free();

        let found = store.get("a").await.unwrap().unwrap();
        let wanted = if answer.is_ok() { "new" } else { "old" };
        assert_eq!(found.value, wanted.as_bytes(), "{answer:?}");
        let probe = store.put_if("probe", Expect::Any, value("x")).await.unwrap();
        assert!(probe > found.revision);
        let mut seen: Vec<Change> = Vec::new();
        while seen.last().is_none_or(|change| change.key() != "probe") {
            seen.extend(watch.next().await.unwrap());
        }
        assert_eq!(seen.len(), if answer.is_ok() { 2 } else { 1 });
    }
}

/// While the disk doesn't answer at all, nothing is acknowledged; when it does again, the store goes on
/// from what is in it, and no number is given twice.
#[tokio::test]
async fn a_disk_that_comes_back_is_taken_as_it_is() {
    let disk = FaultyDisk::new();
    let store = disk.open().unwrap();
    let first = store.put_if("a", Expect::Absent, value("old")).await.unwrap();
    let mut watch = store.watch("", first.next()).unwrap();
    disk.refuse_everything();
    for _ in 0..2 {
        let refused = store.put_if("a", Expect::Any, value("new")).await.unwrap_err();
        assert!(matches!(refused, StoreError::Io(_)), "{refused:?}");
    }
    assert!(matches!(store.get("a").await, Err(StoreError::Unavailable)));
    disk.free();

    let probe = store.put_if("probe", Expect::Any, value("x")).await.unwrap();
    let found = store.get("a").await.unwrap().unwrap();
    assert!(probe > found.revision);
    // The refused write is in the store or not; a watcher sees it or is told to look.
    let in_store = found.value == "new".as_bytes();
    assert_eq!(in_store, found.revision > first);
    match watch.next().await {
        Ok(changes) => assert_eq!(changes.len(), if in_store { 2 } else { 1 }),
        Err(error) => assert_eq!(
            error,
            WatchError::Compacted {
                wanted: first.next(),
                oldest: probe
            }
        ),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// After a crash that let any subset of the unsynced writes through, everything acknowledged is there
    /// and nothing is half there.
    #[test]
    fn a_crash_loses_nothing_acknowledged(
        writes in proptest::collection::vec((0u8..8, 1usize..6000), 1..25),
        luck in proptest::collection::vec(any::<bool>(), 64),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let disk = FaultyDisk::new();
            let store = disk.open().unwrap();
            let mut acknowledged = std::collections::BTreeMap::new();
            for (number, (key, size)) in writes.into_iter().enumerate() {
                let content = Bytes::from(vec![number as u8; size]);
                let pair = format!("pair/{key}");
                let transaction = Transaction::new()
                    .put(format!("k/{key}"), content.clone())
                    .put(pair, content.clone());
                store.commit(transaction).await.unwrap();
                acknowledged.insert(format!("k/{key}"), content);

                let crashed = disk.after_crash(|index| luck[(index + number) % luck.len()]);
                let reopened = crashed.open().unwrap();
                for (key, content) in &acknowledged {
                    let found = reopened.get(key).await.unwrap().unwrap();
                    assert_eq!(&found.value, content);
                }
                let halves = reopened.list("pair/").await.unwrap().entries.len();
                assert_eq!(halves, reopened.list("k/").await.unwrap().entries.len());
            }
        });
    }
}

/// The crash in the middle of a commit: the process sees it refused, the next one sees all of it or none.
#[tokio::test]
async fn a_crash_in_the_middle_of_a_commit_leaves_all_or_nothing() {
    let disk = FaultyDisk::new();
    let store = disk.open().unwrap();
    store
        .commit(Transaction::new().put("a", "old").put("b", "old"))
        .await
        .unwrap();
    disk.refuse_everything();
    let _ = store
        .commit(Transaction::new().put("a", "new").put("b", "new"))
        .await;
    let unsynced = disk.disk.lock().unwrap().unsynced.len();
    assert!(unsynced > 1);
    for cut in 0..=unsynced {
        for torn in [false, true] {
            // A prefix of the writes, or everything but one of them.
            let crashed = disk.after_crash(|index| if torn { index != cut } else { index < cut });
            let reopened = crashed.open().unwrap();
            let a = text(&reopened, "a").await.unwrap();
            assert_eq!(text(&reopened, "b").await.unwrap(), a);
            assert!(a == "old" || a == "new");
        }
    }
}
