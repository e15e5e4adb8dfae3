//! What happened to services and jobs, worded as ECS words it: a bounded history in the store.
//!
//! Who records an event doesn't wait for the disk: a task writes those that wait together. Events are not
//! what anything depends on; when more wait than [`MAX_WAITING`], or the store refuses, they are lost, and
//! the server's own log says how many. Their removal is not lost: it waits for its place, and is tried again.
//! What must be told of a change is a [`Word`], which is written with it.
//!
//! | key | value |
//! |---|---|
//! | `events/<namespace>/<service>/<seq>` | an event |

mod recorder;
pub mod rollout;
pub mod run;
pub mod settings;
mod word;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{Stream, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use self::recorder::Command;
pub use self::word::Word;
use crate::names::{NamespaceName, ServiceName};
use crate::store::{Change, Entry, SharedStore, StoreError, Transaction, Watch, WatchError};

/// How many events of a service are kept.
pub const MAX_EVENTS: u64 = 1000;

/// How many events wait to be written.
pub const MAX_WAITING: usize = 4096;

/// The longest message, in bytes; the end of a longer one is cut.
pub const MAX_MESSAGE: usize = 4096;

const EVENTS: &str = "events/";

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Counts a service's events.
    pub seq: u64,
    /// When.
    pub created_at: Timestamp,
    /// To which service or job.
    pub service: ServiceName,
    /// What.
    pub message: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredEvent {
    created_at: Timestamp,
    message: String,
}

/// Which events are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// Of this service or job only.
    pub service: Option<ServiceName>,
    /// Not those before.
    pub since: Option<Timestamp>,
}

/// All services' events. Cloning shares them.
#[derive(Clone)]
pub struct EventLog {
    store: SharedStore,
    commands: mpsc::Sender<Command>,
    /// Lost since it was last said.
    lost: Arc<AtomicU64>,
}

impl fmt::Debug for EventLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLog").finish_non_exhaustive()
    }
}

impl EventLog {
    /// Starts the task that writes them, on the current tokio runtime. It ends with the last clone.
    pub fn start(store: SharedStore) -> Self {
        let (commands, waiting) = mpsc::channel(MAX_WAITING);
        let lost = Arc::default();
        tokio::spawn(recorder::run(store.clone(), waiting, Arc::clone(&lost)));
        Self {
            store,
            commands,
            lost,
        }
    }

    /// Records that something happened, without waiting.
    pub fn record(&self, namespace: &NamespaceName, service: &ServiceName, message: impl Into<String>) {
        let mut message = message.into();
        message.truncate(message.floor_char_boundary(MAX_MESSAGE));
        tracing::info!(%namespace, %service, "{message}");
        let (namespace, service) = (namespace.clone(), service.clone());
        let command = Command::Record {
            namespace,
            service,
            created_at: Timestamp::now(),
            message,
        };
        if self.commands.try_send(command).is_err() {
            // The recorder says so, once for all that are lost together.
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Tells what was written with a change that is done, without waiting. What isn't told is at the next start.
    pub fn tell(&self, word: Word) {
        let Word {
            namespace,
            service,
            message,
            ..
        } = &word;
        tracing::info!(%namespace, %service, "{message}");
        // One that finds no place is in the store.
        let _ = self.commands.try_send(Command::Tell(word));
    }

    /// Removes the events of a service that is gone, before those that are recorded from here on: what [`removal`] left,
    /// because it was recorded meanwhile, and what is remembered of them.
    pub async fn remove(&self, namespace: &NamespaceName, service: &ServiceName) {
        self.remove_all(service_prefix(namespace, service)).await;
        self.remove_all(word::untold(namespace, service)).await;
    }

    /// Removes the events of a namespace that is gone.
    pub async fn remove_namespace(&self, namespace: &NamespaceName) {
        self.remove_all(namespace_prefix(namespace)).await;
        self.remove_all(format!("{}{namespace}/", word::UNTOLD)).await;
    }

    /// Waits for a place in the queue: a removal that got lost would show the next of that name what another did.
    async fn remove_all(&self, prefix: String) {
        // The task is gone only with the server, whose next start looks for what nobody has.
        let _ = self.commands.send(Command::Remove { prefix }).await;
    }

    /// Waits until everything recorded before is in the store, or was lost.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.commands.send(Command::Flush(done)).await.is_ok() {
            // An error says that the task is gone, and with it whatever waited.
            let _ = flushed.await;
        }
    }

    /// The events of a namespace, oldest first: at most the newest [`MAX_EVENTS`].
    ///
    /// # Errors
    /// If the store fails.
    pub async fn list(
        &self,
        namespace: &NamespaceName,
        query: &EventQuery,
    ) -> Result<Vec<Event>, StoreError> {
        Ok(self.list_at(namespace, query).await?.events)
    }

