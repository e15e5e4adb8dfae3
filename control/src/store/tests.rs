//! The store's promises: conflicts are seen, what is acknowledged survives, watchers miss nothing unseen.

mod crash;
pub(crate) mod disk;
mod watch;

use std::sync::Arc;

use super::database::open_database;
use super::format::{FORMAT, UPGRADES, Upgrade};
use super::*;

/// A store in memory.
pub(crate) fn memory() -> SharedStore {
    Arc::new(RedbStore::in_memory().unwrap())
}

fn value(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

async fn text(store: &dyn Store, key: &str) -> Option<String> {
    store
        .get(key)
        .await
        .unwrap()
        .map(|entry| String::from_utf8(entry.value.to_vec()).unwrap())
}

#[tokio::test]
async fn writers_see_each_other() {
    let store = memory();
    let first = store.put_if("a", Expect::Absent, value("1")).await.unwrap();
    let conflict = store.put_if("a", Expect::Absent, value("2")).await.unwrap_err();
    assert!(
        matches!(conflict, StoreError::Conflict { ref key, found: Some(found), .. } if key == "a" && found == first)
    );
    let second = store
        .put_if("a", Expect::Revision(first), value("2"))
        .await
        .unwrap();
    assert!(second > first);
    assert!(
        store
            .put_if("a", Expect::Revision(first), value("3"))
            .await
            .is_err()
    );
    assert!(store.delete_if("a", Expect::Revision(first)).await.is_err());
    assert_eq!(text(&*store, "a").await.unwrap(), "2");
    store.delete_if("a", Expect::Revision(second)).await.unwrap();
    assert_eq!(store.get("a").await.unwrap(), None);
    assert!(store.put_if("a", Expect::Present, value("4")).await.is_err());
}

#[tokio::test]
async fn a_transaction_is_all_or_nothing() {
    let store = memory();
    store.put_if("a", Expect::Any, value("1")).await.unwrap();
    let refused = Transaction::new()
        .put("b", "2")
        .delete("a")
        .expect("c", Expect::Present);
    assert!(matches!(store.commit(refused).await, Err(StoreError::Conflict { key, .. }) if key == "c"));
    assert_eq!(text(&*store, "a").await.unwrap(), "1");
    assert_eq!(store.get("b").await.unwrap(), None);

    let taken = Transaction::new()
        .expect("a", Expect::Present)
        .put("b", "2")
        .delete("a");
    let revision = store.commit(taken).await.unwrap();
    assert_eq!(store.get("b").await.unwrap().unwrap().revision, revision);
    assert_eq!(store.get("a").await.unwrap(), None);
}

#[tokio::test]
async fn listing_is_by_prefix_and_sorted() {
    let store = memory();
    for key in ["a/2", "a/1", "a", "a0", "b/1"] {
        store.put_if(key, Expect::Absent, value(key)).await.unwrap();
    }
    let listing = store.list("a/").await.unwrap();
    let keys: Vec<_> = listing.entries.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(keys, ["a/1", "a/2"]);
    assert_eq!(listing.revision, StoreRevision(5));

    store
        .commit(Transaction::new().delete_prefix("a/"))
        .await
        .unwrap();
    assert!(store.list("a/").await.unwrap().entries.is_empty());
    assert_eq!(store.list("").await.unwrap().entries.len(), 3);
}

#[tokio::test]
async fn of_many_at_once_one_wins() {
    let store = memory();
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..50 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            store
                .put_if("leader", Expect::Absent, value(&writer.to_string()))
                .await
        });
    }
    let won = tasks.join_all().await.into_iter().filter(Result::is_ok).count();
    assert_eq!(won, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counting_with_put_if_loses_nothing() {
    let store = memory();
    store.put_if("count", Expect::Absent, value("0")).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for _ in 0..25 {
                loop {
                    let entry = store.get("count").await.unwrap().unwrap();
                    let count: u32 = std::str::from_utf8(&entry.value).unwrap().parse().unwrap();
                    let next = value(&(count + 1).to_string());
                    if store
                        .put_if("count", Expect::Revision(entry.revision), next)
                        .await
                        .is_ok()
                    {
                        break;
                    }
                }
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(text(&*store, "count").await.unwrap(), "200");
}

#[tokio::test]
async fn bounds_are_refused_by_name() {
    let store = memory();
    let refused = async |transaction| store.commit(transaction).await.unwrap_err().to_string();
    assert!(
        refused(Transaction::new().put("", "x"))
            .await
            .contains("an empty key")
    );
    assert!(
        refused(Transaction::new().put("k".repeat(MAX_KEY + 1), "x"))
            .await
            .contains("a key of 1025 bytes")
    );
    let large = Bytes::from(vec![0; MAX_VALUE + 1]);
    assert!(
        refused(Transaction::new().put("k", large))
            .await
            .contains("a value of 1048577 bytes under `k`")
    );
    let many = (0..=MAX_TRANSACTION).fold(Transaction::new(), |t, i| t.put(i.to_string(), "x"));
    assert!(refused(many).await.contains("a transaction of 32769 operations"));
    assert!(
        refused(Transaction::new().delete_prefix(""))
            .await
            .contains("an empty key")
    );
}

/// The store of a data directory.
pub(crate) fn open(directory: &std::path::Path) -> Result<RedbStore, StoreError> {
    RedbStore::open(DataLock::take(directory)?)
}

#[tokio::test]
async fn what_was_written_is_there_after_opening_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let revision = store.put_if("a", Expect::Absent, value("1")).await.unwrap();
    drop(store);
    let store = open(directory.path()).unwrap();
    assert_eq!(store.get("a").await.unwrap().unwrap().revision, revision);
    assert_eq!(
        store.put_if("b", Expect::Absent, value("2")).await.unwrap(),
        revision.next()
    );
}

#[tokio::test]
async fn the_files_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    let _store = open(&directory).unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&directory.join(STORE_FILE)), 0o600);
}

