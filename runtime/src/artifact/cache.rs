//! The cache of compiled code: content-addressed, write-once, and checked when read.
//!
//! `<cache>/<engine>/<component>.cwasm` is native code, `<component>.sum` its SHA-256 and what an instance takes. The sum
//! is written last: where it is missing or doesn't match, the code counts as absent and is compiled again. `<engine>` names the version and
//! settings of the engine, so that an upgrade never loads what another engine compiled.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::footprint::Footprint;
use super::{PrepareError, Refusal, load};

/// How a file begins that is not finished. Who writes it holds its lock, which goes with the process.
const DRAFT: &str = ".draft-";

#[derive(Debug)]
pub(super) struct Cache {
    dir: PathBuf,
}

impl Cache {
    /// Opens the cache, with directories only this user can enter.
    pub(super) fn open(root: &Path, engine: &Engine) -> Result<Self, PrepareError> {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let dir = root.join(format!("{:016x}", hasher.finish()));
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(|source| io_error("can't create", &dir, source))?;
        let owned = fs::set_permissions(&dir, fs::Permissions::from_mode(0o700));
        owned.map_err(|source| io_error("can't close to others", &dir, source))?;
        sweep(root, &dir);
        Ok(Self { dir })
    }

    /// A file to compile into. It vanishes unless it is kept.
    pub(super) fn draft(&self) -> Result<NamedTempFile, PrepareError> {
        draft(&self.dir).map_err(|source| io_error("can't create a file in", &self.dir, source))
    }

    /// Makes a finished draft the code of a component.
    pub(super) async fn keep(
        &self,
        draft: NamedTempFile,
        hex: &str,
        footprint: Footprint,
    ) -> Result<(), PrepareError> {
        let (code, sum) = self.paths(hex);
        blocking(move || {
            keep(draft, &code, &sum, footprint).map_err(|source| io_error("can't write", &code, source))
        })
        .await
    }

    /// The component's code and what an instance of it takes, if they are there and whole.
    pub(super) async fn load(
        &self,
        engine: &Engine,
        hex: &str,
    ) -> Result<Option<(Component, Footprint)>, PrepareError> {
        let (code, sum) = self.paths(hex);
        let engine = engine.clone();
        blocking(move || {
            let footprint = read_sum(&code, &sum).map_err(|source| io_error("can't read", &code, source))?;
            let Some(footprint) = footprint else {
                return Ok(None);
            };
            match load::component(&engine, &code) {
                Ok(component) => Ok(Some((component, footprint))),
                Err(error) => {
                    tracing::warn!(path = %code.display(), %error, "compiled code can't be loaded; compiling again");
                    Ok(None)
                }
            }
        })
        .await
    }

    /// Whether code that was just compiled fits the engine that runs it: its pool has bounds of its own.
    pub(super) async fn load_draft(&self, engine: &Engine, draft: &Path) -> Result<(), PrepareError> {
        let (engine, draft) = (engine.clone(), draft.to_owned());
        blocking(move || {
            load::component(&engine, &draft).map(drop).map_err(|error| {
                let why = format!("it is larger than can be run here: {error:#}");
                PrepareError::Refused(Refusal::Invalid(why))
            })
        })
        .await
    }

    fn paths(&self, hex: &str) -> (PathBuf, PathBuf) {
        (
            self.dir.join(format!("{hex}.cwasm")),
            self.dir.join(format!("{hex}.sum")),
        )
    }
}

fn draft(dir: &Path) -> io::Result<NamedTempFile> {
    loop {
        let draft = tempfile::Builder::new().prefix(DRAFT).tempfile_in(dir)?;
        draft.as_file().lock()?;
        // Another process that starts just now may have taken it for one that nobody writes.
        if draft.as_file().metadata()?.nlink() > 0 {
            return Ok(draft);
        }
    }
}

/// Removes what earlier processes left: drafts of compilations that were killed, and other engines' code. What can't
/// be removed is in nobody's way.
fn sweep(root: &Path, dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let is_draft = entry.file_name().to_string_lossy().starts_with(DRAFT);
        if !is_draft {
            continue;
        }
        // Locked until it is gone, so that nobody who has just made it takes it for its own.
        if let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_engine = name.len() == 16 && name.to_string_lossy().bytes().all(|b| b.is_ascii_hexdigit());
        if is_engine && entry.path() != dir {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn keep(draft: NamedTempFile, code: &Path, sum: &Path, footprint: Footprint) -> io::Result<()> {
    let digest = sha256_of(draft.path())?;
    let dir = code.parent().unwrap_or(Path::new("."));
    fs::set_permissions(draft.path(), fs::Permissions::from_mode(0o600))?;
    File::open(draft.path())?.sync_all()?;
    draft.persist(code)?;
    let mut sum_draft = self::draft(dir)?;
    sum_draft.write_all(&digest)?;
    sum_draft.write_all(footprint.to_words().as_bytes())?;
    sum_draft.as_file().sync_all()?;
    sum_draft.persist(sum)?;
    File::open(dir)?.sync_all()
}

/// What the sum says an instance takes, if the code is what it says.
fn read_sum(code: &Path, sum: &Path) -> io::Result<Option<Footprint>> {
    let (sum, found) = match fs::read(sum).and_then(|sum| Ok((sum, sha256_of(code)?))) {
        Ok(both) => both,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let footprint = sum
        .strip_prefix(found.as_slice())
        .and_then(|words| Footprint::from_words(std::str::from_utf8(words).ok()?));
    if footprint.is_none() {
        tracing::warn!(path = %code.display(), "compiled code was changed since it was written; compiling again");
    }
    Ok(footprint)
}

/// The SHA-256 of a file.
fn sha256_of(path: &Path) -> io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(hasher.finalize().into())
}

fn io_error(doing: &'static str, path: &Path, source: io::Error) -> PrepareError {
    PrepareError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PrepareError> + Send + 'static,
) -> Result<T, PrepareError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| PrepareError::Compiler("the server is shutting down".into()))?
}
