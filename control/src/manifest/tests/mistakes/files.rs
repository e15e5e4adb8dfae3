//! Mistakes in `files` and `egress`.

use super::*;

const WITHIN: &str = "files come from the manifest's folder: name one in it, like \"static\"";

/// Sources, and what is said before [`WITHIN`].
const SOURCES: &[(&str, &str)] = &[
    ("../up", "the source `../up` leads out of the manifest's folder"),
    (
        "a/../../up",
        "the source `a/../../up` leads out of the manifest's folder",
    ),
    ("/etc", "the source `/etc` is absolute"),
    ("", "the source `` is not a path"),
    ("a\\\\b", "the source `a\\\\b` is not a path"),
];

const MOUNTS: &[(&str, &str)] = &[
    ("static", "the mount `static` is not absolute: begin it with `/`"),
    (
        "/",
        "the mount `/` is reserved: mount a folder in it, like `/static`",
    ),
    (
        "/dev",
        "the mount `/dev` is in `/dev`, which is reserved: choose another, like `/static`",
    ),
    (
        "/proc/self",
        "the mount `/proc/self` is in `/proc`, which is reserved: choose another, like `/static`",
    ),
    (
        "/a/../b",
        "the mount `/a/../b` has a part that is empty, `.`, `..` or not printable: write it plainly, like `/static`",
    ),
    (
        "//a",
        "the mount `//a` has a part that is empty, `.`, `..` or not printable: write it plainly, like `/static`",
    ),
];

const ENTRIES: &[(&str, &str)] = &[
    (
        "[{ source = \"a\", mount = \"/a\" }, { source = \"b\", mount = \"/a/\" }]",
        "`/a` is mounted twice: give each a folder of its own",
    ),
    (
        "[{ source = \"a\", mount = \"/a\" }, { source = \"b\", mount = \"/a/b\" }]",
        "the mounts `/a/b` and `/a` are one within the other: give each a folder of its own",
    ),
    (
        "[{ mount = \"/a\" }]",
        "an entry of `files` has no `source`: like source = \"static\"",
    ),
    (
        "[{ source = \"a\" }]",
        "an entry of `files` has no `mount`: like mount = \"/static\"",
    ),
    (
        "[{ source = \"a\", mout = \"/a\", mount = \"/a\" }]",
        "unknown key `mout` in [[task.files]]: did you mean `mount`?",
    ),
    (
        "[\"static\"]",
        "`task.files[0]` is a text, it needs to be a table: like files = [{ source = \"static\", mount = \"/static\" }]",
    ),
];

/// Checks that `line` is answered with one sentence, in that line.
fn check(line: &str, wanted: &str) {
    let said = said(&task(line));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("wharf.toml:5:") && said[0].ends_with(wanted),
        "{said:?}\n{wanted}"
    );
}

#[test]
fn sources_stay_in_the_folder() {
    for (source, wanted) in SOURCES {
        let line = format!("files = [{{ source = \"{source}\", mount = \"/a\" }}]");
        check(&line, &format!("{wanted}: {WITHIN}"));
    }
}

#[test]
fn mounts_are_folders_of_their_own() {
    for (mount, wanted) in MOUNTS {
        check(
            &format!("files = [{{ source = \"a\", mount = \"{mount}\" }}]"),
            wanted,
        );
    }
}

#[test]
fn entries_are_whole_and_apart() {
    for (entries, wanted) in ENTRIES {
        check(&format!("files = {entries}"), wanted);
    }
    // Beside each other, and alike only in their first letters.
    parse(&task(
        "files = [{ source = \"a\", mount = \"/a\" }, { source = \"a\", mount = \"/ab\" }]",
    ));
}

#[test]
fn egress_rules_are_read_here() {
    for rule in [
        "api.github.com",
        "ftp://a.test",
        "https://",
        "https://a.test:0",
        "https://a.test/path",
    ] {
        let said = said(&task(&format!("egress = [\"{rule}\"]")));
        assert!(
            said[0].starts_with("wharf.toml:5:11: ") && said[0].contains(rule),
            "{said:?}"
        );
    }
}
