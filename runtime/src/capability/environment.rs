//! Plain environment variables and command-line arguments.

use wasmtime::component::Linker;
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::p2::bindings::cli;

use super::{Capability, ConfigureError, Configured, Prepare, PrepareError, TaskContext};
use crate::guest_state::{GuestState, InstanceParts};

#[derive(Debug)]
pub(super) struct Environment;

impl Capability for Environment {
    fn link(&self, linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
        cli::environment::add_to_linker::<GuestState, WasiCli>(linker, GuestState::cli)
    }

    fn configure(&self, task: &TaskContext<'_>) -> Result<Configured, ConfigureError> {
        let program = std::iter::once(PROGRAM_NAME.to_owned());
        Ok(Some(Box::new(Variables {
            args: program.chain(task.spec.args.iter().cloned()).collect(),
            env: task.spec.env.clone(),
        })))
    }
}

/// The first argument, which programs take for their own name.
const PROGRAM_NAME: &str = "main";

#[derive(Debug)]
struct Variables {
    args: Vec<String>,
    env: Vec<(String, String)>,
}

impl Prepare for Variables {
    fn prepare(&self, instance: &mut InstanceParts) -> Result<(), PrepareError> {
        instance.wasi.args(&self.args).envs(&self.env);
        Ok(())
    }
}
