//! Which part of a JSON an error is about.

use super::told;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Order {
    id: u8,
    #[serde(default)]
    items: Vec<Item>,
    note: Option<String>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Item {
    name: String,
    price: f64,
}

fn check(json: &str, expected: &str) {
    let error = serde_json::from_str::<Order>(json).unwrap_err();
    let told = told(json.as_bytes(), &error);
    assert!(told.starts_with(expected), "{json}\n  {told}\n  {expected}");
}

#[test]
fn errors_name_their_place() {
    check(r#"{"id":"x"}"#, "`id`: invalid type: string \"x\", expected u8");
    check(r#"{"id":300}"#, "`id`: invalid value: integer `300`");
    check(r#"{"note":"a\"}{[,:","id":[1]}"#, "`id`: invalid type: sequence");
    check(r#"{"id":1,"note":{"id":2}}"#, "`note`: invalid type: map");
    let deep =
        "{\"id\": 1,\n \"items\": [\n  {\"name\": \"tea\", \"price\": 1.5},\n  {\"name\": 7, \"price\": 2}]}";
    check(
        deep,
        "`items[1].name`: invalid type: integer `7`, expected a string at line 4",
    );
    check(
        r#"{"id":1,"items":[{"name":"é","price":"2"}]}"#,
        "`items[0].price`: invalid type",
    );
}

#[test]
fn what_is_missing_or_too_much_is_named_where_it_should_be() {
    check(r#"{"items":[]}"#, "missing field `id`");
    check(
        r#"{"id":1,"items":[{"name":"a","price":1},{"name":"b"}]}"#,
        "`items[1]`: missing field `price`",
    );
    check(r#"{"id":1,"colour":2}"#, "`colour`: unknown field `colour`");
    check("[]", "invalid length 0");
    check("", "EOF while parsing");
    check(
        r#"{"id":1,"items":[{"name":"a"#,
        "`items[0].name`: EOF while parsing a string",
    );
}
