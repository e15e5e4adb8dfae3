//! The names things go by, each a type of its own so that a service can't be passed where a secret is meant.
//!
//! A name is checked once, where it is parsed, and its alphabet is what makes it safe as a host label, a
//! store key and a folder. These are leaves: they are read and written as their text (serde included), so
//! that a wire type or a stored record may hold them; what is made of them is not `Serialize`.

use std::borrow::Borrow;
use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest name, in bytes: one DNS label, as a name becomes one in `<name>.localhost`.
pub const MAX_NAME: usize = 63;

/// The longest name of an environment variable, in bytes.
pub const MAX_ENV_NAME: usize = 255;

/// Environment variables that Wharf sets itself begin with this.
pub const RESERVED_ENV_PREFIX: &str = "WHARF_";

/// The namespace that exists from the start.
pub const DEFAULT_NAMESPACE: &str = "default";

/// A text that is not a name of the kind that was wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {wanted}: {reason}")]
pub struct NameError {
    text: String,
    wanted: &'static str,
    reason: String,
}

impl NameError {
    fn new(text: &str, wanted: &'static str, reason: impl Into<String>) -> Self {
        // What was given may be anything: it is shown in part and without control characters.
        let text = text.chars().take(80).flat_map(char::escape_debug).collect();
        Self {
            text,
            wanted,
            reason: reason.into(),
        }
    }

    /// What to do about it, without repeating the text.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// Makes a newtype over `String` that is checked by `$check` when it is parsed.
macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text, as it was parsed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                $check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                $check(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

text_newtype!(
    /// A namespace: `[a-z0-9][a-z0-9-]{0,62}`.
    NamespaceName,
    check_namespace
);
text_newtype!(
    /// A service, and the task-definition family or job of the same name: `[a-z0-9][a-z0-9-]{0,62}`.
    ServiceName,
    check_service
);
text_newtype!(
    /// A route that stands by itself, or one of a service's that has a name: `[a-z0-9][a-z0-9-]{0,62}`.
    RouteName,
    check_route
);
text_newtype!(
    /// A target group with targets outside: `[a-z0-9][a-z0-9-]{0,62}`.
    TargetGroupName,
    check_target_group
);
text_newtype!(
    /// A listener: `[a-z0-9][a-z0-9-]{0,62}`.
    ListenerName,
    check_listener
);
text_newtype!(
    /// A secret: `[a-z0-9][a-z0-9-/_.]{0,62}`, without an empty, `.` or `..` part between its `/`.
    SecretName,
    check_secret
);
text_newtype!(
    /// An environment variable's name: `[A-Za-z_][A-Za-z0-9_]*`, not beginning with `WHARF_`.
    EnvName,
    check_env
);
text_newtype!(
    /// The digest of some bytes: `sha256:` and 64 lower-case hexadecimal digits.
    Digest,
    check_digest
);
text_newtype!(
    /// A task's id: 32 lower-case hexadecimal digits, random as ECS's, so that a few of them name it.
    TaskId,
    check_task_id
);

/// The family of a task definition: the service's or the job's name.
pub type Family = ServiceName;

impl NamespaceName {
    /// The namespace `default`, which exists from the start.
    pub fn default_namespace() -> Self {
        Self(DEFAULT_NAMESPACE.to_owned())
    }

    /// Whether this is the namespace `default`.
    pub fn is_default(&self) -> bool {
        self.0 == DEFAULT_NAMESPACE
    }
}

/// The listener that `wharf serve --http` opens.
static HTTP_LISTENER: LazyLock<ListenerName> = LazyLock::new(|| ListenerName("http".to_owned()));

impl ListenerName {
    /// The listener that `wharf serve --http` opens.
    pub fn http() -> &'static Self {
        &HTTP_LISTENER
    }

    /// Whether this is the listener that `wharf serve --http` opens.
    pub fn is_http(&self) -> bool {
        self == Self::http()
    }
}

impl Digest {
    /// The digest whose SHA-256 is `hash`.
    pub fn from_sha256(hash: [u8; 32]) -> Self {
        Self(format!("sha256:{}", hex(&hash)))
    }

    /// The 64 hexadecimal digits, without the algorithm.
    pub fn hex(&self) -> &str {
        self.0.strip_prefix(DIGEST_PREFIX).unwrap_or(&self.0)
    }
}

impl TaskId {
    /// A new id (UUID version 4).
    pub fn generate() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }
}

/// The likeliest of `names` to be meant by `name`: at most a third of it is different.
pub(crate) fn closest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let bound = (name.chars().count() / 3).max(1);
    names
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&name.to_lowercase(), candidate),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `bytes` as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String can't fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

const DIGEST_PREFIX: &str = "sha256:";

fn check_namespace(text: &str) -> Result<(), NameError> {
    check_label(text, "a namespace's name")
}

fn check_service(text: &str) -> Result<(), NameError> {
    check_label(text, "a service's name")
}

fn check_route(text: &str) -> Result<(), NameError> {
    check_label(text, "a route's name")
}

fn check_target_group(text: &str) -> Result<(), NameError> {
    check_label(text, "a target group's name")
}

fn check_listener(text: &str) -> Result<(), NameError> {
    check_label(text, "a listener's name")
}

fn check_label(text: &str, wanted: &'static str) -> Result<(), NameError> {
    check_alphabet(
        text,
        wanted,
        "a-z, 0-9 and `-`",
        |c| matches!(c, 'a'..='z' | '0'..='9' | '-'),
    )
}

fn check_secret(text: &str) -> Result<(), NameError> {
    const WANTED: &str = "a secret's name";
    let alphabet = "a-z, 0-9, `-`, `_`, `.` and `/`";
    check_alphabet(
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

fn check_alphabet(
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

fn check_env(text: &str) -> Result<(), NameError> {
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

fn check_digest(text: &str) -> Result<(), NameError> {
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

fn check_task_id(text: &str) -> Result<(), NameError> {
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

/// A task definition's revision within its family: 1, 2, 3…
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Revision(NonZeroU64);

impl Revision {
    /// A family's first revision.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// Revision `number`, or nothing for 0.
    pub fn new(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0.get()
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Revision {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        // `+7` parses as an integer; as a revision it would be a second spelling of `7`.
        let number = if text.starts_with('+') {
            None
        } else {
            text.parse().ok()
        };
        number
            .map(Self)
            .ok_or_else(|| NameError::new(text, "a revision", "revisions are numbers from 1"))
    }
}

/// A task definition: `family:revision`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FamilyRevision {
    /// The family.
    pub family: Family,
    /// Which of its revisions.
    pub revision: Revision,
}

impl fmt::Display for FamilyRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.family, self.revision)
    }
}

impl FromStr for FamilyRevision {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let Some((family, revision)) = text.split_once(':') else {
            return Err(NameError::new(
                text,
                "a task definition",
                "write `family:revision`",
            ));
        };
        Ok(Self {
            family: family.parse()?,
            revision: revision.parse()?,
        })
    }
}

#[cfg(test)]
mod tests;
