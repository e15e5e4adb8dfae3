//! Events: in order, bounded, followed without a gap.

use std::time::Duration;

use futures_util::StreamExt as _;

use super::*;
use crate::store::tests::memory;
use crate::store::{Listing, Store, StoreRevision, Transaction};

fn ns() -> NamespaceName {
    NamespaceName::default_namespace()
}

fn service(name: &str) -> ServiceName {
    name.parse().unwrap()
}

fn of(name: &str) -> EventQuery {
    EventQuery {
        service: Some(service(name)),
        since: None,
    }
}

async fn messages(log: &EventLog, query: &EventQuery) -> Vec<String> {
    log.list(&ns(), query)
        .await
        .unwrap()
        .into_iter()
        .map(|event| event.message)
        .collect()
}

async fn next(stream: &mut (impl Stream<Item = Result<Event, StoreError>> + Unpin)) -> Event {
    tokio::time::timeout(Duration::from_secs(20), stream.next())
        .await
        .expect("in time")
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn events_are_listed_in_order() {
    let log = EventLog::start(memory());
    log.record(&ns(), &service("api"), "(service api) has started 2 tasks.");
    log.record(&ns(), &service("web"), "(service web) has begun.");
    log.record(
        &ns(),
        &service("api"),
        "(service api) has reached a steady state.",
    );
    log.record(&"other".parse().unwrap(), &service("api"), "elsewhere");
    log.flush().await;
    let of_api = log.list(&ns(), &of("api")).await.unwrap();
    assert_eq!(of_api.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(of_api[1].message, "(service api) has reached a steady state.");
    assert_eq!(log.list(&ns(), &EventQuery::default()).await.unwrap().len(), 3);
    let since = EventQuery {
        since: Some(of_api[1].created_at),
        ..of("api")
    };
    assert_eq!(log.list(&ns(), &since).await.unwrap(), [of_api[1].clone()]);
    // `api` is the beginning of `api-2`, and not of its events' keys.
    log.record(&ns(), &service("api-2"), "another");
    log.flush().await;
    assert_eq!(messages(&log, &of("api")).await.len(), 2);
}

#[tokio::test]
async fn a_services_events_are_bounded_and_the_oldest_go() {
    let store = memory();
    let log = EventLog::start(store.clone());
    for number in 1..=MAX_EVENTS + 150 {
        log.record(&ns(), &service("api"), number.to_string());
        if number % 500 == 0 {
            log.flush().await;
        }
    }
    log.record(&ns(), &service("web"), "kept");
    log.flush().await;
    let kept = messages(&log, &of("api")).await;
    assert_eq!(kept.len() as u64, MAX_EVENTS);
    assert_eq!((kept[0].as_str(), kept[999].as_str()), ("151", "1150"));
    assert_eq!(
        store.list("events/").await.unwrap().entries.len() as u64,
        MAX_EVENTS + 1
    );
    // A namespace's are as many at most.
    assert_eq!(
        messages(&log, &EventQuery::default()).await.len() as u64,
        MAX_EVENTS
    );
}

#[tokio::test]
async fn numbers_go_on_after_a_restart() {
    let store = memory();
    let log = EventLog::start(store.clone());
    log.record(&ns(), &service("api"), "before");
    log.flush().await;
    drop(log);
    let log = EventLog::start(store);
    log.record(&ns(), &service("api"), "after");
    log.flush().await;
    let seen: Vec<_> = log
        .list(&ns(), &of("api"))
        .await
        .unwrap()
        .into_iter()
        .map(|event| event.seq)
        .collect();
    assert_eq!(seen, [1, 2]);
}

#[tokio::test]
async fn events_go_with_their_service() {
    let log = EventLog::start(memory());
    log.record(&ns(), &service("api"), "old");
    log.record(&ns(), &service("web"), "kept");
    log.remove(&ns(), &service("api")).await;
    log.record(&ns(), &service("api"), "new");
    log.flush().await;
    let events = log.list(&ns(), &of("api")).await.unwrap();
    assert_eq!(
        (events.len(), events[0].seq, events[0].message.as_str()),
        (1, 1, "new")
    );
    assert_eq!(messages(&log, &of("web")).await, ["kept"]);
    log.remove_namespace(&ns()).await;
    log.flush().await;
    assert!(messages(&log, &EventQuery::default()).await.is_empty());
}

#[tokio::test]
async fn following_gives_what_was_and_what_comes() {
    let log = EventLog::start(memory());
    log.record(&ns(), &service("api"), "one");
    log.flush().await;
    let mut events = Box::pin(log.follow(ns(), of("api")));
    assert_eq!(next(&mut events).await.message, "one");
    for message in ["two", "three"] {
        log.record(&ns(), &service("web"), "not wanted");
        log.record(&ns(), &service("api"), message);
        assert_eq!(next(&mut events).await.message, message);
    }
}

#[tokio::test]
async fn a_slow_follower_misses_nothing_that_is_kept() {
    let store = memory();
    let log = EventLog::start(store.clone());
    let mut events = Box::pin(log.follow(ns(), of("api")));
    log.record(&ns(), &service("api"), "one");
    assert_eq!(next(&mut events).await.message, "one");
    log.record(&ns(), &service("api"), "two");
    log.flush().await;
    // More changes than the store's history holds.
    for round in 0..90 {
        let many = (0..100).fold(Transaction::new(), |t, key| {
            t.put(format!("noise/{key}"), vec![round])
        });
        store.commit(many).await.unwrap();
    }
    log.record(&ns(), &service("api"), "three");
    assert_eq!(next(&mut events).await.message, "two");
    assert_eq!(next(&mut events).await.message, "three");
}

#[tokio::test]
async fn long_messages_are_cut_at_a_character() {
    let log = EventLog::start(memory());
    log.record(&ns(), &service("api"), "é".repeat(MAX_MESSAGE));
    log.flush().await;
    let message = messages(&log, &of("api")).await.remove(0);
    assert_eq!(message, "é".repeat(MAX_MESSAGE / 2));
}

#[tokio::test]
async fn a_removal_waits_for_its_place_behind_all_that_wait() {
    let log = EventLog::start(memory());
    // Nobody takes any of them before this waits for something.
    for number in 0..MAX_WAITING {
        log.record(&ns(), &service("api"), number.to_string());
    }
    log.remove(&ns(), &service("api")).await;
    log.flush().await;
    assert!(messages(&log, &of("api")).await.is_empty());
}

/// A store that refuses so many commits.
#[derive(Debug)]
struct Refusing {
    store: SharedStore,
    commits: AtomicU64,
}

#[async_trait::async_trait]
impl Store for Refusing {
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
        let less = |left: u64| left.checked_sub(1);
        match self
            .commits
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
        {
            Ok(_) => Err(StoreError::Busy),
            Err(_) => self.store.commit(transaction).await,
        }
    }

    fn watch(&self, prefix: &str, from: StoreRevision) -> Result<Watch, WatchError> {
        self.store.watch(prefix, from)
    }
}

#[tokio::test]
async fn a_removal_that_the_store_refuses_is_tried_again() {
    let store = Arc::new(Refusing {
        store: memory(),
        commits: AtomicU64::default(),
    });
    let log = EventLog::start(store.clone());
    log.record(&ns(), &service("api"), "old");
    log.record(&ns(), &service("web"), "old");
    log.flush().await;
    store.commits.store(2, Ordering::Relaxed);
    log.remove(&ns(), &service("api")).await;
    log.flush().await;
    assert_eq!(messages(&log, &of("api")).await, ["old"], "the store refused it");
    // With the next that is written, or by itself.
    log.remove(&ns(), &service("web")).await;
    log.flush().await;
    log.record(&ns(), &service("api"), "new");
    log.flush().await;
    assert_eq!(messages(&log, &EventQuery::default()).await, ["new"]);
    store.commits.store(1, Ordering::Relaxed);
    log.remove(&ns(), &service("api")).await;
    let gone = async {
        let watched = store.list("events/").await.unwrap();
        if !watched.entries.is_empty() {
            let mut watch = store.watch("events/", watched.revision.next()).unwrap();
            watch.next().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone)
        .await
        .expect("in time");
    assert!(messages(&log, &EventQuery::default()).await.is_empty());
}

#[tokio::test]
async fn a_word_that_a_server_left_is_told_by_the_next_and_once() {
    let store = memory();
    let words = ["first", "second"].map(|what| Word::new(&ns(), &service("api"), what.to_owned()));
    let written = words
        .iter()
        .fold(Transaction::new(), |written, word| word.put(written));
    store.commit(written).await.unwrap();
    let log = EventLog::start(store.clone());
    // One that wasn't killed tells them, too.
    for word in words.clone() {
        log.tell(word);
    }
    log.flush().await;
    assert_eq!(messages(&log, &of("api")).await, ["first", "second"]);
    assert_eq!(store.count(word::UNTOLD).await.unwrap(), 0);
    // Nor is one told of what is gone.
    log.remove(&ns(), &service("api")).await;
    store.commit(words[0].put(Transaction::new())).await.unwrap();
    log.remove(&ns(), &service("api")).await;
    log.flush().await;
    log.tell(words[0].clone());
    log.flush().await;
    assert!(messages(&log, &of("api")).await.is_empty());
}
