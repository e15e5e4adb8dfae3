//! Words: what is told of a change, in the store together with the change.
//!
//! An event that is recorded after a change is lost if the server dies in between. A word is part of the change's own
//! transaction; it becomes an event in the transaction that removes it, and what a server left is told by the next one.
//!
//! | key | value |
//! |---|---|
//! | `untold/<namespace>/<service>/<time>-<n>` | an event to be |

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use super::{MAX_MESSAGE, StoredEvent};
use crate::names::{NamespaceName, ServiceName};
use crate::store::{Entry, Transaction};

/// Where words are until they are told.
pub(super) const UNTOLD: &str = "untold/";

/// What is to be told of a change.
#[derive(Debug, Clone)]
pub struct Word {
    pub(super) namespace: NamespaceName,
    pub(super) service: ServiceName,
    pub(super) created_at: Timestamp,
    pub(super) message: String,
    pub(super) key: String,
}

impl Word {
    /// Of a service, that happens now.
    pub fn new(namespace: &NamespaceName, service: &ServiceName, mut message: String) -> Self {
        /// Tells those of one moment apart.
        static COUNT: AtomicU64 = AtomicU64::new(0);
        message.truncate(message.floor_char_boundary(MAX_MESSAGE));
        let created_at = Timestamp::now();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let prefix = untold(namespace, service);
        Self {
            namespace: namespace.clone(),
            service: service.clone(),
            created_at,
            message,
            // 20 digits hold the time, so that keys sort by it.
            key: format!("{prefix}{:020}-{count:020}", created_at.as_nanosecond()),
        }
    }

    /// Writes it with what it tells of. [`super::EventLog::tell`] it when that is done.
    #[must_use]
    pub fn put(&self, transaction: Transaction) -> Transaction {
        let event = StoredEvent {
            created_at: self.created_at,
            message: self.message.clone(),
        };
        // A row of text always encodes.
        transaction.put(&self.key, serde_json::to_vec(&event).unwrap_or_default())
    }

    /// One that a server left; none if it can't be read.
    pub(super) fn left(entry: &Entry) -> Option<Self> {
        let mut parts = entry.key.strip_prefix(UNTOLD)?.split('/');
        let (namespace, service) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let StoredEvent { created_at, message } = serde_json::from_slice(&entry.value).ok()?;
        Some(Self {
            namespace,
            service,
            created_at,
            message,
            key: entry.key.clone(),
        })
    }
}

pub(super) fn untold(namespace: &NamespaceName, service: &ServiceName) -> String {
    format!("{UNTOLD}{namespace}/{service}/")
}
