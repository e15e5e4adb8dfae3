//! The names things go by, each a type of its own so that a service can't be passed where a secret is meant.
//!
//! A name is checked once, where it is parsed, and its alphabet is what makes it safe as a host label, a
//! store key and a folder. These are leaves: they are read and written as their text (serde included), so
//! that a wire type or a stored record may hold them; what is made of them is not `Serialize`.

mod check;
mod revision;

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::check::DIGEST_PREFIX;
pub use self::revision::{FamilyRevision, Revision};

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
    check::namespace
);
text_newtype!(
    /// A service, and the task-definition family or job of the same name: `[a-z0-9][a-z0-9-]{0,62}`.
    ServiceName,
    check::service
);
text_newtype!(
    /// A route that stands by itself, or one of a service's that has a name: `[a-z0-9][a-z0-9-]{0,62}`.
    RouteName,
    check::route
);
text_newtype!(
    /// A target group with targets outside: `[a-z0-9][a-z0-9-]{0,62}`.
    TargetGroupName,
    check::target_group
);
text_newtype!(
    /// A listener: `[a-z0-9][a-z0-9-]{0,62}`.
    ListenerName,
    check::listener
);
text_newtype!(
    /// A secret: `[a-z0-9][a-z0-9-/_.]{0,62}`, without an empty, `.` or `..` part between its `/`.
    SecretName,
    check::secret
);
text_newtype!(
    /// An environment variable's name: `[A-Za-z_][A-Za-z0-9_]*`, not beginning with `WHARF_`.
    EnvName,
    check::env
);
text_newtype!(
    /// The digest of some bytes: `sha256:` and 64 lower-case hexadecimal digits.
    Digest,
    check::digest
);
text_newtype!(
    /// A task's id: 32 lower-case hexadecimal digits, random as ECS's, so that a few of them name it.
    TaskId,
    check::task_id
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

#[cfg(test)]
mod tests;
