//! Loads compiled code into the process. The one place of this crate where the compiler can't vouch for us.

use std::path::Path;

use wasmtime::Engine;
use wasmtime::component::Component;

/// Maps the code at `path`.
#[expect(
    unsafe_code,
    reason = "native code from a file has to be trusted; why it can be is said here"
)]
pub(super) fn component(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file was written by this program's own compiler (a child process) and renamed into a directory
    // that only this user can enter (0700), is never written again, and its SHA-256 was just compared with
    // the one recorded when it was written. The engine itself refuses code of other versions or settings.
    unsafe { Component::deserialize_file(engine, path) }
}
