//! A bundle as an OCI artifact: what registries keep, and what travels as a file.
//!
//! The form is that of the CNCF's Wasm artifacts, so that other tools run the component, and theirs deploy here: a
//! configuration of `application/vnd.wasm.config.v0+json` and a layer of `application/wasm`. The manifest and the
//! files are layers of our own, which other tools pass over. Nothing of a time or a machine is in it: the same inputs
//! have the same digest.

mod files;
pub(crate) mod image;
pub(crate) mod layout;
pub(crate) mod unpack;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Of a manifest, and of everything that an index lists.
pub(crate) const IMAGE_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Of an index.
pub(crate) const IMAGE_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Of the configuration: what CNCF's Wasm working group has for components and modules.
pub(crate) const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";

/// Of the component.
pub(crate) const WASM_LAYER: &str = "application/wasm";

/// Of a `wharf.toml`, whose paths are those of the unpacked bundle.
pub(crate) const MANIFEST_LAYER: &str = "application/vnd.wharf.manifest.v1+toml";

/// Of a tar archive with the files, each below the number of its mount in the manifest.
pub(crate) const FILES_LAYER: &str = "application/vnd.wharf.files.v1.tar";

/// What a layer is called, as other tools unpack it.
pub(crate) const TITLE: &str = "org.opencontainers.image.title";

/// The largest manifest or configuration that is read.
pub(crate) const MAX_DOCUMENT: u64 = 4 << 20;

/// What an artifact consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
}

/// A blob by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// The component's layer: the only one of its kind, or of what older tools call it.
    pub(crate) fn component(&self) -> Option<&Descriptor> {
        self.layer(WASM_LAYER)
            .or_else(|| self.layer("application/vnd.wasm.content.layer.v1+wasm"))
    }

    pub(crate) fn layer(&self, media_type: &str) -> Option<&Descriptor> {
        self.layers.iter().find(|layer| layer.media_type == media_type)
    }
}