#[test]
fn growing_the_file_takes_the_space_at_once() {
    use std::os::unix::fs::MetadataExt as _;

    use redb::StorageBackend as _;
    let directory = tempfile::tempdir().unwrap();
    let probe = std::fs::File::create(directory.path().join("probe")).unwrap();
    if rustix::fs::fallocate(&probe, rustix::fs::FallocateFlags::empty(), 0, 4096).is_err() {
        // A file system that can't; there it grows as a hole.
        return;
    }
    let path = directory.path().join(STORE_FILE);
    let file = super::file::StoreFile::open(&path).unwrap();
    file.set_len(1 << 20).unwrap();
    let metadata = path.metadata().unwrap();
    assert_eq!(metadata.len(), 1 << 20);
    assert!(metadata.blocks() * 512 >= 1 << 20);
    file.set_len(4096).unwrap();
    assert_eq!(file.len().unwrap(), 4096);
}

#[tokio::test]
async fn a_second_opener_is_refused_until_the_first_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path()).unwrap();
    let refused = open(directory.path()).unwrap_err();
    let wanted = format!(
        "the data directory {} is in use by another wharf server (process {}): stop it, or give this one its own with --data",
        directory.path().display(),
        std::process::id()
    );
    assert_eq!(refused.to_string(), wanted);
    drop(first);
    open(directory.path()).unwrap();
}

#[test]
fn what_can_be_no_data_directory_is_named_with_its_cause() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    std::fs::write(&file, "").unwrap();
    for (path, cause) in [
        (file.clone(), "not a directory"),
        (file.join("below"), "Not a directory"),
        (
            "/proc/nothing/can/be/made/here".into(),
            "No such file or directory",
        ),
    ] {
        for refused in [DataLock::take(&path).unwrap_err(), open(&path).unwrap_err()] {
            let wanted = format!("the data directory {} can't be used", path.display());
            assert_eq!(refused.to_string(), wanted);
            let source = std::error::Error::source(&refused).unwrap().to_string();
            assert!(source.starts_with(cause), "{source}");
        }
    }
}

#[test]
fn what_is_taken_only_if_it_is_there_is_not_made() {
    let parent = tempfile::tempdir().unwrap();
    let absent = parent.path().join("data");
    assert!(DataLock::take_existing(&absent).unwrap().is_none());
    assert!(!absent.exists());
    let lock = DataLock::take_existing(parent.path()).unwrap();
    assert!(lock.is_some());
    assert!(matches!(
        DataLock::take_existing(parent.path()),
        Err(StoreError::Locked { .. })
    ));
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(STORE_FILE);
    std::fs::write(&path, b"this is my diary\n".repeat(1000)).unwrap();
    let refused = open(directory.path()).unwrap_err().to_string();
    assert!(
        refused.starts_with("the store is damaged or not one of wharf's"),
        "{refused}"
    );
    assert!(std::fs::read(&path).unwrap().starts_with(b"this is my diary"));
}

