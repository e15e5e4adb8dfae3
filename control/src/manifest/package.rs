//! What travels to the server: the component and the files, listed, bounded and digested.
//!
//! Nothing outside of the manifest's folder comes along: a symlink that leads out of it is refused, as is
//! what is neither a file nor a folder.

mod error;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::error::FieldPath;
use super::mounts::{FileMount, MountPath};
use super::{ComponentSource, Manifest};
use crate::names::Digest;

pub use error::{PackageError, Unpackable};

/// The largest component: 64 MiB.
pub const MAX_COMPONENT_SIZE: u64 = 64 << 20;

/// The largest bundle, component and files together: 256 MiB.
pub const MAX_BUNDLE_SIZE: u64 = 256 << 20;

/// The most files and folders of a bundle.
pub const MAX_BUNDLE_FILES: usize = 10_000;

/// How deep folders go.
const MAX_DEPTH: usize = 32;

/// A component and its files, as they are on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The component.
    pub component: PackagedFile,
    /// The files, by mount.
    pub mounts: Vec<PackagedMount>,
}

/// A folder as the guest will see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackagedMount {
    /// Where.
    pub mount: MountPath,
    /// What is in it, sorted by path.
    pub files: Vec<PackagedFile>,
}

/// A file of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackagedFile {
    /// Below the mount, with `/` between its parts; the file's name, for a component.
    pub path: String,
    /// Where it is here.
    pub host: PathBuf,
    /// In bytes.
    pub size: u64,
    /// Of its content.
    pub digest: Digest,
}

impl Package {
    /// Lists and digests what a manifest names, relative to `base`. Reads all of it.
    ///
    /// # Errors
    /// What can't be packaged, and which key names it.
    pub(super) fn collect(manifest: &Manifest, base: &Path) -> Result<Self, Unpackable> {
        let task = FieldPath::root().key("task");
        let named_by = |field: FieldPath| move |error| Unpackable::new(field, error);
        let by_component = || named_by(task.key("component"));
        let by_source = |at: usize| named_by(task.key("files").index(at).key("source"));
        let component = find_component(manifest, base).map_err(by_component())?;
        let mut walk = Walk::new(base).map_err(by_component())?;
        walk.total = component.size;
        let mut listed = Vec::new();
        for (at, mount) in manifest.task.files.iter().enumerate() {
            listed.push(walk.list(mount).map_err(by_source(at))?);
        }
        let component = component.digest().map_err(by_component())?;
        let mounts = listed.into_iter().enumerate().map(|(at, (mount, files))| {
            let files = files.into_iter().map(Listed::digest).collect::<Result<_, _>>();
            let files = files.map_err(by_source(at))?;
            Ok(PackagedMount { mount, files })
        });
        Ok(Self {
            component,
            mounts: mounts.collect::<Result<_, Unpackable>>()?,
        })
    }

    /// Everything to be uploaded, each content once.
    pub fn blobs(&self) -> impl Iterator<Item = &PackagedFile> {
        let mut seen = BTreeSet::new();
        std::iter::once(&self.component)
            .chain(self.mounts.iter().flat_map(|mount| &mount.files))
            .filter(move |file| seen.insert(&file.digest))
    }
}

/// The component, if it is there and not too large.
fn find_component(manifest: &Manifest, base: &Path) -> Result<Listed, PackageError> {
    let ComponentSource::Path(component) = &manifest.task.component else {
        return Err(PackageError::NotAFile);
    };
    let path = base.join(component);
    if !path.is_file() {
        let build = manifest.task.build.clone();
        let folder = base.to_owned();
        return Err(PackageError::NoComponent { path, build, folder });
    }
    let size = path
        .metadata()
        .map_err(|source| PackageError::Read {
            path: path.clone(),
            source,
        })?
        .len();
    if size > MAX_COMPONENT_SIZE {
        return Err(PackageError::ComponentTooLarge { path, size });
    }
    let name = component.file_name().unwrap_or_default().to_string_lossy();
    Ok(Listed {
        path: name.into_owned(),
        host: path,
        size,
    })
}

