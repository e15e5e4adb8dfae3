//! The wall clock and the monotonic clock, timers included.

use wasmtime::component::Linker;
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::p2::bindings::clocks;

use super::{Capability, ConfigureError, Configured, TaskContext};
use crate::guest_state::GuestState;

#[derive(Debug)]
pub(super) struct Clocks;

impl Capability for Clocks {
    fn link(&self, linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
        clocks::wall_clock::add_to_linker::<GuestState, WasiClocks>(linker, GuestState::clocks)?;
        clocks::monotonic_clock::add_to_linker::<GuestState, WasiClocks>(linker, GuestState::clocks)
    }

    fn configure(&self, _task: &TaskContext<'_>) -> Result<Configured, ConfigureError> {
        Ok(None)
    }
}
