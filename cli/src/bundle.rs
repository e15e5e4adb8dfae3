//! From a path to what is sent: the manifest with what was typed over it, the component, the files. The manifest's
//! own rules are control's, where the server applies them again.

use std::path::Path;

use anyhow::{Context as _, Result};
use tempfile::TempDir;
use wharf_control::api::types::{BundleFile, BundleMount};
use wharf_control::manifest::{
    ManifestErrors, ManifestFile, ManifestText, Package, PackagedFile, PackagedMount, Written,
};

use crate::api::ApiError;
use crate::args::Overrides;
use crate::exit::{BadConfig, RefusedConfig, Usage};
use crate::oci::layout::{self, Layout};
use crate::oci::unpack::unpack;

/// Everything a deployment or a run is made of.
pub(crate) struct Bundle {
    file: ManifestFile,
    package: Package,
    /// What was typed over the manifest.
    typed: Overrides,
    /// Where it was unpacked, if it was packed.
    _unpacked: Option<TempDir>,
}

impl Bundle {
    /// Read what a path names: a directory with a manifest, a manifest, a bare component, or what `wharf package` made.
    pub(crate) fn read(path: &Path, overrides: &Overrides) -> Result<Self> {
        if !layout::is_layout(path) {
            return Self::of(path, overrides, None);
        }
        let packed = Layout::open(path)?;
        let folder = tempfile::tempdir().context("cannot make a temporary directory")?;
        let name = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or("component");
        let unpacked = unpack(&packed, folder.path(), name)?;
        Self::of(&unpacked, overrides, Some(folder))
    }

    fn of(path: &Path, overrides: &Overrides, unpacked: Option<TempDir>) -> Result<Self> {
        let mut file = ManifestFile::open(path).map_err(bad_config)?;
        // What is wrong as it is written is said before what was typed can change it.
        file.check().map_err(bad_config)?;
        lay_over(&mut file, overrides)?;
        let manifest = file.check().map_err(|errors| too_much(&errors))?;
        let package = file.package(&manifest).map_err(bad_config)?;
        Ok(Self {
            file,
            package,
            typed: overrides.clone(),
            _unpacked: unpacked,
        })
    }

    /// With what was typed for one run, which is not sent as the manifest's: no line of the file is to blame for it.
    pub(crate) fn overridden(mut self, overrides: &Overrides) -> Result<Self> {
        lay_over(&mut self.file, overrides)?;
        self.typed = overrides.clone();
        Ok(self)
    }

    pub(crate) fn name(&self) -> &str {
        self.file.text().name.as_deref().unwrap_or_default()
    }

    /// Whether its tasks run to their end.
    pub(crate) fn is_job(&self) -> bool {
        self.file.text().job.is_some()
    }

    /// Whether it has as many tasks as its load asks for.
    pub(crate) fn scales(&self) -> bool {
        self.file.text().scaling.is_some()
    }

    pub(crate) fn component_digest(&self) -> String {
        self.package.component.digest.to_string()
    }

    /// As it was written, with what was typed over it.
    pub(crate) fn manifest_text(&self) -> &ManifestText {
        self.file.text()
    }

    /// The component and the files, as they are on this machine.
    pub(crate) fn package(&self) -> &Package {
        &self.package
    }

    /// Everything that has to be on the server.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = &PackagedFile> {
        self.package.blobs()
    }

    pub(crate) fn mounts(&self) -> Vec<BundleMount> {
        self.package.mounts.iter().map(mount).collect()
    }

    /// The manifest as it is sent: the component by its digest.
    pub(crate) fn manifest_json(&self) -> Result<serde_json::Value> {
        Ok(serde_json::to_value(
            self.file.text().clone().packaged(&self.package.component.digest),
        )?)
    }

    /// Why the server doesn't take it, with the place in the file that this is about.
    pub(crate) fn refused(&self, error: ApiError) -> anyhow::Error {
        let mut refusal = match self.typed.blamed(error) {
            Ok(typed) => return typed.into(),
            Err(ApiError::Refused(refusal)) => refusal,
            Err(other) => return other.into(),
        };
        let field = refusal.detail.field.as_deref().map(in_manifest);
        let place = match field.and_then(|field| self.file.written_at(field)) {
            Some(Written::At(location)) => {
                // The line has it.
                refusal.detail.field = None;
                location.to_string()
            }
            Some(Written::Somewhere(file)) => file,
            None => return ApiError::Refused(refusal).into(),
        };
        let source = ApiError::Refused(refusal);
        RefusedConfig { place, source }.into()
    }
}

/// What a part of a bundle is called in the manifest.
fn in_manifest(field: &str) -> &str {
    match field {
        "component" => "task.component",
        "files" | "files.mount" => "task.files",
        field => field,
    }
}

fn lay_over(file: &mut ManifestFile, overrides: &Overrides) -> Result<()> {
    let laid = overrides.typed().apply(file.text_mut());
    Ok(laid.map_err(|error| Usage(error.to_string()))?)
}

/// What was written was right, so it is what was typed that makes it wrong, and no line of the file is to blame.
fn too_much(errors: &ManifestErrors) -> Usage {
    let said: Vec<String> = errors
        .iter()
        .map(|error| match error.suggestion() {
            Some(hint) => format!("{}: {hint}", error.message()),
            None => error.message().to_owned(),
        })
        .collect();
    Usage(format!(
        "with what was typed over the manifest, {}",
        said.join("; ")
    ))
}

fn mount(mount: &PackagedMount) -> BundleMount {
    let file = |file: &PackagedFile| BundleFile {
        path: file.path.clone(),
        digest: file.digest.to_string(),
    };
    BundleMount {
        mount: mount.mount.to_string(),
        entries: mount.files.iter().map(file).collect(),
    }
}

/// An error with its causes, as something that was configured wrong.
pub(crate) fn bad_config(error: impl Into<anyhow::Error>) -> BadConfig {
    BadConfig(format!("{:#}", error.into()))
}

#[cfg(test)]
mod tests;
