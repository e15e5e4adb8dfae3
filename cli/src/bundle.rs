//! From a path to what is sent: the manifest with what was typed over it, the component, the files. The manifest's
//! own rules are control's, where the server applies them again.

use std::path::Path;

use anyhow::Result;
use http::StatusCode;
use wharf_control::api::types::{BundleFile, BundleMount};
use wharf_control::manifest::{ManifestErrors, ManifestFile, Package, PackagedFile, PackagedMount};

use crate::api::ApiError;
use crate::args::Overrides;
use crate::exit::{BadConfig, Usage};

/// Everything a deployment or a run is made of.
pub(crate) struct Bundle {
    file: ManifestFile,
    /// What was typed over it has no place in the file.
    is_as_written: bool,
    package: Package,
}

impl Bundle {
    /// Read what a path names: a directory with a manifest, a manifest, or a bare component.
    pub(crate) fn read(path: &Path, overrides: &Overrides) -> Result<Self> {
        let mut file = ManifestFile::open(path).map_err(bad_config)?;
        // What is wrong as it is written is said before what was typed can change it.
        file.check().map_err(bad_config)?;
        let written = file.text().clone();
        overrides
            .typed()
            .apply(file.text_mut())
            .map_err(|error| Usage(error.to_string()))?;
        let manifest = file.check().map_err(|errors| too_much(&errors))?;
        let package = file.package(&manifest).map_err(bad_config)?;
        Ok(Self {
            is_as_written: *file.text() == written,
            file,
            package,
        })
    }

    pub(crate) fn name(&self) -> &str {
        self.file.text().name.as_deref().unwrap_or_default()
    }

    /// Whether its tasks run to their end.
    pub(crate) fn is_job(&self) -> bool {
        self.file.text().job.is_some()
    }

    pub(crate) fn component_digest(&self) -> String {
        self.package.component.digest.to_string()
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
        let ApiError::Refused(mut refusal) = error else {
            return error.into();
        };
        let is_written = refusal.status == StatusCode::UNPROCESSABLE_ENTITY && self.is_as_written;
        let field = refusal.detail.field.take_if(|_| is_written);
        let place = field.as_deref().and_then(|field| self.file.place_of(field));
        match place {
            Some(place) => anyhow::Error::from(ApiError::Refused(refusal)).context(place),
            None => {
                refusal.detail.field = refusal.detail.field.or(field);
                ApiError::Refused(refusal).into()
            }
        }
    }
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
fn bad_config(error: impl Into<anyhow::Error>) -> BadConfig {
    BadConfig(format!("{:#}", error.into()))
}

#[cfg(test)]
mod tests;
