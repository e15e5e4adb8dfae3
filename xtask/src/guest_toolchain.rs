//! Finding a toolchain that compiles for `wasm32-wasip2`.
//!
//! Two places can have one: the active toolchain (`rustup target add wasm32-wasip2`, or a distribution's
//! compiler whose sysroot holds the target), and the toolchain linked under the name `guest` by
//! `scripts/guest-toolchain.sh`. Std only and without a word about this repository's layout, so that
//! whatever builds a guest can use it.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The target of every guest.
pub(crate) const GUEST_TARGET: &str = "wasm32-wasip2";

/// The name under which `scripts/guest-toolchain.sh` links the toolchain it makes.
const LINKED_NAME: &str = "guest";

/// A toolchain that has the guest target's standard library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GuestToolchain {
    /// The one that plain `cargo` uses.
    Active,
    /// The one linked as `guest`.
    Linked,
}

impl GuestToolchain {
    /// Look in both places; the active toolchain wins.
    pub(crate) fn find() -> Result<Self, NoGuestToolchain> {
        if has_target(None) {
            Ok(Self::Active)
        } else if has_target(Some(LINKED_NAME)) {
            Ok(Self::Linked)
        } else {
            Err(NoGuestToolchain)
        }
    }

    /// Make `cargo` (started by name) use this toolchain.
    pub(crate) fn apply(self, cargo: &mut Command) {
        if self == Self::Linked {
            cargo.env("RUSTUP_TOOLCHAIN", LINKED_NAME);
        }
    }
}

impl fmt::Display for GuestToolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "the active toolchain",
            Self::Linked => "the toolchain linked as `guest`",
        })
    }
}

/// Neither place has the target.
#[derive(Debug)]
pub(crate) struct NoGuestToolchain;

impl fmt::Display for NoGuestToolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no Rust toolchain here has the standard library for {GUEST_TARGET}\n\
             with rustup:                   rustup target add {GUEST_TARGET}\n\
             with Debian's Rust or offline: scripts/guest-toolchain.sh   (compiles it from Debian's packages, as root)\n\
             elsewhere: install your distribution's std for {GUEST_TARGET}, or link a toolchain that has it: \
             rustup toolchain link {LINKED_NAME} DIR"
        )
    }
}

impl std::error::Error for NoGuestToolchain {}

/// Does this toolchain's sysroot hold a compiled `std` for the target?
fn has_target(toolchain: Option<&str>) -> bool {
    let mut rustc = Command::new("rustc");
    rustc
        .args(["--print", "target-libdir", "--target", GUEST_TARGET])
        .stderr(Stdio::null());
    if let Some(name) = toolchain {
        rustc.env("RUSTUP_TOOLCHAIN", name);
        // Without rustup `RUSTUP_TOOLCHAIN` means nothing, and the answer would be the active one's again.
    }
    let Ok(output) = rustc.output() else { return false };
    if !output.status.success() {
        return false;
    }
    let libdir = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end());
    let Ok(entries) = libdir.read_dir() else {
        return false;
    };
    entries.flatten().any(|entry| is_std(&entry.file_name()))
}

fn is_std(file: &OsStr) -> bool {
    let name = file.to_string_lossy();
    name.starts_with("libstd-") && name.ends_with(".rlib")
}
