//! What can't be packaged: what it is here, and where the manifest names it.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::super::error::{FieldPath, Location};
use super::{MAX_BUNDLE_FILES, MAX_BUNDLE_SIZE, MAX_COMPONENT_SIZE, MAX_DEPTH};

/// What can't be packaged, and where the manifest names it.
#[derive(Debug)]
pub struct Unpackable {
    pub(in super::super) field: FieldPath,
    pub(in super::super) location: Option<Location>,
    // Boxed, as every result would be as large otherwise.
    error: Box<PackageError>,
}

impl Unpackable {
    pub(super) fn new(field: FieldPath, error: PackageError) -> Self {
        Self {
            field,
            location: None,
            error: Box::new(error),
        }
    }
}

impl fmt::Display for Unpackable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(f, "{location}: ")?;
        }
        self.error.fmt(f)
    }
}

impl Error for Unpackable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// What can't be packaged.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// No component.
    #[error("there is no component at {}: {}", path.display(), make(build.as_deref(), folder))]
    NoComponent {
        /// Where it should be.
        path: PathBuf,
        /// The command that makes it, where the manifest says one.
        build: Option<String>,
        /// The manifest's folder, which the command is run in.
        folder: PathBuf,
    },
    /// A component that is uploaded already, not a file.
    #[error("`component` in [task] is a digest, only a server knows it: name a file")]
    NotAFile,
    /// A component over the bound.
    #[error("the component {} has {size} bytes, {MAX_COMPONENT_SIZE} (64 MiB) are allowed: build it with `--release`, or strip it", path.display())]
    ComponentTooLarge {
        /// Which.
        path: PathBuf,
        /// In bytes.
        size: u64,
    },
    /// A bundle over the bound.
    #[error("the component and its files are larger than {MAX_BUNDLE_SIZE} bytes (256 MiB), at {}: leave some out", path.display())]
    BundleTooLarge {
        /// The file that went over.
        path: PathBuf,
    },
    /// Too many files.
    #[error("`files` are more than {MAX_BUNDLE_FILES} files and folders, at {}: leave some out", path.display())]
    TooManyFiles {
        /// The file that went over.
        path: PathBuf,
    },
    /// Folders within folders without end.
    #[error("{} is more than {MAX_DEPTH} folders deep", path.display())]
    TooDeep {
        /// Which.
        path: PathBuf,
    },
    /// A source that isn't there.
    #[error("`files` names {}, and there is nothing: correct `source`", path.display())]
    NoSource {
        /// Where it should be.
        path: PathBuf,
    },
    /// A source without a file in it.
    #[error("`files` names {}, and it has no files: correct `source`, or remove the entry", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// A symlink that leads out of the manifest's folder.
    #[error("{} leads out of the manifest's folder, to {}: copy what it leads to", path.display(), target.display())]
    Escapes {
        /// The symlink.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A device, a pipe, a socket.
    #[error("{} is neither a file nor a folder: leave it out", path.display())]
    Special {
        /// Which.
        path: PathBuf,
    },
    /// A name that can't be sent.
    #[error("the name of {} is not UTF-8: rename it", path.display())]
    Name {
        /// Which.
        path: PathBuf,
    },
    /// It changed while it was read.
    #[error("{} changed while it was read: try again", path.display())]
    Changed {
        /// Which.
        path: PathBuf,
    },
    /// It can't be read.
    #[error("{} can't be read", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// How a component that is missing is made.
fn make(build: Option<&str>, folder: &Path) -> String {
    match build {
        Some(build) => format!("build it first: run `{build}` in {}", folder.display()),
        None => "build it first, or correct `component` in [task]".to_owned(),
    }
}
