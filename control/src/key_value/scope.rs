//! Whose data it is.

use crate::names::{NamespaceName, ServiceName};

/// A service or job, which have their names in common: `<namespace>/<name>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Scope(String);

impl Scope {
    pub(super) fn new(namespace: &NamespaceName, name: &ServiceName) -> Self {
        Self(format!("{namespace}/{name}"))
    }

    /// As it was stored.
    pub(super) fn stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn is_in(&self, namespace: &NamespaceName) -> bool {
        let split = self.0.split_once('/');
        split.is_some_and(|(of, _)| of == namespace.as_str())
    }

    pub(super) fn names(&self) -> Option<(NamespaceName, ServiceName)> {
        let (namespace, name) = self.0.split_once('/')?;
        Some((namespace.parse().ok()?, name.parse().ok()?))
    }
}
