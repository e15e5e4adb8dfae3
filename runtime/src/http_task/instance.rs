//! One Wasm instance of an HTTP task, and the warm ones that wait for their next request.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Request;
use tokio::sync::oneshot;
use tokio::time::Instant;
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};
use wasmtime_wasi_http::{WasiBody, WasiHttpView};

use super::flight::Flight;
use super::{Head, SCHEME};
use crate::failure::Failure;
use crate::guest_state::GuestState;
use crate::meter::Meter;
use crate::task::{PlacedStore, Room, TaskCore};

/// An instance and its place in the engine's pool.
pub(super) struct Instance {
    placed: PlacedStore,
    proxy: Proxy,
    served: u32,
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance")
            .field("served", &self.served)
            .finish_non_exhaustive()
    }
}

impl Instance {
    /// Prepares and instantiates; the start functions run here.
    pub(super) async fn start(
        core: &TaskCore,
        pre: &ProxyPre<GuestState>,
        room: Room,
        meter: Arc<Meter>,
    ) -> Result<Self, Failure> {
        let mut placed = core.store(room, meter)?;
        match pre.instantiate_async(&mut placed.store).await {
            Ok(proxy) => Ok(Self {
                placed,
                proxy,
                served: 0,
            }),
            Err(error) => Err(Failure::of_start(&error, placed.store.data())),
        }
    }

    pub(super) fn state(&self) -> &GuestState {
        self.placed.store.data()
    }

    /// Requests this instance has taken.
    pub(super) fn served(&self) -> u32 {
        self.served
    }

    /// Makes the instance's use from here on the request's.
    pub(super) fn begin_request(&mut self, meter: Arc<Meter>, peak: Arc<AtomicU64>) {
        self.served += 1;
        let state = self.placed.store.data_mut();
        state.meter = meter;
        state.memory.begin_request(peak);
    }

    /// Runs the guest's handler to its return. The head goes out through `head` on the way.
    pub(super) async fn handle(
        &mut self,
        request: Request<WasiBody>,
        head: oneshot::Sender<Head>,
        flight: Arc<Flight>,
    ) -> wasmtime::Result<()> {
        let mut http = self.placed.store.data_mut().http();
        let request = http.new_incoming_request(SCHEME, request)?;
        let out = http.new_response_outparam_from_callback(move |answer| {
            if let Some(answer) = flight.answered(answer) {
                // Whoever asked may have left.
                let _ = head.send(answer);
            }
        })?;
        self.proxy
            .wasi_http_incoming_handler()
            .call_handle(&mut self.placed.store, request, out)
            .await
    }
}

/// How long an instance waits for a request before it is let go; the one used last is kept.
pub(super) const WARM_LIFETIME: Duration = Duration::from_secs(60);

/// Instances between requests (`isolation = "task"`).
#[derive(Debug, Default)]
pub(super) struct WarmInstances(Mutex<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    /// With the time each was put here: the one put here last comes last.
    instances: VecDeque<(Instant, Instance)>,
    closed: bool,
    /// Somebody looks after instances that wait too long.
    tended: bool,
}

/// Whether a shelf needs somebody to look after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tending {
    Needed,
    NotNeeded,
}

impl WarmInstances {
    /// The one used last: its memory is the likeliest to be in the CPU's caches.
    pub(super) fn take(&self) -> Option<Instance> {
        self.shelf().instances.pop_back().map(|(_, instance)| instance)
    }

    /// Keeps an instance. Where tending is needed, [`drop_idle`](Self::drop_idle) is to be called from time to time
    /// until it says that it isn't any more.
    pub(super) fn keep(&self, instance: Instance) -> Tending {
        let mut shelf = self.shelf();
        if shelf.closed {
            return Tending::NotNeeded;
        }
        shelf.instances.push_back((Instant::now(), instance));
        if shelf.instances.len() < 2 || shelf.tended {
            return Tending::NotNeeded;
        }
        shelf.tended = true;
        Tending::Needed
    }

    /// Drops the instances that have waited too long, but for the last one.
    pub(super) fn drop_idle(&self) -> Tending {
        let mut shelf = self.shelf();
        let mut idle = Vec::new();
        let waited = |shelf: &Shelf| {
            shelf
                .instances
                .front()
                .is_some_and(|(at, _)| at.elapsed() >= WARM_LIFETIME)
        };
        while shelf.instances.len() > 1 && waited(&shelf) {
            idle.extend(shelf.instances.pop_front());
        }
        shelf.tended = shelf.instances.len() > 1;
        let tending = if shelf.tended {
            Tending::Needed
        } else {
            Tending::NotNeeded
        };
        drop(shelf);
        drop(idle);
        tending
    }

    /// Drops all of them, and those that come later.
    pub(super) fn close(&self) {
        let mut shelf = self.shelf();
        shelf.closed = true;
        let instances = std::mem::take(&mut shelf.instances);
        drop(shelf);
        drop(instances);
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
