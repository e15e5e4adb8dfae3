//! What `wharf apply` takes: a file of listeners, target groups and routes that are no service's.

use std::fs::File;
use std::io;
use std::path::Path;

use serde_json::Value;

use super::error::{FieldPath, ManifestError, ManifestErrors};
use super::file::{OpenError, bounded, shape_and_read, unreadable};
use super::routing::Objects;
use super::source::{self, MAX_APPLY_FILE, TomlSource};
use super::text::ApplyText;
use super::{check, shape};

/// How many mistakes are shown of a file, which may have thousands: those after are likely more of the same.
const MAX_SHOWN: usize = 100;

/// A file as it was written; not yet checked but for its keys.
#[derive(Debug, Clone)]
pub struct ApplyFile {
    text: ApplyText,
    source: TomlSource,
    /// Wrong keys and types, found on reading.
    errors: Vec<ManifestError>,
}

impl ApplyFile {
    /// Reads a file.
    ///
    /// # Errors
    /// If it can't be read, or isn't TOML. Wrong keys and values are left to [`ApplyFile::check`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let file = File::open(path).map_err(|source| unreadable(path, source))?;
        Self::read(&path.display().to_string(), file)
    }

    /// Reads what need not be a file; `name` is what it is called in errors.
    ///
    /// # Errors
    /// As [`ApplyFile::open`].
    pub fn read(name: &str, from: impl io::Read) -> Result<Self, OpenError> {
        let read = bounded(from, MAX_APPLY_FILE).map_err(|source| unreadable(name, source))?;
        let Some(bytes) = read else {
            let message = format!("it has more than {MAX_APPLY_FILE} bytes");
            let error = ManifestError::new(FieldPath::root(), format!("{name}: {message}"));
            return Err(
                ManifestErrors::one(error.hint("split it: what another file has stays as it is")).into(),
            );
        };
        Ok(Self::parse(name, source::decode(name, &bytes)?)?)
    }

    /// Reads a text; `file` is what it is called in errors.
    ///
    /// # Errors
    /// If it isn't TOML.
    pub fn parse(file: &str, text: &str) -> Result<Self, ManifestErrors> {
        let (source, value) = TomlSource::parse(file, text, MAX_APPLY_FILE)?;
        let (text, errors) = shape_and_read(value, shape::APPLY);
        Ok(Self { text, source, errors })
    }

    /// What was written.
    pub fn text(&self) -> &ApplyText {
        &self.text
    }

    /// Whether `field` is of what such a file has.
    pub fn is_of(field: &str) -> bool {
        let field = FieldPath::from_text(field);
        let top = field.as_ref().and_then(FieldPath::top);
        top.is_some_and(|top| shape::is_key(top, shape::APPLY))
    }

    /// Checks it.
    ///
    /// # Errors
    /// What is wrong with it, with lines and columns.
    pub fn check(&self) -> Result<Objects, ManifestErrors> {
        check::objects(&self.text, self.errors.clone()).map_err(|mut errors| {
            let left_out = shorten(&mut errors);
            self.source.locate(&mut errors);
            told(errors, left_out)
        })
    }
}

/// Checks objects that came as JSON.
///
/// # Errors
/// What is wrong with them.
pub fn objects_from_json(objects: Value) -> Result<Objects, ManifestErrors> {
    let (text, errors) = shape_and_read(objects, shape::APPLY);
    check::objects(&text, errors).map_err(|mut errors| {
        let left_out = shorten(&mut errors);
        told(errors, left_out)
    })
}

/// Keeps the first of many mistakes, and says how many that leaves out.
fn shorten(errors: &mut Vec<ManifestError>) -> usize {
    let left_out = errors.len().saturating_sub(MAX_SHOWN);
    errors.truncate(MAX_SHOWN);
    left_out
}

fn told(errors: Vec<ManifestError>, left_out: usize) -> ManifestErrors {
    let errors = ManifestErrors::new(errors);
    match left_out {
        0 => errors,
        _ => errors.and(ManifestError::new(
            FieldPath::root(),
            format!("{left_out} more mistakes are not shown"),
        )),
    }
}
