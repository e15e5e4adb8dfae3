//! TOML as it stands in the file: its values, and where each of them is.

use std::ops::Range;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{FieldPath, Location, ManifestError, ManifestErrors, Segment};

/// The largest manifest, in bytes. It is read before it is known to be one.
pub(super) const MAX_MANIFEST: usize = 1 << 20;

/// The largest file of `wharf apply`, in bytes: some tens of thousands of routes.
pub(super) const MAX_APPLY_FILE: usize = 16 << 20;

/// How many syntax errors are shown: after a few, they are echoes of the first.
const MAX_SYNTAX_ERRORS: usize = 5;

/// A parsed file.
#[derive(Debug, Clone)]
pub(super) struct TomlSource {
    file: String,
    text: String,
}

impl TomlSource {
    /// Parses `text`; `file` is what it is called in errors.
    pub(super) fn parse(file: &str, text: &str, bound: usize) -> Result<(Self, Value), ManifestErrors> {
        let source = Self {
            file: file.to_owned(),
            text: text.to_owned(),
        };
        if text.len() > bound {
            let message = format!("it has {} bytes, {bound} are allowed", text.len());
            return Err(ManifestErrors::one(
                source.place(ManifestError::new(FieldPath::root(), message), 0),
            ));
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            let value = table_value(table.get_ref());
            return Ok((source, value));
        }
        let errors = errors.iter().take(MAX_SYNTAX_ERRORS).map(|error| {
            let at = error.span().map_or(0, |span| span.start);
            source.place(
                ManifestError::new(FieldPath::root(), first_line(error.message())),
                at,
            )
        });
        Err(ManifestErrors::new(errors.collect()))
    }

    /// Adds to each error where in the file it is.
    pub(super) fn locate(&self, errors: &mut [ManifestError]) {
        let (table, _) = DeTable::parse_recoverable(&self.text);
        for error in errors {
            error.location = Some(self.find_in(table.get_ref(), &error.field));
        }
    }

    /// Where a key is, or the longest part of its path that is there.
    pub(super) fn find(&self, field: &FieldPath) -> Location {
        let (table, _) = DeTable::parse_recoverable(&self.text);
        self.find_in(table.get_ref(), field)
    }

    /// Where a key is, or the longest part of its path that is there. None if nothing is, or several tables are: which of
    /// them it is of isn't known.
    pub(super) fn place_of(&self, field: &FieldPath) -> Option<Location> {
        let (table, _) = DeTable::parse_recoverable(&self.text);
        let span = find(table.get_ref(), field.segments())?;
        match value_at(table.get_ref(), field.segments()).map(Spanned::get_ref) {
            Some(DeValue::Array(items)) if items.len() > 1 => None,
            _ => Some(self.location(span.start)),
        }
    }

    /// What the file is called in errors.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    fn find_in(&self, table: &DeTable<'_>, field: &FieldPath) -> Location {
        self.location(find(table, field.segments()).map_or(0, |span| span.start))
    }

    fn place(&self, mut error: ManifestError, at: usize) -> ManifestError {
        error.location = Some(self.location(at));
        error
    }

    fn location(&self, at: usize) -> Location {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Location {
            file: self.file.clone(),
            line: before.matches('\n').count() + 1,
            column,
        }
    }
}

/// The text of a file, which TOML wants to be UTF-8.
pub(super) fn decode<'b>(file: &str, bytes: &'b [u8]) -> Result<&'b str, ManifestErrors> {
    std::str::from_utf8(bytes).map_err(|error| {
        let (before, rest) = bytes.split_at(error.valid_up_to());
        let source = TomlSource {
            file: file.to_owned(),
            text: String::from_utf8_lossy(before).into_owned(),
        };
        let byte = rest.first().copied().unwrap_or_default();
        let message = format!("the byte 0x{byte:02X} is not UTF-8");
        let error = ManifestError::new(FieldPath::root(), message).hint("save the file as UTF-8");
        ManifestErrors::one(source.place(error, before.len()))
    })
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or("it is not TOML").to_owned()
}

/// The span of the key at `path`, or of the longest part of the path that is there.
fn find(table: &DeTable<'_>, path: &[Segment]) -> Option<Range<usize>> {
    let (Segment::Key(name), rest) = path.split_first()? else {
        return None;
    };
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == name.as_str())?;
    find_in(value, rest).or_else(|| Some(key.span()))
}

fn value_at<'t, 's>(table: &'t DeTable<'s>, path: &[Segment]) -> Option<&'t Spanned<DeValue<'s>>> {
    let (Segment::Key(name), rest) = path.split_first()? else {
        return None;
    };
    let (_, value) = table.iter().find(|(key, _)| key.get_ref() == name.as_str())?;
    rest.iter()
        .try_fold(value, |value, step| match (value.get_ref(), step) {
            (DeValue::Table(table), Segment::Key(name)) => {
                let found = table.iter().find(|(key, _)| key.get_ref() == name.as_str());
                found.map(|(_, value)| value)
            }
            (DeValue::Array(items), Segment::Index(index)) => items.get(*index),
            _ => None,
        })
}

fn find_in(value: &Spanned<DeValue<'_>>, path: &[Segment]) -> Option<Range<usize>> {
    match (value.get_ref(), path.first()?) {
        (DeValue::Table(table), Segment::Key(_)) => find(table, path),
        (DeValue::Array(items), Segment::Index(index)) => {
            let item = items.get(*index)?;
            find_in(item, path.get(1..)?).or_else(|| Some(item.span()))
        }
        _ => None,
    }
}

fn table_value(table: &DeTable<'_>) -> Value {
    Value::Object(
        table
            .iter()
            .map(|(key, value)| (key.get_ref().to_string(), value_of(value.get_ref())))
            .collect(),
    )
}

/// The value as JSON has it; a date is its text.
fn value_of(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(integer) => integer_value(integer.as_str(), integer.radix()),
        DeValue::Float(float) => float
            .as_str()
            .parse()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map_or(Value::Null, Value::Number),
        DeValue::Boolean(boolean) => Value::Bool(*boolean),
        DeValue::Datetime(date) => Value::String(date.to_string()),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| value_of(item.get_ref())).collect()),
        DeValue::Table(table) => table_value(table),
    }
}

/// An integer that is too large for any key becomes one that the table of keys calls too large.
fn integer_value(digits: &str, radix: u32) -> Value {
    match i64::from_str_radix(digits, radix) {
        Ok(number) => Value::Number(number.into()),
        Err(_) => Value::Number(u64::MAX.into()),
    }
}
