//! A store that goes with the paused clock, and fails as it is asked to.

use std::sync::Mutex;
use std::time::Duration;

use crate::model::keys;
use crate::store::{
    Entry, Listing, Op, SharedStore, Store, StoreError, StoreRevision, Transaction, Watch, WatchError,
};

/// A store whose commits hold the paused clock: they happen on a thread the clock knows nothing of, and it
/// would leap to the next timer meanwhile. Some of them fail, or never return, as was asked.
#[derive(Debug)]
pub(super) struct Paced {
    store: SharedStore,
    pub(super) faults: Mutex<Faults>,
}

/// What commits meet.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// How many fail.
    pub(super) failing: usize,
    /// After how many more one never returns, and on which side of its being durable.
    pub(super) stuck_after: Option<(usize, Side)>,
    /// How long it takes until whoever writes knows that it is durable.
    pub(super) slow: Duration,
    /// Whether one got stuck.
    pub(super) is_stuck: bool,
    /// What nobody can do at all.
    pub(super) lasting: Fault,
}

/// What is wrong with the store for as long as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Fault {
    #[default]
    None,
    /// Nothing can be written.
    Writes,
    /// No service's record can be written.
    Services,
    /// No task's record can be written.
    Tasks,
    /// Nothing can be read or written.
    All,
}

/// Where a server is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Before a write is durable.
    Before,
    /// After it was, and before anybody knows.
    After,
}

impl Paced {
    pub(super) fn new() -> Self {
        Self {
            store: crate::store::tests::memory(),
            faults: Mutex::default(),
        }
    }

    fn check(&self, failing: &[Fault]) -> Result<(), StoreError> {
        match failing.contains(&self.faults.lock().unwrap().lasting) {
            true => Err(StoreError::Busy),
            false => Ok(()),
        }
    }

    fn check_write(&self, transaction: &Transaction) -> Result<(), StoreError> {
        self.check(&[Fault::All, Fault::Writes])?;
        let writes = |prefix: &str| {
            let mut ops = transaction.ops().iter();
            ops.any(|op| matches!(op, Op::Put { key, .. } if key.starts_with(prefix)))
        };
        for (prefix, fault) in [(keys::SERVICES, Fault::Services), (keys::TASKS, Fault::Tasks)] {
            if writes(prefix) {
                self.check(&[fault])?;
            }
        }
        Ok(())
    }

    /// What this commit meets.
    fn meet(&self) -> Result<Option<Side>, StoreError> {
        let mut faults = self.faults.lock().unwrap();
        if faults.failing > 0 {
            faults.failing -= 1;
            return Err(StoreError::Busy);
        }
        match &mut faults.stuck_after {
            Some((0, side)) => {
                let side = *side;
                faults.is_stuck = true;
                Ok(Some(side))
            }
            Some((more, _)) => {
                *more -= 1;
                Ok(None)
            }
            None => Ok(None),
        }
    }
}

#[async_trait::async_trait]
impl Store for Paced {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        self.check(&[Fault::All])?;
        self.store.get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Listing, StoreError> {
        self.check(&[Fault::All])?;
        self.store.list(prefix).await
    }

    async fn count(&self, prefix: &str) -> Result<usize, StoreError> {
        self.check(&[Fault::All])?;
        self.store.count(prefix).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<StoreRevision, StoreError> {
        self.check_write(&transaction)?;
        let stuck = self.meet()?;
        if stuck == Some(Side::Before) {
            std::future::pending::<()>().await;
        }
        let (store, handle) = (self.store.clone(), tokio::runtime::Handle::current());
        // The clock doesn't leap while blocking work is under way.
        let committed = tokio::task::spawn_blocking(move || handle.block_on(store.commit(transaction)))
            .await
            .unwrap();
        if stuck == Some(Side::After) {
            std::future::pending::<()>().await;
        }
        let slow = self.faults.lock().unwrap().slow;
        if !slow.is_zero() {
            tokio::time::sleep(slow).await;
        }
        committed
    }

    fn watch(&self, prefix: &str, from: StoreRevision) -> Result<Watch, WatchError> {
        self.store.watch(prefix, from)
    }
}
