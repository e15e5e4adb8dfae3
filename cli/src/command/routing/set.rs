//! One listener, target group or route that is typed: the same as a file with that one object.

use anyhow::{Context as _, Result};
use http::Method;
use toml::{Table, Value};
use wharf_control::api::types::{Applied, Apply};
use wharf_control::manifest::ApplyFile;

use super::{bad_config, said};
use crate::api::Api;
use crate::args::{Field, Output, Set};
use crate::exit::Usage;
use crate::output;

/// What errors call it.
const TYPED: &str = "what was typed";

/// Make an object, or put this one in its place.
pub(super) async fn set(api: &Api, kind: &str, typed: &Set, format: Output) -> Result<()> {
    let text = file(kind, typed)?.to_string();
    let file = ApplyFile::read(TYPED, text.as_bytes()).map_err(|error| bad_config(error.into()))?;
    file.check().map_err(|errors| bad_config(errors.into()))?;
    let body = Apply {
        objects: serde_json::to_value(file.text()).context("cannot write the object as JSON")?,
    };
    let applied: Applied = api.send(Method::POST, &api.path(&["apply"]), &body).await?;
    Ok(output::answer(format, &applied, said)?)
}

/// The file that says the same.
fn file(kind: &str, typed: &Set) -> Result<Table, Usage> {
    let mut object = Table::new();
    object.insert("name".to_owned(), Value::String(typed.name.clone()));
    for field in &typed.fields {
        put(&mut object, field)?;
    }
    let objects = Value::Array(vec![Value::Table(object)]);
    Ok(Table::from_iter([(kind.to_owned(), objects)]))
}

fn put(object: &mut Table, Field { key, value }: &Field) -> Result<(), Usage> {
    let twice = || Usage(format!("`{key}` is given twice: give it once"));
    let (tables, last) = key
        .rsplit_once('.')
        .map_or((None, key.as_str()), |(tables, last)| (Some(tables), last));
    let mut table = object;
    for name in tables.into_iter().flat_map(|tables| tables.split('.')) {
        let inner = table.entry(name).or_insert_with(|| Value::Table(Table::new()));
        table = inner.as_table_mut().ok_or_else(twice)?;
    }
    match table.insert(last.to_owned(), value.clone()) {
        None => Ok(()),
        Some(_) => Err(twice()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(fields: &[(&str, Value)]) -> Set {
        Set {
            name: "a".to_owned(),
            fields: fields
                .iter()
                .map(|(key, value)| Field {
                    key: (*key).to_owned(),
                    value: value.clone(),
                })
                .collect(),
        }
    }

    #[test]
    fn what_is_typed_is_a_file_of_one_object() {
        let fields = [
            ("targets", Value::Array(vec!["http://10.0.0.7:9000".into()])),
            ("health.path", "/up".into()),
            ("health.healthy", Value::Integer(2)),
        ];
        let expected: Table = toml::from_str(
            "[[target_group]]\nname = \"a\"\ntargets = [\"http://10.0.0.7:9000\"]\nhealth = { path = \"/up\", healthy = 2 }",
        )
        .unwrap();
        assert_eq!(file("target_group", &typed(&fields)).unwrap(), expected);
    }

    #[test]
    fn a_key_is_given_once() {
        for (first, second) in [
            ("port", "port"),
            ("name", "port"),
            ("health", "health.path"),
            ("health.path", "health"),
        ] {
            let twice = file("route", &typed(&[(first, "x".into()), (second, "x".into())]));
            assert!(
                twice.unwrap_err().to_string().contains("is given twice"),
                "{first}, {second}"
            );
        }
    }
}
