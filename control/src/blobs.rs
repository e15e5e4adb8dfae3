//! Uploaded bytes, named by what they are.
//!
//! A blob is written once: into a temporary file, its digest computed on the way, synced, and only then
//! given its name. So what has a name is whole and right, also after a crash. Each namespace has its own,
//! or one could find out, and use, what another has uploaded.
//!
//! A bundle's files become a folder of hard links to its blobs: what a guest sees.

mod tree;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;

use crate::files::{create_private_dir, sync_dir};
use crate::names::{Digest, NamespaceName};

pub use tree::{FolderContent, MaterialisedFolder};

/// How many uploads are written at once; more wait.
pub const MAX_UPLOADS: usize = 16;

const BLOBS: &str = "blobs";
const TREES: &str = "trees";

/// Where unfinished files are. No namespace has an underscore.
const UNFINISHED: &str = "_unfinished";

/// What can go wrong with blobs.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The body is something else.
    #[error("the body's digest is {found}, not {wanted}: nothing was kept")]
    Digest {
        /// What it was said to be.
        wanted: Digest,
        /// What it is.
        found: Digest,
    },
    /// The body is too large.
    #[error("the body has more than {limit} bytes, which is what is allowed")]
    TooLarge {
        /// In bytes.
        limit: u64,
    },
    /// The body didn't arrive.
    #[error("the body broke off")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No such blob.
    #[error("there is no blob {0}: upload it first")]
    Missing(Digest),
    /// A file's path in a bundle.
    #[error("`{0}` is not a path of a file in a bundle")]
    Path(String),
    /// The disk is full.
    #[error("the disk of the data directory is full: nothing was kept; free some space and try again")]
    DiskFull,
    /// The disk failed.
    #[error("{} can't be read or written", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl BlobError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io {
                path: path.to_owned(),
                source,
            },
        }
    }
}

/// What an upload did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uploaded {
    /// The blob is new.
    Created,
    /// It was there; the body was not read.
    Existed,
}

/// All namespaces' blobs. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Blobs {
    root: PathBuf,
    uploads: Arc<Semaphore>,
}

impl Blobs {
    /// Opens those of a data directory, and removes what a crash left unfinished.
    ///
    /// # Errors
    /// What the disk says.
    pub fn open(data: &Path) -> Result<Self, BlobError> {
        for kind in [BLOBS, TREES] {
            let unfinished = data.join(kind).join(UNFINISHED);
            remove_all(&unfinished).map_err(BlobError::at(&unfinished))?;
            create_private_dir(&unfinished).map_err(BlobError::at(&unfinished))?;
        }
        Ok(Self {
            root: data.to_owned(),
            uploads: Arc::new(Semaphore::new(MAX_UPLOADS)),
        })
    }

    /// Where a blob is, if it is there.
    pub fn path(&self, namespace: &NamespaceName, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        // 256 folders, as file systems like few entries better than many.
        let folder = hex.get(..2).unwrap_or(hex);
        self.root
            .join(BLOBS)
            .join(namespace.as_str())
            .join(folder)
            .join(hex)
    }

    /// A blob's size in bytes; none if it isn't there.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn size(&self, namespace: &NamespaceName, digest: &Digest) -> Result<Option<u64>, BlobError> {
        let path = self.path(namespace, digest);
        match tokio::fs::metadata(&path).await {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(BlobError::at(&path)(error)),
        }
    }

    /// Takes a blob of at most `limit` bytes. It is durable when this returns; if the future is dropped,
    /// nothing is left.
    ///
    /// # Errors
    /// If the body is too large, breaks off or isn't what it was said to be, or the disk fails.
    pub async fn put<B, E>(
        &self,
        namespace: &NamespaceName,
        digest: &Digest,
        limit: u64,
        body: B,
    ) -> Result<Uploaded, BlobError>
    where
        B: Stream<Item = Result<Bytes, E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if self.size(namespace, digest).await?.is_some() {
            return Ok(Uploaded::Existed);
        }
        // The semaphore is never closed.
        let _permit = self.uploads.acquire().await.ok();
        let folder = self.root.join(BLOBS).join(UNFINISHED);
        let unfinished = NamedTempFile::new_in(&folder).map_err(BlobError::at(&folder))?;
        let found = receive(&unfinished, limit, body).await?;
        if found != *digest {
            return Err(BlobError::Digest {
                wanted: digest.clone(),
                found,
            });
        }
        let path = self.path(namespace, digest);
        let named = tokio::task::spawn_blocking(move || give_name(unfinished, &path));
        match named.await {
            Ok(named) => named.map(|()| Uploaded::Created),
            Err(stopped) => Err(BlobError::Io {
                path: folder,
                source: io::Error::other(stopped),
            }),
        }
    }

    /// Removes everything of a namespace that is gone.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn remove_namespace(&self, namespace: &NamespaceName) -> Result<(), BlobError> {
        for kind in [TREES, BLOBS] {
            let folder = self.root.join(kind).join(namespace.as_str());
            match tokio::fs::remove_dir_all(&folder).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(BlobError::at(&folder)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Writes a body to a file, durably; gives its digest.
async fn receive<B, E>(file: &NamedTempFile, limit: u64, body: B) -> Result<Digest, BlobError>
where
    B: Stream<Item = Result<Bytes, E>>,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let at = || BlobError::at(file.path());
    let mut writer = tokio::fs::File::from_std(file.reopen().map_err(at())?);
    let mut body = std::pin::pin!(body);
    let mut hash = Sha256::new();
    let mut size = 0u64;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| BlobError::Body(error.into()))?;
        size = size.saturating_add(chunk.len() as u64);
        if size > limit {
            return Err(BlobError::TooLarge { limit });
        }
        hash.update(&chunk);
        writer.write_all(&chunk).await.map_err(at())?;
    }
    writer.flush().await.map_err(at())?;
    writer.sync_all().await.map_err(at())?;
    Ok(Digest::from_sha256(hash.finalize().into()))
}

/// Gives a whole file its name, durably. Who does the same at the same time gives it the same content.
fn give_name(file: NamedTempFile, path: &Path) -> Result<(), BlobError> {
    let at = || BlobError::at(path);
    let folder = path.parent().unwrap_or(path);
    create_private_dir(folder).map_err(at())?;
    // Written once: not even we write to it again. It was made with mode 0600.
    file.as_file()
        .set_permissions(Permissions::from_mode(0o400))
        .map_err(at())?;
    file.persist(path).map_err(|error| at()(error.error))?;
    for changed in folder.ancestors().take(3) {
        sync_dir(changed).map_err(at())?;
    }
    Ok(())
}

/// Removes a folder with what is in it; fine if it isn't there.
fn remove_all(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
