//! Names of listeners, rules, target groups and targets: opaque to the gateway, printed in its log and errors.
//!
//! They are reference-counted, so that a request can carry them to its access-log line for free.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

/// The longest name, in bytes: enough for `namespace/service/task-id` with room to spare.
pub const MAX_NAME_BYTES: usize = 256;

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("a {kind} cannot be empty")]
    Empty {
        /// What was to be named.
        kind: &'static str,
    },
    /// Longer than [`MAX_NAME_BYTES`].
    #[error("a {kind} has at most {MAX_NAME_BYTES} bytes, this one has {length}")]
    TooLong {
        /// What was to be named.
        kind: &'static str,
        /// The length found, in bytes.
        length: usize,
    },
    /// Something other than visible ASCII.
    #[error("a {kind} consists of visible ASCII characters, `{name}` does not", name = name.escape_debug())]
    Character {
        /// What was to be named.
        kind: &'static str,
        /// The text refused.
        name: String,
    },
}

fn check(kind: &'static str, name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty { kind });
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(NameError::TooLong {
            kind,
            length: name.len(),
        });
    }
    if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(NameError::Character {
            kind,
            name: name.to_owned(),
        });
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Checks and takes a name.
            ///
            /// # Errors
            /// When it is empty, too long, or not visible ASCII.
            pub fn new(name: &str) -> Result<Self, NameError> {
                check($kind, name)?;
                Ok(Self(name.into()))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name! {
    /// The name of a listener, unique in its gateway.
    ListenerName, "listener name"
}
name! {
    /// The name of a rule, unique on its listener.
    RuleName, "rule name"
}
name! {
    /// The name of a target group: what the access log calls `service`.
    GroupName, "target group name"
}
name! {
    /// The name of a cohort, unique in its target group.
    CohortName, "cohort name"
}
name! {
    /// The identity of a target within its group: what the access log calls `task`.
    TargetId, "target id"
}
