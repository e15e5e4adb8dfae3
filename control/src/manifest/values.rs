//! Single values: durations, and numbers and sizes within bounds.

use std::fmt::Display;
use std::time::Duration;

use wharf_gateway::{Expressions, SpecError};
use wharf_runtime::Bytes;

use super::error::{FieldPath, ManifestError};

/// A text that is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration")]
pub(super) struct DurationError(String);

/// What to write instead of what is no duration.
pub(super) const DURATION_HINT: &str = "write a whole number with ms, s, m, h or d, like \"30s\"";

/// `500ms`, `30s`, `5m`, `1h`, `7d`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let refuse = || DurationError(text.escape_debug().to_string());
    let digits_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    let count: u64 = digits.parse().map_err(|_| refuse())?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => 24 * 60 * 60 * 1000,
        _ => return Err(refuse()),
    };
    count
        .checked_mul(milliseconds)
        .map(Duration::from_millis)
        .ok_or_else(refuse)
}

/// A duration as it would be written.
pub(crate) fn show_duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    match milliseconds {
        0 => "0s".to_owned(),
        _ if milliseconds.is_multiple_of(3_600_000) => format!("{}h", milliseconds / 3_600_000),
        _ if milliseconds.is_multiple_of(60_000) => format!("{}m", milliseconds / 60_000),
        _ if milliseconds.is_multiple_of(1000) => format!("{}s", milliseconds / 1000),
        _ => format!("{milliseconds}ms"),
    }
}

/// The errors of a manifest so far, and the checks that many keys share.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) errors: Vec<ManifestError>,
    /// Its regular expressions so far: counted while they are compiled, so that compiling ends where there are too many.
    pub(super) expressions: Expressions,
}

impl Report {
    pub(super) fn of(errors: Vec<ManifestError>) -> Self {
        Self {
            errors,
            expressions: Expressions::default(),
        }
    }

    pub(super) fn refuse(&mut self, field: FieldPath, message: impl Into<String>, hint: impl Into<String>) {
        self.errors.push(ManifestError::new(field, message).hint(hint));
    }

    /// `number` if it is within bounds; `default` if it is absent, or wrong and reported.
    pub(super) fn number(
        &mut self,
        table: &FieldPath,
        key: &str,
        number: Option<i64>,
        (low, high): (u32, u32),
        default: u32,
    ) -> u32 {
        let Some(number) = number else { return default };
        match u32::try_from(number) {
            Ok(number) if (low..=high).contains(&number) => number,
            _ => {
                let message = format!("`{key}` in {} is {number}", table.heading());
                self.refuse(table.key(key), message, format!("it goes from {low} to {high}"));
                default
            }
        }
    }

    /// As [`Report::number`], for a duration.
    pub(super) fn duration(
        &mut self,
        table: &FieldPath,
        key: &str,
        text: Option<&str>,
        (low, high): (Duration, Duration),
        default: Duration,
    ) -> Duration {
        let Some(text) = text else { return default };
        match parse_duration(text) {
            Ok(duration) if (low..=high).contains(&duration) => return duration,
            Ok(_) => {
                let message = format!("`{key}` in {} is {text}", table.heading());
                let hint = format!("it goes from {} to {}", show_duration(low), show_duration(high));
                self.refuse(table.key(key), message, hint);
            }
            Err(error) => {
                let message = format!("`{key}` in {}: {error}", table.heading());
                self.refuse(table.key(key), message, DURATION_HINT);
            }
        }
        default
    }

    /// A duration whose bounds are somebody else's to check.
    pub(super) fn any_duration(
        &mut self,
        table: &FieldPath,
        key: &str,
        text: Option<&str>,
    ) -> Option<Duration> {
        let parsed = parse_duration(text?);
        if let Err(error) = &parsed {
            let message = format!("`{key}` in {}: {error}", table.heading());
            self.refuse(table.key(key), message, DURATION_HINT);
        }
        parsed.ok()
    }

    /// A size in bytes.
    pub(super) fn size(&mut self, table: &FieldPath, key: &str, text: Option<&str>) -> Option<u64> {
        let parsed = text?.parse::<Bytes>();
        let wrong = |error| format!("`{key}` in {}: {error}", table.heading());
        self.parsed(table.key(key), Some(parsed.map(Bytes::get).map_err(wrong)))
    }

    /// As [`Report::size`], within bounds.
    pub(super) fn size_within(
        &mut self,
        table: &FieldPath,
        key: &str,
        text: Option<&str>,
        (low, high): (Bytes, Bytes),
    ) -> Option<u64> {
        let size = self.size(table, key, text)?;
        if (low.get()..=high.get()).contains(&size) {
            return Some(size);
        }
        let message = format!("`{key}` in {} is {}", table.heading(), text.unwrap_or_default());
        self.refuse(table.key(key), message, format!("it goes from {low} to {high}"));
        None
    }

    /// What one of a few words stands for.
    pub(super) fn word<T: Copy>(
        &mut self,
        table: &FieldPath,
        key: &str,
        text: Option<&str>,
        words: &[(&str, T)],
    ) -> Option<T> {
        let text = text?;
        let found = words
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value);
        if found.is_none() {
            let message = format!("`{key}` in {} is `{}`", table.heading(), text.escape_debug());
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.refuse(
                table.key(key),
                message,
                format!("it is one of {}", words.join(", ")),
            );
        }
        found
    }

    /// What was read at a place, or nothing if that failed and was reported.
    pub(super) fn parsed<T, E: Display>(
        &mut self,
        field: FieldPath,
        read: Option<Result<T, E>>,
    ) -> Option<T> {
        match read? {
            Ok(value) => Some(value),
            Err(error) => {
                self.errors.push(ManifestError::new(field, error.to_string()));
                None
            }
        }
    }

    /// What the gateway says of a value in this table; its errors name the key.
    pub(super) fn bounded<T>(&mut self, table: &FieldPath, checked: Result<T, SpecError>) -> Option<T> {
        checked
            .map_err(|error| {
                let field = error
                    .field
                    .split('.')
                    .fold(table.clone(), |path, key| path.key(key));
                self.errors.push(ManifestError::new(field, error.to_string()));
            })
            .ok()
    }

    /// Reports a list or table that is longer than it may be.
    pub(super) fn length(&mut self, field: FieldPath, found: usize, bound: usize) {
        if found > bound {
            let message = format!("`{field}` has {found} entries");
            self.refuse(field, message, format!("{bound} are allowed"));
        }
    }

    /// Reports a NUL, which no argument and no environment can hold, or a text that is too long.
    pub(super) fn plain_text(&mut self, field: FieldPath, text: &str, bound: usize) {
        if text.contains('\0') {
            let message = format!("`{field}` has a NUL character");
            self.refuse(field, message, "leave it out, it can't be passed on");
        } else if text.len() > bound {
            let message = format!("`{field}` has {} bytes", text.len());
            self.refuse(field, message, format!("{bound} are allowed"));
        }
    }
}
