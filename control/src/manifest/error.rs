//! What is wrong with a manifest, where, and what to do: all of it at once.

use std::fmt;

use serde_json::Value;

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file, as it was named.
    pub file: String,
    /// Counts from 1.
    pub line: usize,
    /// Counts characters from 1.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A place in a manifest, whatever it was written in: `task.env.GREETING`, `route[1].host`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldPath(Vec<Segment>);

/// One step into a manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Segment {
    Key(String),
    Index(usize),
}

impl FieldPath {
    /// The whole manifest.
    pub(super) fn root() -> Self {
        Self::default()
    }

    /// The key `key` of this table.
    pub(super) fn key(&self, key: &str) -> Self {
        self.with(Segment::Key(key.to_owned()))
    }

    /// The element `index` of this list, from 0.
    pub(super) fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    /// What this is a key or an element of.
    pub(super) fn parent(&self) -> Self {
        let all = self.0.len().saturating_sub(1);
        Self(self.0.iter().take(all).cloned().collect())
    }

    /// The place that is spelled `text`, as it is shown: `scaling.requests`, `route[1].host`. A key that has a dot or a
    /// bracket in it can't be told from several.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let mut path = Self::root();
        for part in text.split('.') {
            let mut steps = part.split('[');
            path = path.key(steps.next()?);
            for index in steps {
                path = path.index(index.strip_suffix(']')?.parse().ok()?);
            }
        }
        Some(path)
    }

    /// What is there in a manifest as JSON.
    pub(super) fn of<'v>(&self, manifest: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(manifest, |value, step| match step {
            Segment::Key(name) => value.get(name),
            Segment::Index(index) => value.get(index),
        })
    }

    /// The table or the list of tables that it is of.
    pub(super) fn top(&self) -> Option<&str> {
        match self.0.first()? {
            Segment::Key(name) => Some(name),
            Segment::Index(_) => None,
        }
    }

    /// Which `[[route]]` it is in, from 0.
    pub(super) fn route(&self) -> Option<usize> {
        match self.0.as_slice() {
            [Segment::Key(top), Segment::Index(at), ..] if top == "route" => Some(*at),
            _ => None,
        }
    }

    fn with(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// How TOML heads the table at this path: `[task]`, `[[route]]`, or `the manifest`.
    pub(super) fn heading(&self) -> String {
        let keys: Vec<&str> = self
            .0
            .iter()
            .filter_map(|segment| match segment {
                Segment::Key(key) => Some(key.as_str()),
                Segment::Index(_) => None,
            })
            .collect();
        match (keys.is_empty(), self.0.last()) {
            (true, _) => "the manifest".to_owned(),
            (false, Some(Segment::Index(_))) => format!("[[{}]]", keys.join(".")),
            (false, _) => format!("[{}]", keys.join(".")),
        }
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the manifest");
        }
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if position == 0 => write!(f, "{key}")?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError {
    pub(super) location: Option<Location>,
    pub(super) field: FieldPath,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl ManifestError {
    pub(super) fn new(field: FieldPath, message: impl Into<String>) -> Self {
        Self {
            location: None,
            field,
            message: message.into(),
            hint: None,
        }
    }

    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Where it is in the file, if the manifest came from one.
    pub fn location(&self) -> Option<&Location> {
        self.location.as_ref()
    }

    /// Where it is in the manifest: `task.cpu`.
    pub fn field(&self) -> &FieldPath {
        &self.field
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn suggestion(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => write!(f, "{location}: {}", self.message)?,
            None => write!(f, "{}: {}", self.field, self.message)?,
        }
        match &self.hint {
            Some(hint) => write!(f, ": {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ManifestError {}

/// Everything that is wrong with a manifest, in the file's order; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestErrors(Vec<ManifestError>);

impl ManifestErrors {
    pub(super) fn new(mut errors: Vec<ManifestError>) -> Self {
        errors.sort_by(|a, b| (&a.location, &a.field).cmp(&(&b.location, &b.field)));
        Self(errors)
    }

    pub(super) fn one(error: ManifestError) -> Self {
        Self(vec![error])
    }

    /// With one more at the end, wherever it is.
    #[must_use]
    pub(super) fn and(mut self, last: ManifestError) -> Self {
        self.0.push(last);
        self
    }

    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, ManifestError> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a ManifestErrors {
    type Item = &'a ManifestError;
    type IntoIter = std::slice::Iter<'a, ManifestError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for ManifestErrors {
    /// One a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, error) in self.0.iter().enumerate() {
            if position > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ManifestErrors {}
