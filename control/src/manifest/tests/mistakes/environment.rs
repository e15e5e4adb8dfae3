//! What can be wrong with what a task finds in its environment.

use super::*;

const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "env = { PORT = 8080 }",
        "5:9: `task.env.PORT` is a whole number, it needs to be a text: put it in quotes: \"8080\"",
    ),
    (
        "env = { A-B = \"x\" }",
        "5:9: `A-B` is not an environment variable's name: it has '-'; use letters, digits and `_`",
    ),
    (
        "env = { WHARF_TASK_ID = \"x\" }",
        "5:9: `WHARF_TASK_ID` is not an environment variable's name: names that begin with `WHARF_` are set by \
             Wharf itself",
    ),
    ("env = { A = \"x\", A = \"y\" }", "5:18: duplicate key"),
    (
        "env = { KEY = \"x\" }\nsecrets = { KEY = \"prod/key\" }",
        "6:13: `KEY` is both in `env` and in `secrets`: a variable has one source: remove one of the two",
    ),
    (
        "secrets = { KEY = \"Prod\" }",
        "5:13: `task.secrets.KEY`: `Prod` is not a secret's name: it has 'P'; use a-z, 0-9, `-`, `_`, `.` and `/` \
             (no capitals): a reference is `secret`, `secret:json-key`, `secret@version` or `secret:json-key@version`",
    ),
    (
        "secrets = { KEY = \"prod@latest\" }",
        "5:13: `task.secrets.KEY`: `@latest` is not a version: versions are numbers from 1, like `@3`: a reference \
             is `secret`, `secret:json-key`, `secret@version` or `secret:json-key@version`",
    ),
    (
        "secrets = { KEY = \"prod:\" }",
        "5:13: `task.secrets.KEY`: the JSON key after `:` needs to have 1 to 255 characters, without `@`: a \
             reference is `secret`, `secret:json-key`, `secret@version` or `secret:json-key@version`",
    ),
];

#[test]
fn mistakes_in_the_environment() {
    for (line, wanted) in ENVIRONMENT {
        assert_eq!(said(&task(line)), [format!("wharf.toml:{wanted}")], "{line}");
    }
}
