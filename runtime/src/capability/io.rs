//! Streams, polling and errors: what every other interface is made of.

use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::WasiView;
use wasmtime_wasi_io::bindings::wasi::io;

use super::{Capability, ConfigureError, Configured, TaskContext};
use crate::guest_state::GuestState;
use crate::timers::Polling;

#[derive(Debug)]
pub(super) struct Io;

/// All that streams and errors need of an instance is its table of handles.
struct Handles;

impl HasData for Handles {
    type Data<'a> = &'a mut ResourceTable;
}

impl Capability for Io {
    fn link(&self, linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
        io::error::add_to_linker::<GuestState, Handles>(linker, |state| state.ctx().table)?;
        io::poll::add_to_linker::<GuestState, Polling<'static>>(linker, GuestState::polling)?;
        io::streams::add_to_linker::<GuestState, Handles>(linker, |state| state.ctx().table)
    }

    fn configure(&self, _task: &TaskContext<'_>) -> Result<Configured, ConfigureError> {
        Ok(None)
    }
}
