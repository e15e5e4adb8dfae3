//! What services keep: the data behind `wasi:keyvalue` and `wharf:keyvalue`, each service's and job's its own.
//!
//! It has a database file and a writer thread of its own, beside the store's. Guests write as fast as they like: in the
//! store they would make deployments wait in line, push what watchers need out of its history, and make its file grow.
//! Here a flush of the disk is all that they have in common with it. Writes that wait are committed together; of one
//! service only so many wait at once ([`MAX_WRITES_AT_ONCE`]), so that others' find their places between them.
//!
//! Reads happen on the caller's thread, from the last commit, and wait for nobody.

mod apply;
mod layout;
mod scope;
mod sweep;
mod writer;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc, oneshot};
use wharf_runtime::key_value::{Item, KeyValue, KeyValueError, Outcome, Page, Range, Write};

use self::scope::Scope;
use self::writer::{MAX_WAITING, Order, Pending};
use crate::names::{NamespaceName, ServiceName};
use crate::store::StoreError;
use crate::store::database::{self, OpenDatabase, Reopened};

/// The data's file in the data directory.
pub const KEY_VALUE_FILE: &str = "key-value.redb";

/// Keys that one service may have.
pub const MAX_KEYS: u64 = 100_000;

/// Bytes that one service's data may have: keys, values, and [`ENTRY_CHARGE`] for each.
pub const MAX_BYTES: u64 = 64 << 20;

/// Counted for every entry besides its key and value: its version, its end, its places in the tables.
pub const ENTRY_CHARGE: u64 = 64;

/// Writes of one service that wait for the disk at once; the guests of others wait in front of them.
pub const MAX_WRITES_AT_ONCE: usize = 64;

/// What is left of the disk for the server itself: guests' data doesn't grow into it.
pub const DISK_RESERVE: u64 = 256 << 20;

/// How often it is looked for what has expired, where nothing is written that would make somebody look.
const SWEEP_PERIOD: Duration = Duration::from_secs(5);

/// The data of all services. Closed when dropped.
pub struct KeyValueStore {
    shared: Arc<Shared>,
    orders: Option<mpsc::Sender<Order>>,
    writer: Option<JoinHandle<()>>,
    /// How many of each service's writes may wait, still.
    turns: Mutex<HashMap<Scope, Arc<Semaphore>>>,
}

/// What readers and the writer thread share.
struct Shared {
    database: Reopened,
    surroundings: Box<dyn Surroundings>,
    leaving: Mutex<Leaving>,
}

/// Whose data is to go.
#[derive(Default)]
struct Leaving {
    /// With the next commit.
    next: BTreeSet<Scope>,
    /// With this one.
    now: BTreeSet<Scope>,
    /// Who waits for the next.
    waiting: Vec<oneshot::Sender<Result<(), StoreError>>>,
}

/// What the store looks at outside.
trait Surroundings: Send + Sync {
    /// Milliseconds since 1970.
    fn now(&self) -> u64;

    /// Bytes that are left on the disk.
    fn free(&self) -> u64;
}

struct System {
    directory: PathBuf,
}

impl Surroundings for System {
    fn now(&self) -> u64 {
        u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
    }

    fn free(&self) -> u64 {
        // Where that isn't told, a full disk is still noticed when it is.
        rustix::fs::statvfs(&self.directory)
            .map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

impl Shared {
    fn leaving(&self) -> MutexGuard<'_, Leaving> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what is still there of it is nobody's any more.
    fn is_leaving(&self, scope: &Scope) -> bool {
        let leaving = self.leaving();
        leaving.next.contains(scope) || leaving.now.contains(scope)
    }
}

impl fmt::Debug for KeyValueStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyValueStore").finish_non_exhaustive()
    }
}

