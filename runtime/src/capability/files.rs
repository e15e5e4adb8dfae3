//! Read-only directories of the bundle. A guest sees its mounts and nothing above or beside them.

use wasmtime::component::Linker;
use wasmtime_wasi::FsPerms;
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem;

use super::{Capability, ConfigureError, Configured, Prepare, PrepareError, TaskContext};
use crate::guest_state::{GuestState, InstanceParts};
use crate::spec::Mount;

#[derive(Debug)]
pub(super) struct Files;

impl Capability for Files {
    fn link(&self, linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
        filesystem::types::add_to_linker::<GuestState, WasiFilesystem>(linker, GuestState::filesystem)?;
        filesystem::preopens::add_to_linker::<GuestState, WasiFilesystem>(linker, GuestState::filesystem)
    }

    fn configure(&self, task: &TaskContext<'_>) -> Result<Configured, ConfigureError> {
        let mounts = task.spec.files.clone();
        for mount in &mounts {
            std::fs::read_dir(&mount.host).map_err(|source| ConfigureError::Files {
                guest: mount.guest.clone(),
                source,
            })?;
        }
        Ok((!mounts.is_empty()).then(|| Box::new(Mounts(mounts)) as Box<dyn Prepare>))
    }
}

#[derive(Debug)]
struct Mounts(Vec<Mount>);

impl Prepare for Mounts {
    fn prepare(&self, instance: &mut InstanceParts) -> Result<(), PrepareError> {
        // On the guest's own time: on other threads, reading directories would cost the task nothing.
        instance.wasi.allow_blocking_current_thread(true);
        for Mount { host, guest } in &self.0 {
            instance
                .wasi
                .preopened_dir(host, guest, FsPerms::ReadOnly)
                .map_err(|error| PrepareError::Files {
                    guest: guest.clone(),
                    why: format!("{error:#}"),
                })?;
        }
        Ok(())
    }
}
