//! From a bundle to the blobs of an artifact.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use wharf_control::manifest::{FileText, PackagedFile};
use wharf_runtime::World;

use super::{
    Descriptor, FILES_LAYER, IMAGE_MANIFEST, MANIFEST_LAYER, Manifest, TITLE, WASM_CONFIG, WASM_LAYER, files,
};
use crate::bundle::Bundle;
use crate::exit::BadConfig;

/// What the component is called in an unpacked bundle.
pub(crate) const COMPONENT_FILE: &str = "component.wasm";

/// Where its files are.
pub(crate) const FILES_FOLDER: &str = "files";

/// When everything was made: there is no such time in what shall be the same tomorrow.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// An artifact, ready to be stored or sent.
#[derive(Debug)]
pub(crate) struct Image {
    /// What `digest` is of.
    pub(crate) manifest: Vec<u8>,
    pub(crate) digest: String,
    /// The configuration first.
    pub(crate) blobs: Vec<Blob>,
}

/// A part of it.
#[derive(Debug)]
pub(crate) struct Blob {
    pub(crate) descriptor: Descriptor,
    pub(crate) content: Content,
}

/// Where its bytes are.
#[derive(Debug)]
pub(crate) enum Content {
    Held(Vec<u8>),
    File(PathBuf),
    /// Goes with this.
    Temporary(NamedTempFile),
}

impl Image {
    /// Makes an artifact of a bundle.
    ///
    /// # Errors
    /// If something of it can't be read, or its component is none that runs here.
    pub(crate) fn of(bundle: &Bundle) -> Result<Self> {
        let package = bundle.package();
        let component = Blob::component(&package.component)?;
        let manifest = Blob::held(MANIFEST_LAYER, manifest_text(bundle)?.into_bytes()).titled("wharf.toml");
        let files = Blob::files(bundle)?;
        let config = Blob::config(&package.component, &component.descriptor)?;
        let layers: Vec<Blob> = [component, manifest].into_iter().chain(files).collect();
        let manifest = Manifest {
            schema_version: 2,
            media_type: Some(IMAGE_MANIFEST.into()),
            artifact_type: None,
            config: config.descriptor.clone(),
            layers: layers.iter().map(|layer| layer.descriptor.clone()).collect(),
        };
        let manifest = serde_json::to_vec(&manifest)?;
        Ok(Self {
            digest: digest(&manifest),
            manifest,
            blobs: [config].into_iter().chain(layers).collect(),
        })
    }

    /// The manifest, as an index lists it.
    pub(crate) fn descriptor(&self) -> Descriptor {
        Descriptor {
            media_type: IMAGE_MANIFEST.into(),
            digest: self.digest.clone(),
            size: self.manifest.len() as u64,
            annotations: Default::default(),
        }
    }
}

impl Blob {
    fn held(media_type: &str, bytes: Vec<u8>) -> Self {
        let descriptor = Descriptor {
            media_type: media_type.into(),
            digest: digest(&bytes),
            size: bytes.len() as u64,
            annotations: Default::default(),
        };
        Self {
            descriptor,
            content: Content::Held(bytes),
        }
    }

    fn titled(mut self, title: &str) -> Self {
        self.descriptor.annotations.insert(TITLE.into(), title.into());
        self
    }

    fn component(file: &PackagedFile) -> Result<Self> {
        let descriptor = Descriptor {
            media_type: WASM_LAYER.into(),
            digest: file.digest.to_string(),
            size: file.size,
            annotations: Default::default(),
        };
        let blob = Self {
            descriptor,
            content: Content::File(file.host.clone()),
        };
        Ok(blob.titled(COMPONENT_FILE))
    }

    fn files(bundle: &Bundle) -> Result<Option<Self>> {
        let mounts = &bundle.package().mounts;
        if mounts.is_empty() {
            return Ok(None);
        }
        let mut file = NamedTempFile::new().context("cannot make a temporary file")?;
        let mut hashed = Hashed::new(BufWriter::new(file.as_file_mut()));
        files::pack(mounts, &mut hashed)?;
        let (digest, size) = hashed.end()?;
        let descriptor = Descriptor {
            media_type: FILES_LAYER.into(),
            digest,
            size,
            annotations: Default::default(),
        };
        let blob = Self {
            descriptor,
            content: Content::Temporary(file),
        };
        Ok(Some(blob.titled("files.tar")))
    }

    /// What the CNCF's layout says of a component.
    fn config(file: &PackagedFile, layer: &Descriptor) -> Result<Self> {
        let bytes =
            std::fs::read(&file.host).with_context(|| format!("cannot read {}", file.host.display()))?;
        let world = wharf_runtime::check_component(&bytes)
            .map_err(|refusal| BadConfig(format!("{}: {refusal}", file.host.display())))?;
        let target = match world {
            World::Http => "wasi:http/proxy@0.2",
            World::Command => "wasi:cli/command@0.2",
        };
        let config = json!({
            "created": CREATED,
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": [layer.digest],
            "component": { "exports": [], "imports": [], "target": target },
        });
        Ok(Self::held(WASM_CONFIG, serde_json::to_vec(&config)?))
    }

    /// Its bytes.
    pub(crate) fn open(&self) -> io::Result<Box<dyn io::Read + '_>> {
        Ok(match &self.content {
            Content::Held(bytes) => Box::new(bytes.as_slice()),
            Content::File(path) => Box::new(File::open(path)?),
            Content::Temporary(file) => Box::new(file.reopen()?),
        })
    }
}

/// The manifest with the paths of an unpacked bundle, and nothing of the machine it was built on.
fn manifest_text(bundle: &Bundle) -> Result<String> {
    let mut text = bundle.manifest_text().clone();
    text.task.component = Some(COMPONENT_FILE.into());
    text.task.build = None;
    for (number, files) in text.task.files.iter_mut().enumerate() {
        *files = FileText {
            source: Some(
                Path::new(FILES_FOLDER)
                    .join(number.to_string())
                    .display()
                    .to_string(),
            ),
            ..files.clone()
        };
    }
    toml::to_string(&text).context("the manifest can't be written")
}

/// `sha256:…` of bytes.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}

/// Digests and counts what is written through it.
struct Hashed<W> {
    to: W,
    hash: Sha256,
    size: u64,
}

impl<W: io::Write> Hashed<W> {
    fn new(to: W) -> Self {
        Self {
            to,
            hash: Sha256::new(),
            size: 0,
        }
    }

    fn end(mut self) -> io::Result<(String, u64)> {
        self.to.flush()?;
        Ok((format!("sha256:{:x}", self.hash.finalize()), self.size))
    }
}

impl<W: io::Write> io::Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
