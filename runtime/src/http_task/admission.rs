//! The task's places and the queue in front of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::failure::{Failure, FailureKind};

/// How many requests run at once and how many may wait.
#[derive(Debug)]
pub(super) struct Admission {
    places: Arc<Semaphore>,
    concurrency: u32,
    queue: u32,
    queued: AtomicU32,
    emptied: Arc<Notify>,
    in_flight: Arc<AtomicU32>,
}

/// One of the places, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    in_flight: Arc<AtomicU32>,
    emptied: Arc<Notify>,
    _permit: OwnedSemaphorePermit,
}

impl Admission {
    pub(super) fn new(concurrency: u32, queue: u32) -> Self {
        let places = usize::try_from(concurrency)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(places)),
            concurrency,
            queue,
            queued: AtomicU32::new(0),
            emptied: Arc::default(),
            in_flight: Arc::default(),
        }
    }

    /// A place if one is free and nobody waits for it.
    pub(super) fn try_enter(&self) -> Option<Place> {
        Arc::clone(&self.places)
            .try_acquire_owned()
            .ok()
            .map(|permit| self.place(permit))
    }

    /// A place, in the order of arrival.
    pub(super) async fn enter(&self) -> Result<Place, Failure> {
        if let Some(place) = self.try_enter() {
            return Ok(place);
        }
        let _waiting = self.join_queue()?;
        match Arc::clone(&self.places).acquire_owned().await {
            Ok(permit) => Ok(self.place(permit)),
            Err(_) => Err(Failure::new(FailureKind::Stopping, "the task is being stopped")),
        }
    }

    fn join_queue(&self) -> Result<Waiting<'_>, Failure> {
        if self.places.is_closed() {
            return Err(Failure::new(FailureKind::Stopping, "the task is being stopped"));
        }
        let waiting = Waiting::new(&self.queued, &self.emptied);
        if waiting.ahead >= self.queue {
            let Self {
                concurrency, queue, ..
            } = self;
            let reason = format!("all {concurrency} places are taken and {queue} requests wait already");
            return Err(Failure::new(FailureKind::QueueFull, reason));
        }
        Ok(waiting)
    }

    fn place(&self, permit: OwnedSemaphorePermit) -> Place {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        Place {
            in_flight: Arc::clone(&self.in_flight),
            emptied: Arc::clone(&self.emptied),
            _permit: permit,
        }
    }

    /// Turns everybody away who has no place yet.
    pub(super) fn close(&self) {
        self.places.close();
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::SeqCst)
    }

    pub(super) fn queued(&self) -> u32 {
        self.queued.load(Ordering::SeqCst)
    }

    /// Resolves when no place is taken.
    pub(super) async fn idle(&self) {
        loop {
            let emptied = self.emptied.notified();
            let mut emptied = std::pin::pin!(emptied);
            emptied.as_mut().enable();
            if self.in_flight() == 0 && self.queued() == 0 {
                return;
            }
            emptied.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.emptied.notify_waiters();
        }
    }
}

/// A request in the queue.
struct Waiting<'a> {
    queued: &'a AtomicU32,
    emptied: &'a Notify,
    ahead: u32,
}

impl<'a> Waiting<'a> {
    fn new(queued: &'a AtomicU32, emptied: &'a Notify) -> Self {
        let ahead = queued.fetch_add(1, Ordering::SeqCst);
        Self {
            queued,
            emptied,
            ahead,
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.queued.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests;
