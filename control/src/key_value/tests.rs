use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use wharf_runtime::key_value::{Change, Expected, MAX_ENTRIES, MAX_READ, MAX_VALUE, Part, Version};

use super::*;
use crate::store::tests::disk::FaultyDisk;

const NOW: u64 = 1_000_000;

/// A clock and a disk that the test sets.
#[derive(Debug, Clone)]
struct Set {
    now: Arc<AtomicU64>,
    free: Arc<AtomicU64>,
}

impl Set {
    fn new() -> Self {
        Self {
            now: Arc::new(AtomicU64::new(NOW)),
            free: Arc::new(AtomicU64::new(u64::MAX)),
        }
    }

    fn pass(&self, milliseconds: u64) {
        self.now.fetch_add(milliseconds, Ordering::Relaxed);
    }
}

impl Surroundings for Set {
    fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    fn free(&self) -> u64 {
        self.free.load(Ordering::Relaxed)
    }
}

fn memory() -> (Arc<KeyValueStore>, Set) {
    let set = Set::new();
    let store = KeyValueStore::start(database::in_memory(), Box::new(set.clone())).unwrap();
    (Arc::new(store), set)
}

fn on(disk: &FaultyDisk) -> Result<Arc<KeyValueStore>, StoreError> {
    let disk = disk.clone();
    let open = Box::new(move || database::open_database(disk.clone()));
    Ok(Arc::new(KeyValueStore::start(open, Box::new(Set::new()))?))
}

fn namespace() -> NamespaceName {
    NamespaceName::default_namespace()
}

fn data(store: &Arc<KeyValueStore>, name: &str) -> Arc<dyn KeyValue> {
    store.of(&namespace(), &name.parse().unwrap())
}

fn set(key: &str, value: impl Into<Bytes>) -> Write {
    expiring(key, value, None)
}

fn expiring(key: &str, value: impl Into<Bytes>, ttl: Option<u64>) -> Write {
    swap(key, Expected::Any, value, ttl)
}

fn swap(key: &str, expected: Expected, value: impl Into<Bytes>, ttl: Option<u64>) -> Write {
    let change = Change::Set {
        value: value.into(),
        ttl: ttl.map(Duration::from_millis),
        expected,
    };
    let key = key.to_owned();
    Write { key, change }
}

fn delete(key: &str) -> Write {
    let key = key.to_owned();
    Write {
        key,
        change: Change::Delete,
    }
}

fn increment(key: &str, by: i64, ttl: Option<u64>) -> Write {
    let ttl = ttl.map(Duration::from_millis);
    let key = key.to_owned();
    Write {
        key,
        change: Change::Increment { by, ttl },
    }
}

async fn one(data: &Arc<dyn KeyValue>, write: Write) -> Result<Outcome, KeyValueError> {
    Ok(data.write(vec![write]).await?[0])
}

fn value(data: &Arc<dyn KeyValue>, key: &str) -> Option<String> {
    let item = data.get(key).unwrap()?;
    Some(String::from_utf8(item.value.to_vec()).unwrap())
}

fn keys(data: &Arc<dyn KeyValue>, prefix: &str) -> Vec<String> {
    let range = Range {
        prefix: prefix.to_owned(),
        after: None,
        limit: MAX_ENTRIES,
        part: Part::Key,
    };
    let page = data.list(&range).unwrap();
    assert_eq!(page.next, None);
    page.entries.into_iter().map(|(key, _)| key).collect()
}

/// Rows of the tables `entries`, `ends` and `dead`, and keys and bytes as they were counted.
fn rows(store: &KeyValueStore) -> (u64, u64, u64, (u64, u64)) {
    use redb::{ReadableTable as _, ReadableTableMetadata as _};
    let read = store.shared.database.read(|snapshot| {
        let (mut keys, mut bytes) = (0, 0);
        for row in snapshot.open_table(layout::USAGES)?.iter()? {
            let usage = row?.1.value();
            keys += usage.0;
            bytes += usage.1;
        }
        Ok((
            snapshot.open_table(layout::ENTRIES)?.len()?,
            snapshot.open_table(layout::ENDS)?.len()?,
            snapshot.open_table(layout::DEAD)?.len()?,
            (keys, bytes),
        ))
    });
    read.unwrap()
}