    async fn list_at(
        &self,
        namespace: &NamespaceName,
        query: &EventQuery,
    ) -> Result<ListedEvents, StoreError> {
        let listing = self.store.list(&query.prefix(namespace)).await?;
        let events = listing
            .entries
            .iter()
            .map(Event::decode)
            .collect::<Result<Vec<_>, _>>()?;
        let mut events: Vec<Event> = events.into_iter().filter(|event| query.wants(event)).collect();
        events.sort_by(|a, b| (a.created_at, &a.service, a.seq).cmp(&(b.created_at, &b.service, b.seq)));
        let surplus = events
            .len()
            .saturating_sub(usize::try_from(MAX_EVENTS).unwrap_or(usize::MAX));
        events.drain(..surplus);
        let watch = self
            .store
            .watch(&query.prefix(namespace), listing.revision.next());
        Ok(ListedEvents { events, watch })
    }

    /// The events of a namespace, and then those that come, until the store is closed.
    pub fn follow(
        &self,
        namespace: NamespaceName,
        query: EventQuery,
    ) -> impl Stream<Item = Result<Event, StoreError>> + Send + use<> {
        let follower = Follower {
            log: self.clone(),
            namespace,
            query,
            watch: None,
            ready: VecDeque::new(),
            last: None,
        };
        stream::try_unfold(follower, |mut follower| async move {
            Ok(follower.next().await?.map(|event| (event, follower)))
        })
    }
}

/// Removes, with other changes, a service's or job's events that are in the store.
#[must_use]
pub fn removal(transaction: Transaction, namespace: &NamespaceName, service: &ServiceName) -> Transaction {
    let untold = word::untold(namespace, service);
    transaction
        .delete_prefix(service_prefix(namespace, service))
        .delete_prefix(untold)
}

/// Events, and a watch on those that come after.
struct ListedEvents {
    events: Vec<Event>,
    watch: Result<Watch, WatchError>,
}

/// Who follows.
struct Follower {
    log: EventLog,
    namespace: NamespaceName,
    query: EventQuery,
    watch: Option<Watch>,
    ready: VecDeque<Event>,
    /// The time of the last one given out, where a new listing goes on.
    last: Option<Event>,
}

impl Follower {
    async fn next(&mut self) -> Result<Option<Event>, StoreError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.last = Some(event.clone());
                return Ok(Some(event));
            }
            let Some(watch) = &mut self.watch else {
                self.list().await?;
                continue;
            };
            match watch.next().await {
                Ok(changes) => self.take(&changes)?,
                // Too slow: what was missed is in the store still.
                Err(WatchError::Compacted { .. }) => self.watch = None,
                Err(WatchError::Closed) => return Ok(None),
            }
        }
    }

    async fn list(&mut self) -> Result<(), StoreError> {
        let listed = self.log.list_at(&self.namespace, &self.query).await?;
        // Compacted already: the next round lists again.
        self.watch = listed.watch.ok();
        let events = listed.events.into_iter();
        let order = |event: &Event| (event.created_at, event.service.clone(), event.seq);
        let last = self.last.as_ref().map(order);
        self.ready
            .extend(events.filter(|event| last.as_ref().is_none_or(|last| order(event) > *last)));
        Ok(())
    }

    fn take(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        for change in changes {
            if let Change::Put(entry) = change {
                let event = Event::decode(entry)?;
                if self.query.wants(&event) {
                    self.ready.push_back(event);
                }
            }
        }
        Ok(())
    }
}

impl EventQuery {
    fn prefix(&self, namespace: &NamespaceName) -> String {
        match &self.service {
            Some(service) => service_prefix(namespace, service),
            None => namespace_prefix(namespace),
        }
    }

    fn wants(&self, event: &Event) -> bool {
        self.since.is_none_or(|since| event.created_at >= since)
    }
}

impl Event {
    fn decode(entry: &Entry) -> Result<Self, StoreError> {
        let damaged = || StoreError::Damaged(format!("`{}` can't be read", entry.key));
        let (service, seq) = parse_key(&entry.key).ok_or_else(damaged)?;
        let stored: StoredEvent = serde_json::from_slice(&entry.value).map_err(|_| damaged())?;
        let StoredEvent { created_at, message } = stored;
        Ok(Self {
            seq,
            created_at,
            service,
            message,
        })
    }
}

fn namespace_prefix(namespace: &NamespaceName) -> String {
    format!("{EVENTS}{namespace}/")
}

fn service_prefix(namespace: &NamespaceName, service: &ServiceName) -> String {
    format!("{EVENTS}{namespace}/{service}/")
}

/// 20 digits hold any u64, so that keys sort as numbers.
fn key(prefix: &str, seq: u64) -> String {
    format!("{prefix}{seq:020}")
}

fn parse_key(key: &str) -> Option<(ServiceName, u64)> {
    let (prefix, seq) = key.rsplit_once('/')?;
    let (_, service) = prefix.rsplit_once('/')?;
    Some((service.parse().ok()?, seq.parse().ok()?))
}

#[cfg(test)]
mod tests;
