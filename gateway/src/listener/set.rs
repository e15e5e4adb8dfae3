//! The listeners of a gateway: opened, changed and closed while the others go on.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;

use super::{Bound, Listener, ListenerError, ListenerStatus, change::Left, connections::Phase};
use crate::{
    config::ListenerSpec,
    gateway::{Closed, Shared, Threads},
    names::ListenerName,
};

/// Open listeners by name, and those that are about to be gone.
pub(crate) struct Listeners {
    threads: Threads,
    shared: Arc<Shared>,
    sets: Mutex<Sets>,
    /// Held while one listener is changed.
    changing: Mutex<()>,
}

#[derive(Default)]
struct Sets {
    open: BTreeMap<ListenerName, Arc<Listener>>,
    /// No longer listening, with requests under way.
    closing: Vec<Arc<Listener>>,
}

impl Listeners {
    pub(crate) fn new(threads: Threads, shared: Arc<Shared>) -> Self {
        Self {
            threads,
            shared,
            sets: Mutex::default(),
            changing: Mutex::default(),
        }
    }

    pub(crate) fn bind(&self, spec: ListenerSpec) -> Result<Bound, ListenerError> {
        if self.lock().open.contains_key(&spec.name) {
            return Err(ListenerError::SameName(spec.name));
        }
        Bound::bind(spec, &self.threads)
    }

    pub(crate) fn open(&self, bound: Bound) -> Result<SocketAddr, ListenerError> {
        let mut sets = self.lock();
        if sets.open.contains_key(bound.name()) {
            return Err(ListenerError::SameName(bound.name().clone()));
        }
        let local = bound.local_addr();
        let listener = Listener::open(bound, &self.threads, &self.shared);
        sets.open.insert(listener.name.clone(), listener);
        Ok(local)
    }

    pub(crate) fn reconfigure(&self, specs: &[ListenerSpec]) -> Result<(), ListenerError> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = Left::default();
        let mut listeners = Vec::with_capacity(specs.len());
        for spec in specs {
            let unknown = || ListenerError::Unknown(spec.name.clone());
            let listener = self.get(&spec.name).ok_or_else(unknown)?;
            listener.leave(spec, &mut left);
            listeners.push(listener);
        }
        // Files are read for this, and nobody who asks for a listener is to wait for a disk.
        let prepared = specs.iter().zip(&listeners);
        let prepared = prepared.map(|(spec, listener)| listener.prepare(spec, &mut left, &self.threads));
        let changes = prepared.collect::<Result<Vec<_>, _>>()?;
        let sets = self.lock();
        for listener in &listeners {
            let open = sets.open.get(&listener.name);
            // It may have been closed meanwhile.
            if !open.is_some_and(|open| Arc::ptr_eq(open, listener)) {
                return Err(ListenerError::Unknown(listener.name.clone()));
            }
        }
        // What nobody has taken over is for those who leave it to close.
        drop(left);
        for (listener, change) in listeners.iter().zip(changes) {
            listener.change(change, &self.threads, &self.shared);
        }
        Ok(())
    }

    pub(crate) async fn close(&self, name: &ListenerName, grace: Duration) -> Result<Closed, ListenerError> {
        let listener = {
            let mut sets = self.lock();
            let listener = sets
                .open
                .remove(name)
                .ok_or_else(|| ListenerError::Unknown(name.clone()))?;
            sets.closing.push(listener.clone());
            listener
        };
        let closed = listener.close(grace).await;
        self.lock().closing.retain(|other| !Arc::ptr_eq(other, &listener));
        Ok(closed)
    }

    pub(crate) async fn close_all(&self, grace: Duration) -> Closed {
        let all: Vec<_> = {
            let mut sets = self.lock();
            let open = std::mem::take(&mut sets.open);
            sets.closing.extend(open.into_values());
            sets.closing.clone()
        };
        let closed = join_all(all.iter().map(|listener| listener.close(grace))).await;
        self.lock().closing.clear();
        let cut = closed.iter().map(|closed| match closed {
            Closed::Drained => 0,
            Closed::Cut { connections } => *connections,
        });
        match cut.sum() {
            0 => Closed::Drained,
            connections => Closed::Cut { connections },
        }
    }

    pub(crate) fn get(&self, name: &ListenerName) -> Option<Arc<Listener>> {
        self.lock().open.get(name).cloned()
    }

    /// All that are open.
    pub(crate) fn list(&self) -> Vec<Arc<Listener>> {
        self.lock().open.values().cloned().collect()
    }

    pub(crate) fn statuses(&self) -> Vec<ListenerStatus> {
        let sets = self.lock();
        sets.open
            .values()
            .filter_map(|listener| listener.status())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Sets> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        let sets = self.lock();
        for listener in sets.open.values().chain(&sets.closing) {
            listener.connections.proceed(Phase::Cut);
        }
    }
}
