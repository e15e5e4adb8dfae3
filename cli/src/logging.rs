//! What the server says about itself, on standard error: `WHARF_LOG` is a filter and, optionally, a form.

use std::io::{self, IsTerminal as _};

use anyhow::Result;
use tracing_subscriber::EnvFilter;

use crate::exit::Usage;

/// What is logged of a server when nothing is said.
pub(crate) const DEFAULT_FILTER: &str = "info";

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// Start logging as `WHARF_LOG` says, or as much as `default` where it says nothing.
pub(crate) fn start(default: &str) -> Result<()> {
    let wish = std::env::var("WHARF_LOG").unwrap_or_default();
    let (form, filter) = read(&wish, default);
    let wrong = |error| {
        Usage(format!(
            "WHARF_LOG is `{wish}`, which is no level or filter such as `info`: {error}"
        ))
    };
    let filter = EnvFilter::builder().parse(filter).map_err(wrong)?;
    let terminal = io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(terminal);
    match form.unwrap_or(if terminal { Form::Text } else { Form::Json }) {
        Form::Text => builder.init(),
        Form::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}

/// The form is a word among the filter's directives.
fn read(wish: &str, default: &str) -> (Option<Form>, String) {
    let mut form = None;
    let mut filter = Vec::new();
    for word in wish.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match word {
            "text" => form = Some(Form::Text),
            "json" => form = Some(Form::Json),
            directive => filter.push(directive),
        }
    }
    let filter = if filter.is_empty() {
        default.to_owned()
    } else {
        filter.join(",")
    };
    (form, filter)
}

#[cfg(test)]
mod tests;
