//! The table beside ALB names a test for every row; a name that is misspelt, or whose test was renamed, proves nothing.

use std::{fs, path::Path};

const TABLE: &str = include_str!("../../../docs/gateway.md");

/// How tests of elsewhere are named, each with the folder they are in.
const ELSEWHERE: [(&str, &str); 2] = [
    ("cargo nextest run -p wharf-control ", "control/src"),
    ("cargo nextest run -p wharf --test e2e ", "cli/tests/e2e"),
];

/// The names in a row's last cell, with the folder they are in if they aren't the gateway's own.
fn named(row: &str) -> impl Iterator<Item = (Option<&'static str>, &str)> {
    let cell = row.trim_end_matches('|').rsplit(" | ").next().unwrap();
    cell.split('`').skip(1).step_by(2).map(|name| {
        let elsewhere = ELSEWHERE
            .iter()
            .find_map(|(command, folder)| Some((Some(*folder), name.strip_prefix(command)?)));
        elsewhere.unwrap_or((None, name))
    })
}

/// Everything a folder and those below it hold of Rust: the path as a module's, and the text.
fn sources(folder: &Path, module: &str, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let module = format!("{module}::{name}");
        if path.is_dir() {
            sources(&path, &module, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((module, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Whether a module's text has the rest of a name: a test, or tests.
fn has(text: &str, rest: &str) -> bool {
    let rest = rest.trim_start_matches("::");
    let test = rest.strip_prefix("tests::").unwrap_or(rest);
    match test {
        "" | "tests" => {
            text.contains("#[test]") || text.contains("#[tokio::test") || text.contains("proptest!")
        }
        test => text.contains(&format!("fn {test}(")),
    }
}

#[test]
fn every_test_that_the_table_names_is_there() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut ours = Vec::new();
    sources(&here.join("gateway/src"), "", &mut ours);
    sources(&here.join("gateway/tests/it"), "", &mut ours);
    let elsewhere = ELSEWHERE.map(|(_, folder)| {
        let mut found = Vec::new();
        sources(&here.join(folder), "", &mut found);
        (folder, found)
    });
    let rows = TABLE
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| ALB |"));
    let mut missing = Vec::new();
    for row in rows {
        let mut names = named(row).peekable();
        if names.peek().is_none() {
            missing.push(format!("no test: {row}"));
        }
        for (of, name) in names {
            let path = format!("::{name}");
            let known = match of {
                None => ours.iter().any(|(module, text)| {
                    let rest = path.strip_prefix(module.as_str());
                    rest.is_some_and(|rest| (rest.is_empty() || rest.starts_with("::")) && has(text, rest))
                }),
                Some(of) => elsewhere
                    .iter()
                    .filter(|(folder, _)| *folder == of)
                    .any(|(_, found)| found.iter().any(|(_, text)| has(text, name))),
            };
            if !known {
                missing.push(name.to_owned());
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
