//! JSON from outside, and where it is not what was expected.
//!
//! serde_json tells line and column. Which field that is, is found by walking the text up to there: only when there is
//! something to tell, and once for all types, which keeps components small.

use super::check_type;
use crate::{Error, Request, Result, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use std::fmt::Write as _;

/// The body of a request.
pub(crate) async fn of_request<T: DeserializeOwned>(request: Request) -> Result<T> {
    check_type(request.headers(), "application/json", |found| {
        found == "application/json" || (found.starts_with("application/") && found.ends_with("+json"))
    })?;
    let body = request.bytes().await?;
    serde_json::from_slice(&body).map_err(|error| {
        let status = match error.classify() {
            Category::Data => StatusCode::UNPROCESSABLE_ENTITY,
            Category::Io | Category::Syntax | Category::Eof => StatusCode::BAD_REQUEST,
        };
        let message = format!("the body is not the JSON expected: {}", told(&body, &error));
        Error::new(status, message)
    })
}

/// The error, after the path of what it is about.
pub(crate) fn told(json: &[u8], error: &serde_json::Error) -> String {
    let read = json
        .get(..offset(json, error.line(), error.column()))
        .unwrap_or(json);
    match place(read).as_str() {
        "" => error.to_string(),
        place => format!("`{place}`: {error}"),
    }
}

/// Lines are counted from 1, columns are bytes of the line that were read.
fn offset(json: &[u8], line: usize, column: usize) -> usize {
    let lines_before = json
        .split_inclusive(|byte| *byte == b'\n')
        .take(line.saturating_sub(1));
    lines_before.map(<[u8]>::len).sum::<usize>() + column
}

enum Step<'a> {
    Item(usize),
    /// The key, and whether the next text is a key.
    Field(&'a [u8], Awaits),
}

#[derive(PartialEq)]
enum Awaits {
    Key,
    Value,
}

/// Where in the JSON its end is: `items[2].price`.
fn place(json: &[u8]) -> String {
    let mut steps: Vec<Step<'_>> = Vec::new();
    let mut rest = json;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match (byte, steps.last_mut()) {
            (b'{', _) => steps.push(Step::Field(b"", Awaits::Key)),
            (b'[', _) => steps.push(Step::Item(0)),
            (b'}' | b']', _) => drop(steps.pop()),
            (b',', Some(Step::Item(index))) => *index += 1,
            (b',', Some(Step::Field(_, awaits))) => *awaits = Awaits::Key,
            (b'"', step) => {
                let text = text(after);
                rest = after.get(text.len() + 1..).unwrap_or_default();
                if let Some(Step::Field(key, awaits)) = step
                    && *awaits == Awaits::Key
                {
                    (*key, *awaits) = (text, Awaits::Value);
                }
            }
            _ => {}
        }
    }
    named(&steps)
}

/// Up to the quote that ends it.
fn text(json: &[u8]) -> &[u8] {
    let mut escaped = false;
    let end = json.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    json.get(..end.unwrap_or(json.len())).unwrap_or(json)
}

fn named(steps: &[Step<'_>]) -> String {
    let mut name = String::new();
    for step in steps {
        match step {
            Step::Item(index) => {
                // Writing to a String does not fail.
                let _ = write!(name, "[{index}]");
            }
            Step::Field(b"", _) => {}
            Step::Field(key, _) => {
                let dot = if name.is_empty() { "" } else { "." };
                name.push_str(dot);
                name.push_str(&String::from_utf8_lossy(key));
            }
        }
    }
    name
}

#[cfg(test)]
mod tests;
