//! The wall clock and the monotonic clock, timers included.

use tokio_util::sync::CancellationToken;
use wasmtime::component::Linker;
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::p2::bindings::clocks;

use super::{Capability, ConfigureError, Configured, Prepare, PrepareError, TaskContext};
use crate::guest_state::{GuestState, InstanceParts};
use crate::timers::{MonotonicClock, Timers};

#[derive(Debug)]
pub(super) struct Clocks;

impl Capability for Clocks {
    fn link(&self, linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
        clocks::wall_clock::add_to_linker::<GuestState, WasiClocks>(linker, GuestState::clocks)?;
        clocks::monotonic_clock::add_to_linker::<GuestState, MonotonicClock<'static>>(
            linker,
            GuestState::monotonic_clock,
        )
    }

    fn configure(&self, task: &TaskContext<'_>) -> Result<Configured, ConfigureError> {
        Ok(Some(Box::new(WokenByStop(task.stop.clone()))))
    }
}

#[derive(Debug)]
struct WokenByStop(CancellationToken);

impl Prepare for WokenByStop {
    fn prepare(&self, instance: &mut InstanceParts) -> Result<(), PrepareError> {
        instance.timers = Timers::new(self.0.clone());
        Ok(())
    }
}
