//! A bundle's files as folders, for guests to see.
//!
//! A tree is built under another name and renamed when it is whole; a bundle never changes, so one that
//! is there is right.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{BlobError, Blobs, TREES, UNFINISHED};
use crate::files::{create_private_dir, sync_dir};
use crate::manifest::MountPath;
use crate::names::{Digest, NamespaceName};

/// What is in a folder of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderContent {
    /// Where the guest sees it. No two are one within the other.
    pub mount: MountPath,
    /// Its files: the path below the mount, with `/` between its parts, and the content.
    pub files: Vec<(String, Digest)>,
}

/// A folder on this machine that a guest sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaterialisedFolder {
    /// Here.
    pub host: PathBuf,
    /// There.
    pub mount: MountPath,
}

impl Blobs {
    /// Makes the folders of a bundle, unless they are there.
    ///
    /// # Errors
    /// If a blob is missing, a path isn't one, or the disk fails.
    pub async fn materialise(
        &self,
        namespace: &NamespaceName,
        bundle: &Digest,
        folders: Vec<FolderContent>,
    ) -> Result<Vec<MaterialisedFolder>, BlobError> {
        let (blobs, namespace) = (self.clone(), namespace.clone());
        let tree = self.root.join(TREES).join(namespace.as_str()).join(bundle.hex());
        let built = tokio::task::spawn_blocking(move || {
            if !tree.is_dir() && !folders.is_empty() {
                blobs.build(&namespace, &tree, &folders)?;
            }
            let placed = folders.into_iter().map(|folder| MaterialisedFolder {
                host: tree.join(folder.mount.relative()),
                mount: folder.mount,
            });
            Ok(placed.collect())
        });
        built.await.map_err(|stopped| BlobError::Io {
            path: self.root.join(TREES),
            source: io::Error::other(stopped),
        })?
    }

    fn build(
        &self,
        namespace: &NamespaceName,
        tree: &Path,
        folders: &[FolderContent],
    ) -> Result<(), BlobError> {
        let parent = self.root.join(TREES).join(UNFINISHED);
        let unfinished = tempfile::tempdir_in(&parent).map_err(BlobError::at(&parent))?;
        let mut made = BTreeSet::from([unfinished.path().to_owned()]);
        for folder in folders {
            let root = unfinished.path().join(folder.mount.relative());
            make_folder(&root, unfinished.path(), &mut made)?;
            for (path, digest) in &folder.files {
                let file = root.join(relative(path)?);
                make_folder(file.parent().unwrap_or(&root), unfinished.path(), &mut made)?;
                self.link(namespace, digest, &file)?;
            }
        }
        for folder in &made {
            sync_dir(folder).map_err(BlobError::at(folder))?;
        }
        let home = tree.parent().unwrap_or(tree);
        create_private_dir(home).map_err(BlobError::at(home))?;
        let unfinished = unfinished.keep();
        match fs::rename(&unfinished, tree) {
            Ok(()) => {}
            // Someone else was faster, with the same.
            Err(_) if tree.is_dir() => super::remove_all(&unfinished).map_err(BlobError::at(&unfinished))?,
            Err(error) => return Err(BlobError::at(tree)(error)),
        }
        sync_dir(home).map_err(BlobError::at(home))
    }

    fn link(&self, namespace: &NamespaceName, digest: &Digest, file: &Path) -> Result<(), BlobError> {
        let blob = self.path(namespace, digest);
        match fs::hard_link(&blob, file) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !blob.exists() => {
                Err(BlobError::Missing(digest.clone()))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(BlobError::Path(file.display().to_string()))
            }
            // Too many links to one blob, or a file system without them.
            Err(_) => fs::copy(&blob, file).map(drop).map_err(BlobError::at(file)),
        }
    }
}

/// Makes a folder and those above it up to `root`, and notes them.
fn make_folder(folder: &Path, root: &Path, made: &mut BTreeSet<PathBuf>) -> Result<(), BlobError> {
    if made.contains(folder) {
        return Ok(());
    }
    create_private_dir(folder).map_err(|error| match error.kind() {
        // A file is where a folder should be: two paths contradict each other.
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            BlobError::Path(folder.display().to_string())
        }
        _ => BlobError::at(folder)(error),
    })?;
    made.extend(
        folder
            .ancestors()
            .take_while(|above| above.starts_with(root))
            .map(Path::to_owned),
    );
    Ok(())
}

/// A path below a folder, if it can't lead anywhere else.
fn relative(path: &str) -> Result<&Path, BlobError> {
    let is_bad = |part: &str| matches!(part, "" | "." | "..");
    if path.split('/').any(is_bad) || path.contains(['\0', '\\']) {
        return Err(BlobError::Path(path.escape_debug().to_string()));
    }
    Ok(Path::new(path))
}
