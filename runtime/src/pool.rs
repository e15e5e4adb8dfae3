//! Places in the engine's pool, handed out in the order in which they were asked for.
//!
//! The pool holds so many component instances, core instances, memories and tables, and refuses what doesn't fit. So
//! each instance takes what its component is known to need before it is made, and waits in line where that isn't free:
//! the pool itself then never refuses one. The line moves when something is given back, and whoever is first is not
//! overtaken by those who need less.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// What a pool has room for, or what one instance takes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Places {
    /// Component instances; a stack each.
    pub(crate) instances: u32,
    pub(crate) core_instances: u32,
    pub(crate) memories: u32,
    pub(crate) tables: u32,
}

impl Places {
    /// Of each the figure that `choose` makes of both.
    fn zip(self, other: Self, choose: impl Fn(u32, u32) -> u32) -> Self {
        Self {
            instances: choose(self.instances, other.instances),
            core_instances: choose(self.core_instances, other.core_instances),
            memories: choose(self.memories, other.memories),
            tables: choose(self.tables, other.tables),
        }
    }

    /// One of `parts` of it, and at least `least`.
    pub(crate) fn share(self, parts: u32, least: Self) -> Self {
        self.zip(least, |all, least| (all / parts.max(1)).max(least))
    }

    /// What is left of it, if `wanted` fits.
    fn without(self, wanted: Self) -> Option<Self> {
        let fits = self.zip(wanted, u32::min) == wanted;
        fits.then(|| self.zip(wanted, u32::saturating_sub))
    }

    fn with(self, returned: Self) -> Self {
        self.zip(returned, u32::saturating_add)
    }
}

/// A number of places and the line in front of them. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Pool(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: Places,
    line: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    wanted: Places,
    granted: oneshot::Sender<Place>,
}

/// Places taken, given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    pool: Pool,
    taken: Places,
}

impl Pool {
    pub(crate) fn new(size: Places) -> Self {
        let line = VecDeque::new();
        Self(Arc::new(Mutex::new(State { free: size, line })))
    }

    /// The places, if they are free and nobody waits.
    pub(crate) fn try_take(&self, wanted: Places) -> Option<Place> {
        let mut state = self.lock();
        if !state.line.is_empty() {
            return None;
        }
        state.free = state.free.without(wanted)?;
        drop(state);
        Some(self.place(wanted))
    }

    /// The places, when it is this one's turn. Dropping the future leaves the line.
    pub(crate) async fn take(&self, wanted: Places) -> Place {
        if let Some(place) = self.try_take(wanted) {
            return place;
        }
        let (granted, receiver) = oneshot::channel();
        self.lock().line.push_back(Waiting { wanted, granted });
        let mut waits = InLine { pool: self, receiver };
        // What was given back before there was a line went to nobody.
        self.advance();
        match (&mut waits.receiver).await {
            Ok(place) => place,
            // Nobody leaves the line but by being served, or by this future's drop.
            Err(_) => std::future::pending().await,
        }
    }

    /// Hands out what is free to those who are first.
    fn advance(&self) {
        let mut served = Vec::new();
        let mut state = self.lock();
        while let Some(first) = state.line.front()
            && let Some(left) = state.free.without(first.wanted)
        {
            state.free = left;
            served.extend(state.line.pop_front());
        }
        drop(state);
        for Waiting { wanted, granted } in served {
            // Whoever left in this moment gives it back by dropping it.
            let _ = granted.send(self.place(wanted));
        }
    }

    /// Takes those out of the line who wait no more.
    fn leave(&self) {
        self.lock().line.retain(|waiting| !waiting.granted.is_closed());
        self.advance();
    }

    fn place(&self, taken: Places) -> Place {
        Place {
            pool: self.clone(),
            taken,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        state.free = state.free.with(self.taken);
        drop(state);
        self.pool.advance();
    }
}

/// Somebody who waits.
struct InLine<'a> {
    pool: &'a Pool,
    receiver: oneshot::Receiver<Place>,
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.receiver.close();
        self.pool.leave();
    }
}

#[cfg(test)]
mod tests;
