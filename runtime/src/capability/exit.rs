//! Ending the program, with a code where the guest knows codes.

use wasmtime::component::Linker;
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::p2::bindings::cli;

use super::{Capability, ConfigureError, Configured, TaskContext};
use crate::guest_state::GuestState;

#[derive(Debug)]
pub(super) struct Exit;

impl Capability for Exit {
    fn link(&self, linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
        cli::exit::add_to_linker::<GuestState, WasiCli>(linker, GuestState::cli)
    }

    fn configure(&self, _task: &TaskContext<'_>) -> Result<Configured, ConfigureError> {
        Ok(None)
    }
}
