//! How answers look: tables with figures a person reads, or the API's own JSON.

use std::fmt::Display;
use std::io::{self, Write as _};

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::args::Output;

/// Print an answer. A reader that went away (`| head`) is no error.
pub(crate) fn say(text: impl Display) -> io::Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Print a value as it was asked for.
pub(crate) fn answer<T: Serialize>(
    format: Output,
    value: &T,
    text: impl FnOnce(&T) -> String,
) -> io::Result<()> {
    match format {
        Output::Json => say(json(value)),
        Output::Table => say(text(value)),
    }
}

/// Print what was done to something where there is no other value to print.
pub(crate) fn done(format: Output, name: &str, status: &str) -> io::Result<()> {
    let value = serde_json::json!({ "name": name, "status": status });
    answer(format, &value, |_| format!("{name}: {status}"))
}

/// Print a list; in place of a table without rows, say on standard error what would fill it.
pub(crate) fn list<T: Serialize, R>(
    format: Output,
    value: &T,
    rows: &[R],
    text: impl FnOnce(&[R]) -> String,
    nothing: &str,
) -> io::Result<()> {
    match format {
        Output::Json => say(json(value)),
        Output::Table if rows.is_empty() => {
            remark(nothing);
            Ok(())
        }
        Output::Table => say(text(rows)),
    }
}

/// Say something to a person beside an answer that may be piped.
#[expect(clippy::print_stderr, reason = "standard output is the answer's")]
pub(crate) fn remark(text: &str) {
    eprintln!("{text}");
}

/// Ask a person something; the answer is typed behind it.
#[expect(clippy::print_stderr, reason = "standard output is the answer's")]
pub(crate) fn ask(question: &str) -> io::Result<()> {
    eprint!("{question}");
    io::stderr().flush()
}

/// A point in time, to the millisecond.
pub(crate) fn time(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// A table in the manner of `docker ps`: no lines, a header in capitals.
pub(crate) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// A value as indented JSON.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// A value as JSON on one line.
pub(crate) fn json_line(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// How long ago, in the largest unit that says enough: `5m`, `3h`, `2d`.
pub(crate) fn age(time: Timestamp) -> String {
    duration(Timestamp::now().duration_since(time))
}

/// A duration in its largest unit.
pub(crate) fn duration(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A duration as a manifest writes it: `90s`, `1h`.
pub(crate) fn milliseconds(milliseconds: u64) -> String {
    let units = [("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    let whole = units
        .iter()
        .find(|(_, unit)| milliseconds >= *unit && milliseconds.is_multiple_of(*unit));
    match whole {
        Some((name, unit)) => format!("{}{name}", milliseconds / unit),
        None => format!("{milliseconds}ms"),
    }
}

/// CPU time: `35ms`, `1.24s`, `3m 20s`.
pub(crate) fn cpu_time(milliseconds: u64) -> String {
    match milliseconds {
        0..1000 => format!("{milliseconds}ms"),
        1000..60_000 => format!("{}.{:02}s", milliseconds / 1000, milliseconds % 1000 / 10),
        _ => format!("{}m {}s", milliseconds / 60_000, milliseconds % 60_000 / 1000),
    }
}

/// A size as a person compares it: one decimal below ten units.
pub(crate) fn bytes(count: u64) -> String {
    for (name, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
        let unit = 1_u64 << shift;
        if count >= unit {
            let (whole, tenths) = (count / unit, count % unit * 10 / unit);
            return if whole < 10 && tenths > 0 {
                format!("{whole}.{tenths}{name}")
            } else {
                format!("{whole}{name}")
            };
        }
    }
    format!("{count}B")
}

/// The API's name of a value that it spells as a string: `RUNNING`, `UserInitiated`.
pub(crate) fn name(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

/// Text from elsewhere for a terminal: control characters, which could rewrite the screen, become visible.
pub(crate) fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\t' {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