/// A file that was found and not yet read.
struct Listed {
    path: String,
    host: PathBuf,
    size: u64,
}

impl Listed {
    fn digest(self) -> Result<PackagedFile, PackageError> {
        let read_error = |source| PackageError::Read {
            path: self.host.clone(),
            source,
        };
        let mut file = File::open(&self.host).map_err(read_error)?.take(self.size + 1);
        let mut hash = Sha256::new();
        let read = io::copy(&mut file, &mut hash).map_err(read_error)?;
        if read != self.size {
            return Err(PackageError::Changed { path: self.host });
        }
        let digest = Digest::from_sha256(hash.finalize().into());
        Ok(PackagedFile {
            path: self.path,
            host: self.host,
            size: self.size,
            digest,
        })
    }
}

/// A walk over the sources, and how much was found.
struct Walk {
    base: PathBuf,
    root: PathBuf,
    total: u64,
    count: usize,
}

impl Walk {
    fn new(base: &Path) -> Result<Self, PackageError> {
        let root = base.canonicalize();
        let root = root.map_err(|source| PackageError::Read {
            path: base.to_owned(),
            source,
        })?;
        Ok(Self {
            base: base.to_owned(),
            root,
            total: 0,
            count: 0,
        })
    }

    fn list(&mut self, mount: &FileMount) -> Result<(MountPath, Vec<Listed>), PackageError> {
        let source = self.base.join(&mount.source);
        if fs::symlink_metadata(&source).is_err() {
            return Err(PackageError::NoSource { path: source });
        }
        let mut found = Vec::new();
        let single = self.resolve(&source)?.is_file();
        let path = if single {
            file_name(&source)?
        } else {
            String::new()
        };
        self.visit(&source, path, 0, &mut found)?;
        if found.is_empty() {
            return Err(PackageError::Empty { path: source });
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok((mount.mount.clone(), found))
    }

    /// What `path` is, all symlinks followed, if that is within the manifest's folder.
    fn resolve(&self, path: &Path) -> Result<fs::Metadata, PackageError> {
        let read_error = |source| PackageError::Read {
            path: path.to_owned(),
            source,
        };
        let target = path.canonicalize().map_err(read_error)?;
        if !target.starts_with(&self.root) {
            return Err(PackageError::Escapes {
                path: path.to_owned(),
                target,
            });
        }
        target.metadata().map_err(read_error)
    }

    fn visit(
        &mut self,
        host: &Path,
        path: String,
        depth: usize,
        found: &mut Vec<Listed>,
    ) -> Result<(), PackageError> {
        let metadata = self.resolve(host)?;
        self.count += 1;
        if self.count > MAX_BUNDLE_FILES {
            return Err(PackageError::TooManyFiles {
                path: host.to_owned(),
            });
        }
        if metadata.is_file() {
            return self.take(host, path, metadata.len(), found);
        }
        if !metadata.is_dir() {
            return Err(PackageError::Special {
                path: host.to_owned(),
            });
        }
        // This also ends a symlink that leads to a folder above it.
        if depth == MAX_DEPTH {
            return Err(PackageError::TooDeep {
                path: host.to_owned(),
            });
        }
        let read_error = |source| PackageError::Read {
            path: host.to_owned(),
            source,
        };
        for entry in fs::read_dir(host).map_err(read_error)? {
            let child = entry.map_err(read_error)?.path();
            let name = file_name(&child)?;
            let below = if path.is_empty() {
                name
            } else {
                format!("{path}/{name}")
            };
            self.visit(&child, below, depth + 1, found)?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        host: &Path,
        path: String,
        size: u64,
        found: &mut Vec<Listed>,
    ) -> Result<(), PackageError> {
        self.total = self.total.saturating_add(size);
        if self.total > MAX_BUNDLE_SIZE {
            return Err(PackageError::BundleTooLarge {
                path: host.to_owned(),
            });
        }
        found.push(Listed {
            path,
            host: host.to_owned(),
            size,
        });
        Ok(())
    }
}

fn file_name(path: &Path) -> Result<String, PackageError> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| PackageError::Name {
        path: path.to_owned(),
    })
}
