//! What each kind of name may be made of.

use super::{MAX_ENV_NAME, MAX_NAME, NameError, RESERVED_ENV_PREFIX};

/// Begins every digest.
pub(super) const DIGEST_PREFIX: &str = "sha256:";

pub(super) fn namespace(text: &str) -> Result<(), NameError> {
    label(text, "a namespace's name")
}

pub(super) fn service(text: &str) -> Result<(), NameError> {
    label(text, "a service's name")
}

pub(super) fn route(text: &str) -> Result<(), NameError> {
    label(text, "a route's name")
}

pub(super) fn target_group(text: &str) -> Result<(), NameError> {
    label(text, "a target group's name")
}

pub(super) fn listener(text: &str) -> Result<(), NameError> {
    label(text, "a listener's name")
}

fn label(text: &str, wanted: &'static str) -> Result<(), NameError> {
    only(
        text,
        wanted,
        "a-z, 0-9 and `-`",
        |c| matches!(c, 'a'..='z' | '0'..='9' | '-'),
    )
}

pub(super) fn secret(text: &str) -> Result<(), NameError> {
    const WANTED: &str = "a secret's name";
    let alphabet = "a-z, 0-9, `-`, `_`, `.` and `/`";
    only(
        text,
        WANTED,
        alphabet,
        |c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_' | '.' | '/'),
    )?;
    match text.split('/').find(|part| matches!(*part, "" | "." | "..")) {
        Some("") => Err(NameError::new(
            text,
            WANTED,
            "there needs to be a name on both sides of each `/`",
        )),
        Some(_) => Err(NameError::new(text, WANTED, "`.` and `..` can't be parts of it")),
        None => Ok(()),
    }
}

fn only(
    text: &str,
    wanted: &'static str,
    alphabet: &str,
    allowed: impl Fn(char) -> bool,
) -> Result<(), NameError> {
    let Some(first) = text.chars().next() else {
        return Err(NameError::new(text, wanted, "it is empty"));
    };
    if let Some(bad) = text.chars().find(|c| !allowed(*c)) {
        let hint = if bad.is_ascii_uppercase() {
            " (no capitals)"
        } else {
            ""
        };
        let reason = format!("it has {bad:?}; use {alphabet}{hint}");
        return Err(NameError::new(text, wanted, reason));
    }
    if !first.is_ascii_alphanumeric() {
        return Err(NameError::new(
            text,
            wanted,
            "it needs to begin with a letter or a digit",
        ));
    }
    if text.len() > MAX_NAME {
        let reason = format!("it has {} characters, {MAX_NAME} are allowed", text.len());
        return Err(NameError::new(text, wanted, reason));
    }
    Ok(())
}

pub(super) fn env(text: &str) -> Result<(), NameError> {
    const WANTED: &str = "an environment variable's name";
    let refuse = |reason: String| Err(NameError::new(text, WANTED, reason));
    if text.starts_with(RESERVED_ENV_PREFIX) {
        return refuse(format!(
            "names that begin with `{RESERVED_ENV_PREFIX}` are set by Wharf itself"
        ));
    }
    if text.len() > MAX_ENV_NAME {
        return refuse(format!(
            "it has {} characters, {MAX_ENV_NAME} are allowed",
            text.len()
        ));
    }
    match text.chars().next() {
        None => return refuse("it is empty".to_owned()),
        Some(first) if first.is_ascii_digit() => return refuse("it begins with a digit".to_owned()),
        Some(_) => {}
    }
    match text.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '_') {
        Some(bad) => refuse(format!("it has {bad:?}; use letters, digits and `_`")),
        None => Ok(()),
    }
}

pub(super) fn digest(text: &str) -> Result<(), NameError> {
    let hex = text.strip_prefix(DIGEST_PREFIX).unwrap_or_default();
    if hex.len() == 64 && is_lower_hex(hex) {
        return Ok(());
    }
    Err(NameError::new(
        text,
        "a digest",
        "write `sha256:` and 64 hexadecimal digits (0-9, a-f)",
    ))
}

pub(super) fn task_id(text: &str) -> Result<(), NameError> {
    if text.len() == 32 && is_lower_hex(text) {
        return Ok(());
    }
    Err(NameError::new(
        text,
        "a task's id",
        "it is 32 hexadecimal digits; `wharf ps` shows them",
    ))
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