fn open_as(path: &std::path::Path, supported: u32, upgrades: &[Upgrade]) -> Result<RedbStore, StoreError> {
    let path = path.to_owned();
    let open = move || open_database(super::file::StoreFile::open(&path)?);
    RedbStore::start(Box::new(open), None, supported, upgrades)
}

#[tokio::test]
async fn a_newer_format_is_refused_and_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(STORE_FILE);
    drop(open_as(&path, FORMAT + 1, UPGRADES).unwrap());
    let refused = open(directory.path()).unwrap_err().to_string();
    assert_eq!(
        refused,
        "the store has format 3, this wharf reads up to 2: run the newer version that wrote it"
    );
    open_as(&path, FORMAT + 1, UPGRADES).unwrap();
}

#[tokio::test]
async fn deployments_of_the_first_format_are_found_by_their_ids() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(STORE_FILE);
    let store = open_as(&path, 1, &[]).unwrap();
    for key in [
        "deployments/default/api/01a",
        "deployments/team/web/01b",
        "events/default/01",
    ] {
        store.put_if(key, Expect::Absent, value("{}")).await.unwrap();
    }
    drop(store);
    let store = open(directory.path()).unwrap();
    assert_eq!(
        text(&store, "deployment-services/default/01a").await.unwrap(),
        "api"
    );
    assert_eq!(text(&store, "deployment-services/team/01b").await.unwrap(), "web");
    assert_eq!(store.list("").await.unwrap().entries.len(), 5);
}

#[tokio::test]
async fn keys_are_counted_by_their_prefix() {
    let store = memory();
    for key in ["a/1", "a/2", "a/b/3", "aa/4", "b/5"] {
        store.put_if(key, Expect::Absent, value("")).await.unwrap();
    }
    for (prefix, count) in [("a/", 3), ("a", 4), ("b/", 1), ("c/", 0), ("", 5)] {
        assert_eq!(store.count(prefix).await.unwrap(), count, "{prefix}");
    }
}

#[tokio::test]
async fn an_older_format_goes_through_each_named_step() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(STORE_FILE);
    let store = open_as(&path, 1, &[]).unwrap();
    store.put_if("old/a", Expect::Absent, value("1")).await.unwrap();
    drop(store);

    let refused = open_as(&path, 3, &[]).unwrap_err().to_string();
    assert_eq!(refused, "the store has format 1 and no step upgrades it to 3");

    let steps = [
        Upgrade {
            from: 1,
            name: "move old/ to mid/",
            step: |write| rename(write, "old/a", "mid/a"),
        },
        Upgrade {
            from: 2,
            name: "move mid/ to new/",
            step: |write| rename(write, "mid/a", "new/a"),
        },
    ];
    let store = open_as(&path, 3, &steps).unwrap();
    assert_eq!(text(&store, "new/a").await.unwrap(), "1");
    assert_eq!(store.list("").await.unwrap().entries.len(), 1);
    drop(store);
    open_as(&path, 3, &[]).expect("nothing left to upgrade");
}

fn rename(write: &redb::WriteTransaction, from: &str, to: &str) -> Result<(), StoreError> {
    let mut entries = write.open_table(super::format::ENTRIES)?;
    let moved = entries
        .remove(from)?
        .map(|found| (found.value().0, found.value().1.to_vec()));
    let (revision, bytes) = moved.ok_or_else(|| StoreError::Damaged(format!("{from} is missing")))?;
    entries.insert(to, (revision, bytes.as_slice()))?;
    Ok(())
}

#[tokio::test]
async fn values_are_not_shown_by_debug() {
    let store = memory();
    store.put_if("a", Expect::Absent, value("hunter2")).await.unwrap();
    let entry = store.get("a").await.unwrap().unwrap();
    let transaction = Transaction::new().put("a", "hunter2");
    let shown = format!(
        "{entry:?} {transaction:?} {:?} {store:?}",
        Change::Put(entry.clone())
    );
    assert!(!shown.contains("hunter2"), "{shown}");
}
