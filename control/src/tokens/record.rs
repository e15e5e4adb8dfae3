//! Tokens as the store has them.

use std::fmt;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::{Scope, TOKENS, TokenSummary, hash, id_of, key};
use crate::names::NamespaceName;
use crate::store::{Entry, StoreError};

/// A token as it is kept.
pub(super) struct TokenRecord {
    pub(super) summary: TokenSummary,
    pub(super) hash: String,
}

impl fmt::Debug for TokenRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.summary.fmt(f)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredToken {
    hash: String,
    /// None: an administrator's, or for metrics.
    namespace: Option<NamespaceName>,
    /// Whether it may read metrics and nothing else.
    #[serde(default)]
    metrics: bool,
    description: String,
    created_at: Timestamp,
}

impl TokenRecord {
    pub(super) fn new(secret: &SecretString, scope: Scope, description: &str) -> Self {
        let hash = hash(secret.expose_secret());
        let summary = TokenSummary {
            id: id_of(&hash).to_owned(),
            scope,
            description: description.to_owned(),
            created_at: Timestamp::now(),
        };
        Self { summary, hash }
    }

    pub(super) fn key(&self) -> String {
        key(&self.summary.id)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let namespace = match &self.summary.scope {
            Scope::Administrator | Scope::Metrics => None,
            Scope::Namespace(namespace) => Some(namespace.clone()),
        };
        let stored = StoredToken {
            hash: self.hash.clone(),
            namespace,
            metrics: self.summary.scope == Scope::Metrics,
            description: self.summary.description.clone(),
            created_at: self.summary.created_at,
        };
        // A row of text always encodes.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    pub(super) fn decode(entry: &Entry) -> Result<Self, StoreError> {
        let damaged = |_| StoreError::Damaged(format!("`{}` can't be read", entry.key));
        let stored: StoredToken = serde_json::from_slice(&entry.value).map_err(damaged)?;
        let scope = match (stored.namespace, stored.metrics) {
            (Some(namespace), _) => Scope::Namespace(namespace),
            (None, true) => Scope::Metrics,
            (None, false) => Scope::Administrator,
        };
        let id = entry.key.strip_prefix(TOKENS).unwrap_or_default().to_owned();
        let StoredToken {
            hash,
            description,
            created_at,
            ..
        } = stored;
        Ok(Self {
            summary: TokenSummary {
                id,
                scope,
                description,
                created_at,
            },
            hash,
        })
    }
}
