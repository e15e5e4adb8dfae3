//! A line of the log, as JSON.

use super::ids;
use std::fmt::{self, Write as _};
use tracing_core::Field;
use tracing_core::field::Visit;

/// An object that is being written.
pub(crate) struct Line(String);

impl Line {
    pub(crate) fn new(level: &str) -> Self {
        Self(format!("{{\"level\":\"{level}\""))
    }

    pub(crate) fn text(&mut self, key: &str, value: &str) {
        push(&mut self.0, key, value);
    }

    /// The ids of the request that is being answered, if one is.
    pub(crate) fn request(&mut self) {
        for (key, id) in ids() {
            self.text(key, &id);
        }
    }

    pub(super) fn fields(&mut self, fields: &str) {
        // Each has a comma before it.
        if let Some(fields) = fields.strip_prefix(',') {
            self.0.push_str(",\"fields\":{");
            self.0.push_str(fields);
            self.0.push('}');
        }
    }

    pub(crate) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// `,"key":"value"`
fn push(json: &mut String, key: &str, value: &str) {
    push_key(json, key);
    push_text(json, value);
}

fn push_key(json: &mut String, key: &str) {
    json.push(',');
    push_text(json, key);
    json.push(':');
}

fn push_text(json: &mut String, text: &str) {
    // A text has a JSON form.
    json.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// The fields of an event or a span, each as `,"key":value`; the message is apart.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) message: String,
    pub(super) json: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        self.record_str(field, &text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            name => push(&mut self.json, name, value),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // serde_json's way to write it is an eighth of std's. What is no number is null.
        push_key(&mut self.json, field.name());
        self.json
            .push_str(&serde_json::to_string(&value).unwrap_or_default());
    }
}

impl Fields {
    fn plain(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        push_key(&mut self.json, field.name());
        // Writing to a String does not fail.
        let _ = self.json.write_fmt(value);
    }
}
