//! An artifact as a file or directory: the OCI image layout, which other tools read and write, too.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tar::{Archive, Builder, EntryType, Header};
use tempfile::TempDir;
use wharf_control::manifest::MAX_BUNDLE_SIZE;

use super::image::{Image, digest};
use super::{Descriptor, IMAGE_INDEX, MAX_DOCUMENT, Manifest};
use crate::exit::BadConfig;

const LAYOUT_FILE: &str = "oci-layout";
const INDEX_FILE: &str = "index.json";
const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// What an archive may have besides its blobs.
const MAX_OVERHEAD: u64 = 16 << 20;

/// `index.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    #[serde(default)]
    media_type: Option<String>,
    manifests: Vec<Descriptor>,
}

/// An artifact that is there.
#[derive(Debug)]
pub(crate) struct Layout {
    folder: PathBuf,
    pub(crate) digest: String,
    pub(crate) manifest: Manifest,
    /// What it was unpacked into, if it was an archive.
    _unpacked: Option<TempDir>,
}

/// Whether there is a layout at a path: a directory of one, or an archive.
pub(crate) fn is_layout(path: &Path) -> bool {
    path.join(LAYOUT_FILE).is_file() || (path.is_file() && path.extension().is_some_and(|end| end == "tar"))
}

/// Writes a layout: an archive if the path ends with `.tar`, and a directory otherwise.
///
/// # Errors
/// If there is something already that is none, or it can't be written.
pub(crate) fn write(image: &Image, path: &Path) -> Result<()> {
    let fails = || format!("cannot write {}", path.display());
    if path.extension().is_some_and(|end| end == "tar") {
        return write_archive(image, path).with_context(fails);
    }
    let is_free = !path.exists() || path.join(LAYOUT_FILE).is_file();
    if !is_free {
        bail!(
            "{} is there already, and no OCI layout: name another place with --out",
            path.display()
        );
    }
    let blobs = path.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).with_context(fails)?;
    let mut put = |name: String, content: &mut dyn Read, _size: u64| -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path.join(name))?);
        io::copy(content, &mut file)?;
        file.flush()
    };
    each_file(image, &mut put).with_context(fails)
}

/// To a file beside it first: who reads meanwhile finds the one before, or none.
fn write_archive(image: &Image, path: &Path) -> Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    {
        let mut archive = Builder::new(BufWriter::new(file.as_file_mut()));
        let mut put = |name: String, content: &mut dyn Read, size: u64| -> io::Result<()> {
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Regular);
            header.set_mode(0o644);
            header.set_size(size);
            archive.append_data(&mut header, name, content)
        };
        each_file(image, &mut put)?;
        archive.into_inner()?.flush()?;
    }
    file.persist(path)?;
    Ok(())
}

type Put<'p> = dyn FnMut(String, &mut dyn Read, u64) -> io::Result<()> + 'p;

/// Every file of a layout, in an order that is always the same.
fn each_file(image: &Image, put: &mut Put<'_>) -> Result<()> {
    let index = Index {
        schema_version: 2,
        media_type: Some(IMAGE_INDEX.into()),
        manifests: vec![image.descriptor()],
    };
    let index = serde_json::to_vec(&index)?;
    put(LAYOUT_FILE.into(), &mut &*LAYOUT, LAYOUT.len() as u64)?;
    put(INDEX_FILE.into(), &mut index.as_slice(), index.len() as u64)?;
    let manifest = image.manifest.as_slice();
    put(blob(&image.digest), &mut { manifest }, manifest.len() as u64)?;
    let mut written = vec![image.digest.as_str()];
    for part in &image.blobs {
        let Descriptor { digest, size, .. } = &part.descriptor;
        if written.contains(&digest.as_str()) {
            continue;
        }
        put(blob(digest), &mut part.open()?, *size)?;
        written.push(digest);
    }
    Ok(())
}

