//! What `wharf new` writes: a template with a name filled in, and what it needs of Wharf, which travels in this program.

mod vendored;

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use include_dir::{Dir, include_dir};
use wharf_control::names::ServiceName;

use crate::args::Template;
use crate::exit::Usage;

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// Templates' files end with it where they would mean something to this repository's own tools.
const SUFFIX: &str = ".in";

/// Names that are a service's, and that the compiler keeps for itself.
const RESERVED: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "wharf",
    "where",
    "while",
    "yield",
];

/// A file of a new project.
#[derive(Debug)]
struct ProjectFile {
    /// Below the project's directory.
    path: PathBuf,
    contents: Cow<'static, [u8]>,
}

/// A name that a project can have.
///
/// # Errors
/// Why it can't.
pub(crate) fn name(text: &str) -> Result<ServiceName, Usage> {
    let name: ServiceName = text.parse().map_err(|error| Usage(format!("{error}")))?;
    if RESERVED.contains(&name.as_str()) || name.as_str().starts_with(|first: char| first.is_ascii_digit()) {
        return Err(Usage(format!(
            "`{name}` can't be a package's name in every language: choose another, as `{name}-service` or `my-{name}`"
        )));
    }
    Ok(name)
}

/// Makes a project in a directory that is empty or not there.
///
/// # Errors
/// If there is something already, or it can't be written.
pub(crate) fn create(directory: &Path, name: &ServiceName, template: Template) -> Result<()> {
    if is_taken(directory)? {
        let message = format!(
            "{} is there already and not empty: choose another name, or an empty directory with --path",
            directory.display()
        );
        return Err(Usage(message).into());
    }
    for file in files(name, template)? {
        let path = directory.join(&file.path);
        write(&path, &file.contents).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn is_taken(directory: &Path) -> Result<bool> {
    match std::fs::read_dir(directory) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot use {}", directory.display())),
    }
}

fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, contents)
}

fn files(name: &ServiceName, template: Template) -> Result<Vec<ProjectFile>> {
    let folder = TEMPLATES.get_dir(template.folder());
    let folder =
        folder.with_context(|| format!("this program came without its template {}", template.folder()))?;
    let mut files: Vec<ProjectFile> = every_file(folder)
        .map(|(path, contents)| ProjectFile {
            path: named(path),
            contents: filled(contents, name),
        })
        .collect();
    // What other languages need of Wharf is in their templates.
    match template {
        Template::HttpRust | Template::JobRust => files.extend(vendored::rust_sdk()?),
        Template::HttpJs | Template::HttpPython => {}
    }
    Ok(files)
}

/// The files of a directory and those below, each by its path in it.
fn every_file(directory: &'static Dir<'static>) -> impl Iterator<Item = (&'static Path, &'static [u8])> {
    let root = directory.path();
    let mut folders = vec![directory];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        found.extend(folder.files());
    }
    found.into_iter().map(move |file| {
        let path = file.path();
        (path.strip_prefix(root).unwrap_or(path), file.contents())
    })
}

/// What a template's file is called in a project.
fn named(path: &Path) -> PathBuf {
    let text = path.to_string_lossy();
    let text = text.strip_suffix(SUFFIX).unwrap_or(&text);
    match text {
        "gitignore" => ".gitignore".into(),
        text => text.into(),
    }
}

/// A template's file with the project's name in it.
fn filled(contents: &'static [u8], name: &ServiceName) -> Cow<'static, [u8]> {
    let Ok(text) = str::from_utf8(contents) else {
        return contents.into();
    };
    let of_crate = name.as_str().replace('-', "_");
    let text = text
        .replace("{{name}}", name.as_str())
        .replace("{{crate}}", &of_crate);
    text.into_bytes().into()
}

#[cfg(test)]
mod tests;
