//! Random bytes, bounded per call: generating them is host work that no tick can interrupt.

use wasmtime::component::Linker;
use wasmtime_wasi::WasiView;
use wasmtime_wasi::p2::bindings::random;
use wasmtime_wasi::random::WasiRandom;

use super::{Capability, ConfigureError, Configured, Prepare, PrepareError, TaskContext};
use crate::guest_state::{GuestState, InstanceParts};

/// Bytes one call may ask for: about half a millisecond's work. A longer request traps.
const MAX_RANDOM_BYTES: u64 = 256 * 1024;

#[derive(Debug)]
pub(super) struct Random;

impl Capability for Random {
    fn link(&self, linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
        let l = linker;
        random::random::add_to_linker::<GuestState, WasiRandom>(l, |state| state.ctx().ctx.random())?;
        random::insecure::add_to_linker::<GuestState, WasiRandom>(l, |state| state.ctx().ctx.random())?;
        random::insecure_seed::add_to_linker::<GuestState, WasiRandom>(l, |state| state.ctx().ctx.random())
    }

    fn configure(&self, _task: &TaskContext<'_>) -> Result<Configured, ConfigureError> {
        Ok(Some(Box::new(Bounded)))
    }
}

#[derive(Debug)]
struct Bounded;

impl Prepare for Bounded {
    fn prepare(&self, instance: &mut InstanceParts) -> Result<(), PrepareError> {
        instance.wasi.max_random_size(MAX_RANDOM_BYTES);
        Ok(())
    }
}
