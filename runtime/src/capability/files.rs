//! Read-only directories of the bundle. A guest sees its mounts and nothing above or beside them.

use std::fmt;
use std::sync::Arc;

use wasmtime::component::Linker;
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemCtx, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem;
use wasmtime_wasi::{FsPerms, WasiCtx};

use super::{Capability, ConfigureError, Configured, Prepare, PrepareError, TaskContext};
use crate::guest_state::{GuestState, InstanceParts};
use crate::spec::Mount;

mod open;
pub(crate) use open::OpenFiles;

#[derive(Debug)]
pub(super) struct Files;

impl Capability for Files {
    fn link(&self, linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
        filesystem::types::add_to_linker::<GuestState, WasiFilesystem>(linker, GuestState::filesystem)?;
        filesystem::preopens::add_to_linker::<GuestState, WasiFilesystem>(linker, GuestState::filesystem)?;
        open::link(linker)
    }

    fn configure(&self, task: &TaskContext<'_>) -> Result<Configured, ConfigureError> {
        if task.spec.files.is_empty() {
            return Ok(None);
        }
        let mut wasi = WasiCtx::builder();
        // On the guest's own time: on other threads, reading directories would cost the task nothing.
        wasi.allow_blocking_current_thread(true);
        for Mount { host, guest } in &task.spec.files {
            wasi.preopened_dir(host, guest, FsPerms::ReadOnly)
                .map_err(|error| ConfigureError::Files {
                    guest: guest.clone(),
                    why: format!("{error:#}"),
                })?;
        }
        Ok(Some(Box::new(Mounts {
            directories: wasi.build().filesystem().clone(),
            files: Arc::new(OpenFiles::new(task.log.clone())),
        })))
    }
}

/// A task's directories, opened once for all its instances.
struct Mounts {
    directories: WasiFilesystemCtx,
    files: Arc<OpenFiles>,
}

impl fmt::Debug for Mounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mounts")
    }
}

/// An instance's part of its task's files.
pub(crate) struct InstanceFiles {
    pub(crate) directories: WasiFilesystemCtx,
    pub(crate) open: Arc<OpenFiles>,
}

impl Prepare for Mounts {
    fn prepare(&self, instance: &mut InstanceParts) -> Result<(), PrepareError> {
        instance.files = Some(InstanceFiles {
            directories: self.directories.clone(),
            open: Arc::clone(&self.files),
        });
        Ok(())
    }
}