/// Lets the writer look until there is nothing left to clear away.
async fn swept(store: &KeyValueStore) {
    loop {
        store.remove_all(Vec::new()).await.unwrap();
        let now = store.shared.surroundings.now();
        let due = store
            .shared
            .database
            .read(|snapshot| sweep::is_due(snapshot, now));
        if !due.unwrap() {
            return;
        }
    }
}

#[tokio::test]
async fn a_service_s_data_is_its_own() {
    let (store, _) = memory();
    let (a, b) = (data(&store, "a"), data(&store, "b"));
    one(&a, set("k", "1")).await.unwrap();
    one(&b, set("k", "2")).await.unwrap();
    // Of another task of the same service.
    assert_eq!(value(&data(&store, "a"), "k").as_deref(), Some("1"));
    assert_eq!(one(&a, delete("k")).await, Ok(Outcome::Deleted));
    assert_eq!(one(&a, delete("k")).await, Ok(Outcome::WasAbsent));
    assert_eq!(value(&a, "k"), None);
    assert_eq!(value(&b, "k").as_deref(), Some("2"));
    let other: NamespaceName = "other".parse().unwrap();
    assert_eq!(store.of(&other, &"b".parse().unwrap()).get("k"), Ok(None));
}

#[tokio::test]
async fn a_swap_takes_the_version_it_was_read_at() {
    let (store, _) = memory();
    let a = data(&store, "a");
    let Ok(Outcome::Stored(first)) = one(&a, swap("k", Expected::Absent, "1", None)).await else {
        panic!("it was absent");
    };
    assert_eq!(a.get("k").unwrap().unwrap().version, first);
    assert_eq!(
        one(&a, swap("k", Expected::Absent, "2", None)).await,
        Ok(Outcome::Unexpected)
    );
    one(&a, delete("k")).await.unwrap();
    let again = one(&a, set("k", "1")).await;
    let old = one(&a, swap("k", Expected::Version(first), "2", None)).await;
    assert_eq!(
        old,
        Ok(Outcome::Unexpected),
        "the same value is not the same version"
    );
    let Ok(Outcome::Stored(second)) = again else {
        panic!("{again:?}")
    };
    let swapped = one(&a, swap("k", Expected::Version(second), "2", None)).await;
    assert!(matches!(swapped, Ok(Outcome::Stored(Version(third))) if third > second.0));
    assert_eq!(value(&a, "k").as_deref(), Some("2"));
}

