//! What the host keeps for one instance: the data of its store.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store};
use wasmtime_wasi::clocks::WasiClocksCtxView;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::capability::files::{InstanceFiles, OpenFiles};
use crate::capability::key_value;
use crate::memory::InstanceMemory;
use crate::meter::{Meter, TICKS_PER_LOOK};
use crate::outgoing::OutgoingHooks;
use crate::timers::{MonotonicClock, Polling, Timers};

/// Handles (streams, requests, timers, files …) one instance may hold at once. What stands behind them is the
/// host's memory, so this bounds what can't be charged.
const MAX_HANDLES: usize = 512;
/// Handles the engine keeps for the guest's side of them, those of resources that components of one bundle make for
/// each other included, which the host never sees.
const MAX_COMPONENT_HANDLES: usize = 2048;
/// Bytes one call into the host may copy out of the guest: a piece of a body and its surroundings.
const MAX_HOSTCALL_COPY: usize = 128 * 1024;
/// Size of a header block as the host holds it, which is larger than on the wire.
const MAX_HEADERS: usize = 64 * 1024;

/// An instance's host-side state.
pub(crate) struct GuestState {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outgoing: OutgoingHooks,
    timers: Timers,
    open_files: Option<Arc<OpenFiles>>,
    key_value: Option<key_value::Charged>,
    pub(crate) memory: InstanceMemory,
    pub(crate) meter: Arc<Meter>,
}

/// What capabilities fill in before an instance exists.
pub(crate) struct InstanceParts {
    pub(crate) wasi: WasiCtxBuilder,
    pub(crate) outgoing: OutgoingHooks,
    pub(crate) timers: Timers,
    /// Absent where the task has no files.
    pub(crate) files: Option<InstanceFiles>,
    pub(crate) key_value: Option<key_value::Charged>,
}

impl InstanceParts {
    pub(crate) fn new() -> Self {
        Self {
            wasi: WasiCtx::builder(),
            outgoing: OutgoingHooks::deny_all(),
            timers: Timers::new(CancellationToken::new()),
            files: None,
            key_value: None,
        }
    }
}

/// A store for one instance, bounded in everything the engine lets be bounded.
pub(crate) fn new_store(
    engine: &Engine,
    mut parts: InstanceParts,
    memory: InstanceMemory,
    meter: Arc<Meter>,
) -> Store<GuestState> {
    let mut table = ResourceTable::new();
    table.set_max_capacity(MAX_HANDLES);
    let mut http = WasiHttpCtx::new();
    http.set_field_size_limit(MAX_HEADERS);
    let mut wasi = parts.wasi.build();
    let open_files = parts.files.map(|InstanceFiles { directories, open }| {
        *wasi.filesystem() = directories;
        open
    });
    let state = GuestState {
        table,
        wasi,
        http,
        outgoing: parts.outgoing,
        timers: parts.timers,
        open_files,
        key_value: parts.key_value,
        memory,
        meter,
    };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(MAX_HOSTCALL_COPY);
    store.set_max_component_handles(MAX_COMPONENT_HANDLES);
    store.set_epoch_deadline(TICKS_PER_LOOK);
    store.epoch_deadline_callback(|context| Ok(context.data().meter.look()));
    store
}

impl GuestState {
    /// The task's open files, if it may have some.
    pub(crate) fn open_files(&self) -> Option<Arc<OpenFiles>> {
        self.open_files.clone()
    }

    /// What the key-value store's functions need.
    pub(crate) fn key_value(&mut self) -> key_value::View<'_> {
        key_value::View {
            table: &mut self.table,
            charged: self.key_value.as_ref(),
        }
    }

    /// What polling needs.
    pub(crate) fn polling(&mut self) -> Polling<'_> {
        Polling {
            table: &mut self.table,
            timers: &mut self.timers,
        }
    }

    /// What the monotonic clock needs.
    pub(crate) fn monotonic_clock(&mut self) -> MonotonicClock<'_> {
        MonotonicClock {
            clocks: WasiClocksCtxView {
                ctx: self.wasi.clocks(),
                table: &mut self.table,
            },
            timers: &mut self.timers,
        }
    }
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for GuestState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.outgoing,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}