impl KeyValueStore {
    /// Opens the data of a data directory that is locked. What expires is looked for on the current tokio runtime.
    ///
    /// # Errors
    /// As the store's.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let is_new = !fs::exists(directory.join(KEY_VALUE_FILE))?;
        let surroundings = System {
            directory: directory.to_owned(),
        };
        let opened = Self::start(
            database::in_file(directory, KEY_VALUE_FILE),
            Box::new(surroundings),
        )?;
        if is_new {
            // The file's name has to be durable as well as its content.
            File::open(directory)?.sync_all()?;
        }
        let orders = opened.orders.as_ref().map(mpsc::Sender::downgrade);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP_PERIOD).await;
                let Some(orders) = orders.as_ref().and_then(mpsc::WeakSender::upgrade) else {
                    return;
                };
                // Where there is no place, the writer is awake.
                let _ = orders.try_send(Order::Look);
            }
        });
        Ok(opened)
    }

    fn start(open: OpenDatabase, surroundings: Box<dyn Surroundings>) -> Result<Self, StoreError> {
        let database = Reopened::new(open)?;
        database.with(layout::prepare)?;
        let shared = Arc::new(Shared {
            database,
            surroundings,
            leaving: Mutex::default(),
        });
        let (orders, waiting) = mpsc::channel(MAX_WAITING);
        let writer = std::thread::Builder::new()
            .name("wharf-key-value".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || writer::run(&shared, waiting)
            })?;
        Ok(Self {
            shared,
            orders: Some(orders),
            writer: Some(writer),
            turns: Mutex::default(),
        })
    }

    /// A service's or job's data.
    pub fn of(self: &Arc<Self>, namespace: &NamespaceName, name: &ServiceName) -> Arc<dyn KeyValue> {
        let scope = Scope::new(namespace, name);
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let turns = turns
            .entry(scope.clone())
            .or_insert_with(|| Arc::new(Semaphore::new(MAX_WRITES_AT_ONCE)));
        Arc::new(ServiceData {
            store: Arc::clone(self),
            scope,
            turns: Arc::clone(turns),
        })
    }

    /// Who has data here.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn names(&self) -> Result<Vec<(NamespaceName, ServiceName)>, StoreError> {
        let scopes = self.shared.database.read(layout::scopes)?;
        Ok(scopes.iter().filter_map(Scope::names).collect())
    }

    /// Removes the data of a service or job that is gone; answers when that is durable. From now on nobody sees it,
    /// whatever the disk says: at an error it goes with the next commit that succeeds, and before whatever that writes.
    ///
    /// # Errors
    /// If the disk fails.
    pub async fn remove(&self, namespace: &NamespaceName, name: &ServiceName) -> Result<(), StoreError> {
        self.remove_all(vec![Scope::new(namespace, name)]).await
    }

    /// Removes the data of all in a namespace, as [`KeyValueStore::remove`] does.
    ///
    /// # Errors
    /// If the disk fails.
    pub async fn remove_namespace(&self, namespace: &NamespaceName) -> Result<(), StoreError> {
        let mut scopes = self.shared.database.read(layout::scopes)?;
        scopes.retain(|scope| scope.is_in(namespace));
        self.remove_all(scopes).await
    }

    async fn remove_all(&self, scopes: Vec<Scope>) -> Result<(), StoreError> {
        {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            for scope in &scopes {
                turns.remove(scope);
            }
        }
        let (answer, answered) = oneshot::channel();
        {
            let mut leaving = self.shared.leaving();
            leaving.next.extend(scopes);
            leaving.waiting.push(answer);
        }
        let orders = self.orders.as_ref().ok_or(StoreError::Closed)?;
        // Where there is no place, the writer is awake, and looks at it first.
        let _ = orders.try_send(Order::Look);
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for KeyValueStore {
    /// Waits for the writes that were taken, then closes the file.
    fn drop(&mut self) {
        self.orders = None;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has said so itself.
            let _ = writer.join();
        }
    }
}

/// One service's part.
struct ServiceData {
    store: Arc<KeyValueStore>,
    scope: Scope,
    turns: Arc<Semaphore>,
}

impl fmt::Debug for ServiceData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServiceData").field(&self.scope).finish()
    }
}

#[async_trait]
impl KeyValue for ServiceData {
    fn get(&self, key: &str) -> Result<Option<Item>, KeyValueError> {
        let shared = &self.store.shared;
        if shared.is_leaving(&self.scope) {
            return Ok(None);
        }
        let now = shared.surroundings.now();
        let read = shared
            .database
            .read_now(|snapshot| layout::get(snapshot, &self.scope, key, now));
        read.map_err(unavailable)
    }

    fn list(&self, range: &Range) -> Result<Page, KeyValueError> {
        let shared = &self.store.shared;
        if shared.is_leaving(&self.scope) {
            return Ok(Page::default());
        }
        let now = shared.surroundings.now();
        let read = shared
            .database
            .read_now(|snapshot| layout::list(snapshot, &self.scope, range, now));
        read.map_err(unavailable)
    }

    async fn write(&self, writes: Vec<Write>) -> Result<Vec<Outcome>, KeyValueError> {
        let closed = || unavailable(StoreError::Closed);
        let _turn = self.turns.acquire().await.map_err(|_| closed())?;
        let (answer, answered) = oneshot::channel();
        let pending = Pending {
            scope: self.scope.clone(),
            writes,
            answer,
        };
        let orders = self.store.orders.as_ref().ok_or_else(closed)?;
        orders.send(Order::Write(pending)).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }
}

/// The store's words, for a guest's author.
fn unavailable(error: StoreError) -> KeyValueError {
    KeyValueError::Unavailable(match error {
        StoreError::DiskFull => "the server's disk is full: nothing was written".to_owned(),
        error => error.to_string(),
    })
}

#[cfg(test)]
mod tests;
