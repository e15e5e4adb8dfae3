//! How many files a task has open: counted over its instances, streams that outlive their descriptors included.
//!
//! An open file is the process's, and every task shares the process's limit. What the engine opens for a guest it keeps
//! behind a shared pointer, so a file counts for as long as anything of the guest's still points to it.

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, Host, HostDescriptor, OpenFlags, PathFlags,
};

use crate::capability::logging::TaskLog;
use crate::guest_state::GuestState;

/// Files and directories one task may have open, over all its instances.
pub(crate) const MAX_OPEN_FILES: usize = 256;

/// The interface that opens files, as the engine's crate names it.
const FILESYSTEM: &str = "wasi:filesystem/types@0.2.12";

/// A task's open files.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    log: TaskLog,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    /// May hold some that are closed.
    open: Vec<Weak<File>>,
    /// Being opened now.
    opening: usize,
}

/// A file that is being opened. Dropped without one, it was not.
struct Opening<'a>(&'a OpenFiles);

impl OpenFiles {
    pub(super) fn new(log: TaskLog) -> Self {
        Self {
            log,
            books: Mutex::default(),
        }
    }

    /// Begins to open one more, if there may be one more.
    fn begin(&self) -> Option<Opening<'_>> {
        let mut books = self.books();
        if books.open.len() + books.opening >= MAX_OPEN_FILES {
            books.open.retain(|file| file.strong_count() > 0);
        }
        if books.open.len() + books.opening >= MAX_OPEN_FILES {
            drop(books);
            self.log.system(&format!(
                "a file was not opened: the task has {MAX_OPEN_FILES} open, which is the limit"
            ));
            return None;
        }
        books.opening += 1;
        Some(Opening(self))
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opening<'_> {
    fn opened(self, descriptor: &Descriptor) {
        let file = match descriptor {
            Descriptor::File(file) => &file.file,
            Descriptor::Dir(dir) => &dir.dir,
        };
        self.0.books().open.push(Arc::downgrade(file));
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.books().opening -= 1;
    }
}

/// What opens a file takes, in WASI's order.
type OpenAt = (
    Resource<Descriptor>,
    PathFlags,
    String,
    OpenFlags,
    DescriptorFlags,
);

/// Puts the count around the engine's way of opening files.
pub(super) fn link(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    linker.instance(FILESYSTEM)?.func_wrap_async(
        "[method]descriptor.open-at",
        |mut store, arguments: OpenAt| {
            Box::new(async move { Ok((open_at(store.data_mut(), arguments).await?,)) })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

async fn open_at(
    state: &mut GuestState,
    (dir, path_flags, path, open_flags, flags): OpenAt,
) -> wasmtime::Result<Result<Resource<Descriptor>, ErrorCode>> {
    let Some(files) = state.open_files() else {
        // Without a mount there is no directory to open something in.
        return Ok(Err(ErrorCode::BadDescriptor));
    };
    let Some(opening) = files.begin() else {
        // WASI has no word for "too many open files"; this is what it has for a host that can't hold more.
        return Ok(Err(ErrorCode::InsufficientMemory));
    };
    let mut view = state.filesystem();
    match view.open_at(dir, path_flags, path, open_flags, flags).await {
        Ok(opened) => {
            opening.opened(view.table.get(&opened)?);
            Ok(Ok(opened))
        }
        Err(error) => view.convert_error_code(error).map(Err),
    }
}

#[cfg(test)]
mod tests;