#[tokio::test]
async fn numbers_are_counted_exactly() {
    let (store, _) = memory();
    let a = data(&store, "a");
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let a = Arc::clone(&a);
            tokio::spawn(async move { one(&a, increment("n", 3, None)).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(one(&a, increment("n", -300, None)).await, Ok(Outcome::Number(0)));
    one(&a, set("text", "seven")).await.unwrap();
    let refused = one(&a, increment("text", 1, None)).await.unwrap_err();
    assert!(refused.to_string().contains("no whole number"), "{refused}");
    one(&a, increment("max", i64::MAX, None)).await.unwrap();
    let refused = one(&a, increment("max", 1, None)).await.unwrap_err();
    assert!(refused.to_string().contains("too large"), "{refused}");
    assert_eq!(value(&a, "max"), Some(i64::MAX.to_string()));
}

#[tokio::test]
async fn what_has_expired_is_never_read_and_is_cleared_away() {
    let (store, clock) = memory();
    let a = data(&store, "a");
    one(&a, expiring("short", "1", Some(10))).await.unwrap();
    one(&a, expiring("long", "1", Some(1000))).await.unwrap();
    one(&a, increment("n", 5, Some(10))).await.unwrap();
    // For one that is there already, the time says nothing.
    one(&a, increment("n", 5, Some(100_000))).await.unwrap();
    one(&a, expiring("kept", "1", Some(10))).await.unwrap();
    one(&a, set("kept", "2")).await.unwrap();
    clock.pass(9);
    assert_eq!(keys(&a, ""), ["kept", "long", "n", "short"]);
    clock.pass(1);
    assert_eq!((value(&a, "short"), value(&a, "n")), (None, None));
    assert_eq!(keys(&a, ""), ["kept", "long"]);
    assert_eq!(one(&a, delete("short")).await, Ok(Outcome::WasAbsent));
    assert_eq!(
        one(&a, swap("n", Expected::Absent, "7", None)).await.map(|_| ()),
        Ok(())
    );
    swept(&store).await;
    let charged = "kept2".len() + "long1".len() + "n7".len();
    assert_eq!(rows(&store), (3, 1, 0, (3, charged as u64 + 3 * ENTRY_CHARGE)));
    clock.pass(1000);
    swept(&store).await;
    assert_eq!(rows(&store).0, 2);
}

#[tokio::test]
async fn a_listing_goes_on_where_it_ended() {
    let (store, clock) = memory();
    let (a, b) = (data(&store, "a"), data(&store, "b"));
    let names: Vec<String> = (0..2500).map(|n| format!("p/{n:04}")).collect();
    for names in names.chunks(MAX_ENTRIES) {
        a.write(names.iter().map(|name| set(name, "v")).collect())
            .await
            .unwrap();
    }
    for other in ["o", "p", "q"] {
        one(&a, set(other, "v")).await.unwrap();
    }
    one(&b, set("p/b", "v")).await.unwrap();
    let mut range = Range {
        prefix: "p/".to_owned(),
        after: None,
        limit: usize::MAX,
        part: Part::Whole,
    };
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let page = a.list(&range).unwrap();
        found.extend(page.entries.into_iter().map(|(key, _)| key));
        pages += 1;
        range.after = page.next;
        if range.after.is_none() {
            break;
        }
    }
    assert_eq!((found, pages), (names, 3));
    range.limit = 1;
    let first = a.list(&range).unwrap();
    assert_eq!((first.entries.len(), first.next.as_deref()), (1, Some("p/0000")));

    // Large values make a page short, and what has expired makes it empty.
    let large = vec![0; MAX_VALUE];
    for n in 0..8 {
        one(&b, expiring(&format!("l{n}"), large.clone(), Some(10)))
            .await
            .unwrap();
    }
    range = Range {
        prefix: "l".to_owned(),
        after: None,
        limit: 1000,
        part: Part::Whole,
    };
    let page = b.list(&range).unwrap();
    assert_eq!(page.entries.len(), MAX_READ / (MAX_VALUE + 2));
    assert_eq!(page.next.as_deref(), Some("l2"));
    range.part = Part::Key;
    assert_eq!(b.list(&range).unwrap().entries.len(), 8);
    clock.pass(10);
    assert_eq!(b.list(&range).unwrap(), Page::default());
}

#[tokio::test]
async fn a_quota_refuses_what_grows_and_nothing_is_half_written() {
    let (store, _) = memory();
    let (a, b) = (data(&store, "a"), data(&store, "b"));
    let value = vec![0; MAX_VALUE];
    let charge = (MAX_VALUE + 5) as u64 + ENTRY_CHARGE;
    let fit = MAX_BYTES / charge;
    for n in 0..fit {
        one(&a, set(&format!("{n:05}"), value.clone())).await.unwrap();
    }
    let full = rows(&store);
    let batch = vec![
        delete("00000"),
        set("small", "1"),
        increment("n", 1, None),
        set("large", value.clone()),
        set("x", value.clone()),
    ];
    let refused = a.write(batch).await.unwrap_err();
    let KeyValueError::QuotaExceeded(why) = &refused else {
        panic!("{refused:?}")
    };
    assert!(why.contains("67108864 are allowed"), "{why}");
    assert_eq!(rows(&store), full);
    assert_eq!((a.get("small"), a.get("n")), (Ok(None), Ok(None)));
    assert!(a.get("00000").unwrap().is_some());
    // Others have their own, and what shrinks or stays is let through.
    one(&b, set("k", value.clone())).await.unwrap();
    one(&a, set("00001", value.clone())).await.unwrap();
    one(&a, delete("00000")).await.unwrap();
    one(&a, set("large", value)).await.unwrap();
}

#[tokio::test]
async fn so_many_keys_are_allowed() {
    let (store, _) = memory();
    let a = data(&store, "a");
    for thousand in 0..MAX_KEYS / 1000 {
        let writes = (0..1000).map(|n| set(&format!("{thousand}/{n}"), ""));
        a.write(writes.collect()).await.unwrap();
    }
    let refused = one(&a, set("more", "")).await.unwrap_err();
    assert!(
        matches!(&refused, KeyValueError::QuotaExceeded(why) if why.contains("100000 keys")),
        "{refused}"
    );
    one(&a, set("0/0", "again")).await.unwrap();
    one(&a, delete("0/0")).await.unwrap();
    one(&a, set("more", "")).await.unwrap();
}

#[tokio::test]
async fn the_end_of_the_disk_is_not_for_data() {
    let (store, disk) = memory();
    let a = data(&store, "a");
    one(&a, set("k", "1")).await.unwrap();
    disk.free.store(DISK_RESERVE - 1, Ordering::Relaxed);
    let refused = one(&a, set("l", "1")).await.unwrap_err();
    assert!(
        matches!(&refused, KeyValueError::Unavailable(why) if why.contains("256 MiB")),
        "{refused}"
    );
    one(&a, set("k", "2")).await.unwrap();
    one(&a, delete("k")).await.unwrap();
    disk.free.store(DISK_RESERVE, Ordering::Relaxed);
    one(&a, set("l", "1")).await.unwrap();
}

#[tokio::test]
async fn removed_data_is_gone_at_once_and_cleared_away() {
    let (store, _) = memory();
    let a = data(&store, "a");
    for thousand in 0..2 {
        let writes = (0..1000).map(|n| expiring(&format!("{thousand}/{n}"), "v", Some(10)));
        a.write(writes.collect()).await.unwrap();
    }
    one(&data(&store, "b"), set("k", "v")).await.unwrap();
    store.remove(&namespace(), &"a".parse().unwrap()).await.unwrap();
    assert_eq!((a.get("0/0"), keys(&a, "")), (Ok(None), vec![]));
    assert_eq!(store.names().unwrap(), [(namespace(), "b".parse().unwrap())]);
    // Another of that name begins with nothing, and keeps what it writes.
    let anew = data(&store, "a");
    one(&anew, set("0/0", "new")).await.unwrap();
    swept(&store).await;
    assert_eq!(value(&anew, "0/0").as_deref(), Some("new"));
    assert_eq!(
        rows(&store),
        (2, 0, 0, (2, "0/0newkv".len() as u64 + 2 * ENTRY_CHARGE))
    );
    store.remove_namespace(&namespace()).await.unwrap();
    assert_eq!(store.names().unwrap(), []);
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_crash() {
    let disk = FaultyDisk::new();
    let store = on(&disk).unwrap();
    let a = data(&store, "a");
    one(&a, set("k", "kept")).await.unwrap();
    one(&a, increment("n", 41, None)).await.unwrap();
    for keep in [true, false] {
        let crashed = disk.after_crash(|_| keep);
        let again = data(&on(&crashed).unwrap(), "a");
        assert_eq!(value(&again, "k").as_deref(), Some("kept"));
        assert_eq!(
            one(&again, increment("n", 1, None)).await,
            Ok(Outcome::Number(42))
        );
    }
}

#[tokio::test]
async fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let disk = FaultyDisk::new();
    let store = on(&disk).unwrap();
    let a = data(&store, "a");
    one(&a, set("k", "1")).await.unwrap();
    disk.fill();
    let large = vec![1; MAX_VALUE];
    let mut refused = None;
    for n in 0..1000 {
        if let Err(error) = one(&a, set(&format!("{n}"), large.clone())).await {
            refused = Some(error);
            break;
        }
    }
    let refused = refused.unwrap();
    assert!(
        matches!(&refused, KeyValueError::Unavailable(why) if why.contains("disk is full")),
        "{refused}"
    );
    assert_eq!(value(&a, "k").as_deref(), Some("1"));
    // What is to go is seen by nobody, though the disk can't say so yet.
    disk.refuse_everything();
    store
        .remove(&namespace(), &"a".parse().unwrap())
        .await
        .unwrap_err();
    assert_eq!(a.get("k"), Ok(None));
    disk.free();
    one(&a, set("l", "2")).await.unwrap();
    assert_eq!((value(&a, "k"), value(&a, "l").as_deref()), (None, Some("2")));
}

#[tokio::test]
async fn one_service_s_writes_leave_others_their_places() {
    let (store, _) = memory();
    let turns = {
        let _a = data(&store, "a");
        store.turns.lock().unwrap().values().next().cloned().unwrap()
    };
    let a = data(&store, "a");
    let _all = turns
        .try_acquire_many(u32::try_from(MAX_WRITES_AT_ONCE).unwrap())
        .unwrap();
    let waiting = one(&a, set("k", "1"));
    tokio::pin!(waiting);
    assert!(futures_util::poll!(&mut waiting).is_pending());
    one(&data(&store, "b"), set("k", "1")).await.unwrap();
    assert!(futures_util::poll!(&mut waiting).is_pending());
    drop(_all);
    waiting.await.unwrap();
}
