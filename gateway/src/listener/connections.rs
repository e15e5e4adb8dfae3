//! The account of a listener's open connections, kept until the last is closed.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
};

use tokio::sync::watch;

use crate::connection::pace::Pace;

/// How far a listener is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It isn't.
    Open,
    /// Nothing new is accepted; requests may finish.
    Draining,
    /// Everything ends now.
    Cut,
}

/// The open connections of a listener.
#[derive(Debug)]
pub(crate) struct Connections {
    phase: AtomicU8,
    next: AtomicU64,
    open: Mutex<HashMap<u64, Arc<Pace>>>,
    count: watch::Sender<usize>,
}

impl Connections {
    pub(crate) fn new() -> Self {
        Self {
            phase: AtomicU8::new(Phase::Open as u8),
            next: AtomicU64::new(0),
            open: Mutex::default(),
            count: watch::Sender::new(0),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Open,
            1 => Phase::Draining,
            _ => Phase::Cut,
        }
    }

    /// Goes on to a later phase and lets every connection know.
    pub(crate) fn proceed(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel);
        for pace in self.lock().values() {
            pace.driver.wake();
        }
    }

    /// Ends when no connection is left.
    pub(crate) async fn none_left(&self) {
        // The sender is in `self`: it cannot be gone.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }

    pub(crate) fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// Follows the count.
    pub(super) fn watch(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    pub(super) fn open(self: &Arc<Self>) -> Opened {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let pace = Arc::new(Pace::new());
        let mut open = self.lock();
        open.insert(number, pace.clone());
        self.count.send_replace(open.len());
        drop(open);
        Opened {
            connections: self.clone(),
            number,
            pace,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Pace>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open connection's entry: it is struck out when the connection has ended.
pub(crate) struct Opened {
    connections: Arc<Connections>,
    number: u64,
    pace: Arc<Pace>,
}

impl Opened {
    pub(crate) fn phase(&self) -> Phase {
        self.connections.phase()
    }

    pub(crate) fn pace(&self) -> &Arc<Pace> {
        &self.pace
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let mut open = self.connections.lock();
        open.remove(&self.number);
        self.connections.count.send_replace(open.len());
    }
}
