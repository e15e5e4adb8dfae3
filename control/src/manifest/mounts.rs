//! `files`: which of the manifest's folder a guest sees, and where.
//!
//! Neither side may lead anywhere else: a source stays within the manifest's folder, a mount is a folder
//! of its own, outside of those that mean something to programs.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::error::FieldPath;
use super::text::FileText;
use super::values::Report;

/// The most entries of `files`.
const MAX_MOUNTS: usize = 64;

/// The longest mount, in bytes.
const MAX_MOUNT: usize = 255;

/// Folders that mean something to programs, or may one day be given to them by Wharf.
const RESERVED: [&str; 6] = ["/dev", "/proc", "/sys", "/run", "/tmp", "/wharf"];

/// Files of the manifest's folder, and where the guest sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMount {
    /// A folder, or one file, relative to the manifest and within its folder.
    pub source: PathBuf,
    /// The folder the guest sees: the source's content, or the one file.
    pub mount: MountPath,
}

/// An absolute path in the guest, without `.`, `..` and empty parts, and not reserved.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MountPath(String);

/// A text that is not a place for files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MountPathError {
    /// Relative.
    #[error("the mount `{0}` is not absolute: begin it with `/`")]
    Relative(String),
    /// The root itself.
    #[error("the mount `/` is reserved: mount a folder in it, like `/static`")]
    Root,
    /// One of those that mean something.
    #[error("the mount `{0}` is in `{1}`, which is reserved: choose another, like `/static`")]
    Reserved(String, &'static str),
    /// `.` or `..`, an empty part, or a control character.
    #[error(
        "the mount `{0}` has a part that is empty, `.`, `..` or not printable: write it plainly, like `/static`"
    )]
    Part(String),
    /// Too long.
    #[error("the mount has {0} bytes, {MAX_MOUNT} are allowed")]
    Length(usize),
}

impl MountPath {
    /// The path, without a `/` at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path without the `/` at its beginning: where a tree that is mounted at `/` has it.
    pub fn relative(&self) -> &str {
        self.0.trim_start_matches('/')
    }

    /// Whether this is `other` or a folder in it.
    pub fn is_within(&self, other: &Self) -> bool {
        is_within(&self.0, &other.0)
    }
}

fn is_within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl FromStr for MountPath {
    type Err = MountPathError;

    fn from_str(text: &str) -> Result<Self, MountPathError> {
        let shown = || text.escape_debug().to_string();
        if text.len() > MAX_MOUNT {
            return Err(MountPathError::Length(text.len()));
        }
        let Some(relative) = text.strip_prefix('/') else {
            return Err(MountPathError::Relative(shown()));
        };
        let relative = relative.strip_suffix('/').unwrap_or(relative);
        if relative.is_empty() {
            return Err(MountPathError::Root);
        }
        if relative.split('/').any(|part| matches!(part, "" | "." | "..")) || !is_printable(relative) {
            return Err(MountPathError::Part(shown()));
        }
        let path = format!("/{relative}");
        match RESERVED.iter().find(|reserved| is_within(&path, reserved)) {
            Some(reserved) => Err(MountPathError::Reserved(path, reserved)),
            None => Ok(Self(path)),
        }
    }
}

impl fmt::Display for MountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Neither control characters nor the `\` that some systems take for a `/`.
fn is_printable(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || c == '\\')
}

pub(super) fn check(texts: &[FileText], here: &FieldPath, report: &mut Report) -> Vec<FileMount> {
    report.length(here.clone(), texts.len(), MAX_MOUNTS);
    let mut mounts: Vec<FileMount> = Vec::new();
    for (at, text) in texts.iter().take(MAX_MOUNTS).enumerate() {
        let here = here.index(at);
        let source = source(text, &here, report);
        let mount = mount(text, &here, report);
        let (Some(source), Some(mount)) = (source, mount) else {
            continue;
        };
        if let Some(first) = mounts.iter().find(|other| overlap(&mount, &other.mount)) {
            let message = match first.mount == mount {
                true => format!("`{mount}` is mounted twice"),
                false => format!(
                    "the mounts `{mount}` and `{}` are one within the other",
                    first.mount
                ),
            };
            report.refuse(here.key("mount"), message, "give each a folder of its own");
        }
        mounts.push(FileMount { source, mount });
    }
    mounts
}

fn overlap(a: &MountPath, b: &MountPath) -> bool {
    a.is_within(b) || b.is_within(a)
}

fn mount(text: &FileText, here: &FieldPath, report: &mut Report) -> Option<MountPath> {
    let field = here.key("mount");
    let Some(mount) = text.mount.as_deref() else {
        missing("mount", "mount = \"/static\"", field, here, report);
        return None;
    };
    mount
        .parse()
        .map_err(|error: MountPathError| {
            report
                .errors
                .push(super::ManifestError::new(field, error.to_string()));
        })
        .ok()
}

fn source(text: &FileText, here: &FieldPath, report: &mut Report) -> Option<PathBuf> {
    const WITHIN: &str = "files come from the manifest's folder: name one in it, like \"static\"";
    let field = here.key("source");
    let Some(source) = text.source.as_deref() else {
        missing("source", "source = \"static\"", field, here, report);
        return None;
    };
    let shown = source.escape_debug();
    let message = if source.is_empty() || !is_printable(source) {
        format!("the source `{shown}` is not a path")
    } else if source.starts_with('/') {
        format!("the source `{shown}` is absolute")
    } else if source.split('/').any(|part| part == "..") {
        format!("the source `{shown}` leads out of the manifest's folder")
    } else {
        return Some(PathBuf::from(source));
    };
    report.refuse(field, message, WITHIN);
    None
}

fn missing(key: &str, example: &str, field: FieldPath, here: &FieldPath, report: &mut Report) {
    // One of the wrong type was reported already.
    if !report.errors.iter().any(|error| error.field == field) {
        report.refuse(
            here.clone(),
            format!("an entry of `files` has no `{key}`"),
            format!("like {example}"),
        );
    }
}
