//! From an artifact to a directory that deploys: its manifest, its component, its files.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use wharf_control::manifest::{MANIFEST_FILE, MAX_COMPONENT_SIZE};

use super::image::{COMPONENT_FILE, FILES_FOLDER};
use super::layout::Layout;
use super::{FILES_LAYER, MANIFEST_LAYER, files};
use crate::exit::BadConfig;

/// Unpacks an artifact into a directory that is there. One of another tool has no manifest: its component gets this
/// name.
///
/// # Errors
/// If it holds no component, or is damaged.
///
/// # Returns
/// What deploys: the directory, or the component alone.
pub(crate) fn unpack(layout: &Layout, folder: &Path, name: &str) -> Result<PathBuf> {
    let manifest = &layout.manifest;
    let Some(component) = manifest.component() else {
        let kinds: Vec<&str> = manifest
            .layers
            .iter()
            .map(|layer| layer.media_type.as_str())
            .collect();
        bail!(BadConfig(format!(
            "{} holds no WebAssembly component (a layer of application/wasm) but {}",
            layout.digest,
            if kinds.is_empty() {
                "nothing".to_owned()
            } else {
                kinds.join(", ")
            }
        )));
    };
    if component.size > MAX_COMPONENT_SIZE {
        bail!(BadConfig(format!(
            "the component has {} bytes; {MAX_COMPONENT_SIZE} are the most",
            component.size
        )));
    }
    let Some(text) = manifest.layer(MANIFEST_LAYER) else {
        let alone = folder.join(format!("{name}.wasm"));
        layout.copy(component, &alone)?;
        return Ok(alone);
    };
    layout.copy(component, &folder.join(COMPONENT_FILE))?;
    layout.copy(text, &folder.join(MANIFEST_FILE))?;
    if let Some(packed) = manifest.layer(FILES_LAYER) {
        let archive = folder.join(".files.tar");
        layout.copy(packed, &archive)?;
        let file = File::open(&archive).with_context(|| format!("cannot read {}", archive.display()))?;
        files::unpack(BufReader::new(file), &folder.join(FILES_FOLDER))?;
        std::fs::remove_file(&archive)?;
    }
    Ok(folder.to_owned())
}
