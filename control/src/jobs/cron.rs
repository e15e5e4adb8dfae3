//! When a job is due: five cron fields and a time zone.
//!
//! The rules for days on which the clock is set are Vixie cron's. A time of day (one minute of one hour) that is
//! skipped is due as soon as the clock goes on, and one that comes twice is due the first time only. Of anything
//! else, like `*/15 * * * *`, what is skipped is left out and what comes twice is due twice.

use std::fmt;
use std::time::Duration;

use croner::Cron as Pattern;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

use crate::names::closest;

/// The longest expression, in bytes: every minute of an hour listed fits in.
pub const MAX_CRON: usize = 512;

/// The time zone of a schedule that names none.
pub const DEFAULT_TIME_ZONE: &str = "UTC";

/// Times at which something is due.
#[derive(Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    pattern: Pattern,
    zone: Zone,
}

/// A time zone of the IANA database.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// A text that is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// It is longer than any needs to be.
    #[error("it has {0} bytes, {MAX_CRON} are allowed")]
    TooLong(usize),
    /// There are not five fields.
    #[error("it has {0} fields, a cron expression has five: minute, hour, day of month, month, day of week")]
    Fields(usize),
    /// A field can't be read.
    #[error("{0}")]
    Field(String),
    /// No date there is fits.
    #[error("it never fires")]
    NeverFires,
}

/// A name that no time zone has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone `{}`", name.escape_debug())]
pub struct ZoneError {
    name: String,
    /// The zone that was likely meant.
    pub close: Option<String>,
}

impl Zone {
    /// The zone of a name like `Europe/Paris`, from the system's database, or our own copy of it.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn named(name: &str) -> Result<Self, ZoneError> {
        TimeZone::get(name).map(Self).map_err(|_| {
            let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
            let lower: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
            let close = closest(name, lower.iter().map(String::as_str));
            let close = close.and_then(|close| names.iter().find(|name| name.to_lowercase() == close));
            ZoneError {
                name: name.to_owned(),
                close: close.cloned(),
            }
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or(DEFAULT_TIME_ZONE)
    }
}

impl Cron {
    /// The times of an expression by the clocks of a zone.
    ///
    /// # Errors
    /// What is wrong with the expression; also one that no date fits.
    pub fn parse(text: &str, zone: Zone) -> Result<Self, CronError> {
        if text.len() > MAX_CRON {
            return Err(CronError::TooLong(text.len()));
        }
        let fields = text.split_whitespace().count();
        if fields != 5 && !text.trim_start().starts_with('@') {
            return Err(CronError::Fields(fields));
        }
        // The parser takes an empty item for nothing.
        if let Some(field) = text
            .split_whitespace()
            .find(|field| field.split(',').any(str::is_empty))
        {
            let message = format!("its field `{}` has an empty item", field.escape_debug());
            return Err(CronError::Field(message));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let pattern = parser
            .parse(text)
            .map_err(|error| CronError::Field(error.to_string()))?;
        // Dates repeat every 400 years, so that any day will do to begin the search at.
        pattern
            .find_next_occurrence(&civil::datetime(2000, 1, 1, 0, 0, 0, 0), true)
            .map_err(|_| CronError::NeverFires)?;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Self { text, pattern, zone })
    }

    /// The first time after `time`; none in the year 5000.
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        let found = self
            .pattern
            .find_next_occurrence(&time.to_zoned(self.zone.0.clone()), false);
        found
            .ok()
            .map(|zoned| zoned.timestamp())
            // A half second is no whole one: what begins with this second was due before it.
            .filter(|found| *found > time)
    }

    /// The latest time after `after` and not after `until`.
    ///
    /// It is looked for backwards in steps that double, so that a year without a look at a schedule of every minute
    /// costs no more than an hour.
    pub fn latest(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let mut reach = Duration::from_secs(3600);
        loop {
            let from = until.checked_sub(reach).unwrap_or(Timestamp::MIN).max(after);
            let times = std::iter::successors(self.next_after(from), |time| self.next_after(*time));
            let latest = times.take_while(|time| *time <= until).last();
            if latest.is_some() || from <= after {
                return latest;
            }
            reach = reach.saturating_mul(2);
        }
    }

    /// The expression, with one space between its fields.
    pub fn expression(&self) -> &str {
        &self.text
    }

    /// By whose clocks.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// A time as the zone's clocks show it.
    pub fn local(&self, time: Timestamp) -> jiff::Zoned {
        time.to_zoned(self.zone.0.clone())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `0 3 * * * (Europe/Paris)`.
impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.zone.name())
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
