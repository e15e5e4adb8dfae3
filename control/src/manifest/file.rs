//! From a path to a manifest: a folder with a `wharf.toml`, such a file, or a bare `.wasm`.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{FieldPath, Location, ManifestError, ManifestErrors};
use super::source::{self, MAX_MANIFEST, TomlSource};
use super::text::{ManifestText, TaskText};
use super::{Manifest, Package, Unpackable, check, shape};
use crate::names::ServiceName;

/// What a manifest is called in its folder.
pub const MANIFEST_FILE: &str = "wharf.toml";

/// A manifest as it was written, and where; not yet checked but for its keys.
#[derive(Debug, Clone)]
pub struct ManifestFile {
    text: ManifestText,
    /// Without what was laid over it.
    written: ManifestText,
    base: PathBuf,
    source: Option<TomlSource>,
    /// Wrong keys and types, found on reading.
    errors: Vec<ManifestError>,
}

/// A path that leads to no manifest.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nothing to deploy there.
    #[error("{} has no {MANIFEST_FILE}: name a folder that has one, the file itself, or a .wasm", path.display())]
    NoManifest {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It can't be read.
    #[error("{} can't be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is too large to be a manifest.
    #[error("{} is larger than {MAX_MANIFEST} bytes, which no manifest is: name a {MANIFEST_FILE} or a .wasm", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The name of a bare component gives no name for the service.
    #[error("the file name {} makes no name for a service: rename it to something like api.wasm, or write a {MANIFEST_FILE}", path.display())]
    Unnamed {
        /// The file.
        path: PathBuf,
    },
    /// It is not TOML.
    #[error(transparent)]
    Syntax(#[from] ManifestErrors),
}

/// Where something of a manifest is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// Here.
    At(Location),
    /// In this file: it is said by leaving it out, or by several tables.
    Somewhere(String),
}