fn blob(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

impl Layout {
    /// Reads one, and makes sure of its manifest.
    ///
    /// # Errors
    /// What is missing or damaged; that it holds none, or several.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Self::of_folder(path.to_owned(), None);
        }
        let unpacked = tempfile::tempdir().context("cannot make a temporary directory")?;
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let damaged = |error: anyhow::Error| {
            BadConfig(format!(
                "{} is no archive of an OCI layout: {error:#}",
                path.display()
            ))
        };
        unpack(BufReader::new(file), unpacked.path()).map_err(damaged)?;
        let folder = unpacked.path().to_owned();
        Ok(Self::of_folder(folder, Some(unpacked)).map_err(damaged)?)
    }

    fn of_folder(folder: PathBuf, unpacked: Option<TempDir>) -> Result<Self> {
        let index = document(&folder.join(INDEX_FILE))?;
        let index: Index = serde_json::from_slice(&index).context("its index can't be read")?;
        let [only] = index.manifests.as_slice() else {
            let count = index.manifests.len();
            bail!(BadConfig(format!(
                "the layout holds {count} artifacts: it has to be one"
            )));
        };
        let digest = checked(&only.digest)?.to_owned();
        let manifest = document(&folder.join(blob(&digest)))?;
        if self::digest(&manifest) != digest {
            bail!(BadConfig(format!(
                "the layout's manifest is not {digest}: it is damaged"
            )));
        }
        let manifest = serde_json::from_slice(&manifest).context("its manifest can't be read")?;
        Ok(Self {
            folder,
            digest,
            manifest,
            _unpacked: unpacked,
        })
    }

    /// Copies a blob, which has to be what it is called.
    ///
    /// # Errors
    /// If it isn't there, or damaged.
    pub(crate) fn copy(&self, descriptor: &Descriptor, to: &Path) -> Result<()> {
        let path = self.folder.join(blob(checked(&descriptor.digest)?));
        let from = File::open(&path).with_context(|| format!("the layout has no {}", descriptor.digest))?;
        let mut file = File::create(to).with_context(|| format!("cannot write {}", to.display()))?;
        verified(from, descriptor, &mut file)
    }
}

/// Copies what has to be of a size and digest.
pub(super) fn verified(from: impl Read, descriptor: &Descriptor, to: &mut impl Write) -> Result<()> {
    if descriptor.size > MAX_BUNDLE_SIZE {
        bail!(
            "{} has {} bytes; a bundle may have {MAX_BUNDLE_SIZE}",
            descriptor.digest,
            descriptor.size
        );
    }
    let mut hash = Sha256::new();
    let mut from = from.take(descriptor.size + 1);
    let mut chunk = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut chunk)?;
        let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        hash.update(bytes);
        to.write_all(bytes)?;
    }
    to.flush()?;
    let found = format!("sha256:{:x}", hash.finalize());
    if found != descriptor.digest {
        bail!("{} is damaged: what is there is {found}", descriptor.digest);
    }
    Ok(())
}

/// A digest that makes no path but its own.
fn checked(digest: &str) -> Result<&str> {
    let hex = digest.strip_prefix("sha256:").unwrap_or_default();
    if hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(digest);
    }
    bail!(BadConfig(format!("{digest} is no sha256 digest")))
}

fn document(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut bytes = Vec::new();
    file.take(MAX_DOCUMENT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_DOCUMENT {
        bail!(BadConfig(format!(
            "{} is larger than {MAX_DOCUMENT} bytes",
            path.display()
        )));
    }
    Ok(bytes)
}

/// Takes out what a layout consists of, and nothing else.
fn unpack(archive: impl Read, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder.join("blobs/sha256"))?;
    let mut archive = Archive::new(archive.take(MAX_BUNDLE_SIZE + MAX_OVERHEAD));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let name = path
            .strip_prefix(".")
            .unwrap_or(&path)
            .to_string_lossy()
            .into_owned();
        let is_blob = |hex: &str| checked(&format!("sha256:{hex}")).is_ok();
        let is_part = name == LAYOUT_FILE
            || name == INDEX_FILE
            || name.strip_prefix("blobs/sha256/").is_some_and(is_blob);
        if entry.header().entry_type() == EntryType::Regular && is_part {
            let mut file = File::create(folder.join(&name))?;
            io::copy(&mut entry, &mut file)?;
        }
    }
    Ok(())
}