impl ManifestFile {
    /// Reads what `path` leads to.
    ///
    /// # Errors
    /// If there is no manifest or it isn't TOML. Wrong keys and values are left to [`ManifestFile::check`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let metadata = path.metadata().map_err(|source| unreadable(path, source))?;
        if metadata.is_dir() {
            let file = path.join(MANIFEST_FILE);
            if !file.is_file() {
                return Err(OpenError::NoManifest {
                    path: path.to_owned(),
                });
            }
            return Self::read(&file);
        }
        if path.extension().is_some_and(|extension| extension == "wasm") {
            return Self::bare(path);
        }
        Self::read(path)
    }

    fn read(path: &Path) -> Result<Self, OpenError> {
        let bytes = read(path, MAX_MANIFEST)?.ok_or_else(|| OpenError::TooLarge {
            path: path.to_owned(),
        })?;
        let name = path.display().to_string();
        let text = source::decode(&name, &bytes)?;
        let mut file = Self::parse(&name, text)?;
        file.base = folder_of(path);
        Ok(file)
    }

    /// Reads a text; `file` is what it is called in errors, and its folder what paths are relative to.
    ///
    /// # Errors
    /// If it isn't TOML.
    pub fn parse(file: &str, text: &str) -> Result<Self, ManifestErrors> {
        let (source, value) = TomlSource::parse(file, text, MAX_MANIFEST)?;
        let (text, errors): (ManifestText, _) = shape_and_read(value, shape::MANIFEST);
        Ok(Self {
            written: text.clone(),
            text,
            base: folder_of(Path::new(file)),
            source: Some(source),
            errors,
        })
    }

    /// A component alone: its file's name, and defaults for the rest.
    fn bare(path: &Path) -> Result<Self, OpenError> {
        let unnamed = || OpenError::Unnamed {
            path: path.to_owned(),
        };
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .ok_or_else(unnamed)?;
        // Cargo writes `-` as `_`, and capitals are usual on some systems.
        let name = stem.to_lowercase().replace(['_', ' ', '.'], "-");
        name.parse::<ServiceName>().map_err(|_| unnamed())?;
        let component = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(unnamed)?;
        let task = TaskText {
            component: Some(component.to_owned()),
            ..TaskText::default()
        };
        let text = ManifestText {
            name: Some(name),
            task,
            ..ManifestText::default()
        };
        Ok(Self {
            written: text.clone(),
            text,
            base: folder_of(path),
            source: None,
            errors: Vec::new(),
        })
    }

    /// The folder that paths are relative to.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// What was written.
    pub fn text(&self) -> &ManifestText {
        &self.text
    }

    /// What was written, to lay overrides over it.
    pub fn text_mut(&mut self) -> &mut ManifestText {
        &mut self.text
    }

    /// Checks it.
    ///
    /// # Errors
    /// Everything that is wrong with it, with lines and columns if it came from a file.
    pub fn check(&self) -> Result<Manifest, ManifestErrors> {
        check::check(&self.text, self.errors.clone()).map_err(|mut errors| {
            if let Some(source) = &self.source {
                source.locate(&mut errors);
            }
            ManifestErrors::new(errors)
        })
    }

    /// Where a place in a manifest, like `scaling.requests`, is written. None if no manifest has that, or if what is there
    /// was laid over what is written.
    pub fn written_at(&self, field: &str) -> Option<Written> {
        let field = FieldPath::from_text(field)?;
        let top = field.top()?;
        let of = |text: &ManifestText| field.of(&serde_json::to_value(text).ok()?).cloned();
        if !shape::is_key(top, shape::MANIFEST) || of(&self.text) != of(&self.written) {
            return None;
        }
        let place = self.source.as_ref().and_then(|source| source.place_of(&field));
        Some(place.map_or_else(|| Written::Somewhere(self.called()), Written::At))
    }

    /// The file, as it is called in errors.
    fn called(&self) -> String {
        match (&self.source, &self.text.task.component) {
            (Some(source), _) => source.file().to_owned(),
            (None, component) => {
                let component = component.as_deref().unwrap_or_default();
                self.base.join(component).display().to_string()
            }
        }
    }

    /// Lists and digests what `manifest`, which this file came to, names. Reads all of it.
    ///
    /// # Errors
    /// What can't be packaged, with line and column if the manifest came from a file.
    pub fn package(&self, manifest: &Manifest) -> Result<Package, Unpackable> {
        Package::collect(manifest, &self.base).map_err(|mut refused| {
            if let Some(source) = &self.source {
                refused.location = Some(source.find(&refused.field));
            }
            refused
        })
    }
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn read(path: &Path, bound: usize) -> Result<Option<Vec<u8>>, OpenError> {
    let file = File::open(path).and_then(|file| bounded(file, bound));
    file.map_err(|source| unreadable(path, source))
}

/// All bytes there are; none if there are more than `bound`.
pub(super) fn bounded(from: impl io::Read, bound: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    // One byte more, to tell a file at the bound from one over it.
    let most = u64::try_from(bound).unwrap_or(u64::MAX).saturating_add(1);
    from.take(most).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= bound).then_some(bytes))
}

pub(super) fn unreadable(path: impl Into<PathBuf>, source: io::Error) -> OpenError {
    OpenError::Read {
        path: path.into(),
        source,
    }
}

/// Compares a value with a table of keys, and reads what is left of it.
pub(super) fn shape_and_read<T: Default + DeserializeOwned>(
    mut value: Value,
    keys: &[shape::Key],
) -> (T, Vec<ManifestError>) {
    let mut errors = Vec::new();
    shape::check(&mut value, keys, &mut errors);
    match serde_json::from_value(value) {
        Ok(text) => (text, errors),
        // The table of keys and the types say the same, a test sees to it; if they don't, serde's word stands.
        Err(error) => {
            errors.push(ManifestError::new(FieldPath::root(), error.to_string()));
            (T::default(), errors)
        }
    }
}
