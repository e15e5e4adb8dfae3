//! Secrets as the store has them.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::sealed::{Ciphertext, Sealed};
use super::{MAX_VERSIONS, SecretError, SecretSummary, SecretVersion};
use crate::names::{NamespaceName, SecretName};
use crate::store::{Entry, StoreError};

/// Where the heads are.
pub(super) const HEADS: &str = "secrets/";

const VALUES: &str = "secret-values/";

pub(super) fn head_key(namespace: &NamespaceName, name: &SecretName) -> String {
    format!("{HEADS}{namespace}/{name}")
}

pub(super) fn parse_head_key(key: &str) -> Result<(NamespaceName, SecretName), StoreError> {
    let names = key.strip_prefix(HEADS).and_then(|rest| rest.split_once('/'));
    let parsed = names.and_then(|(namespace, name)| Some((namespace.parse().ok()?, name.parse().ok()?)));
    parsed.ok_or_else(|| StoreError::Damaged(format!("`{key}` is not a secret's key")))
}

/// `@` is in no name, so the prefix is this secret's alone.
pub(super) fn values_prefix(namespace: &NamespaceName, name: &SecretName) -> String {
    format!("{VALUES}{namespace}/{name}@")
}

pub(super) fn value_key(namespace: &NamespaceName, name: &SecretName, version: SecretVersion) -> String {
    format!("{}{:020}", values_prefix(namespace, name), version.get())
}

/// What a sealed value is bound to.
pub(super) fn scope(namespace: &NamespaceName, name: &SecretName, version: SecretVersion) -> String {
    format!("{namespace}/{name}@{version}")
}

/// A secret's versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// Oldest first; only a new one has none.
    pub(super) versions: Vec<VersionRecord>,
    /// When its first version was set, which may no longer be kept.
    pub(super) created_at: Option<Timestamp>,
}

/// One of a secret's versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct VersionRecord {
    pub(super) version: SecretVersion,
    pub(super) created_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredHead {
    created_at: Timestamp,
    versions: Vec<(u64, Timestamp)>,
}

impl Head {
    pub(super) fn latest(&self) -> Option<SecretVersion> {
        self.versions.last().map(|record| record.version)
    }

    pub(super) fn next_version(&self) -> SecretVersion {
        self.latest().map_or(SecretVersion::FIRST, SecretVersion::next)
    }

    /// Takes the oldest versions out that are too many and not pinned; says which.
    pub(super) fn prune(
        &mut self,
        pinned: &BTreeSet<SecretVersion>,
    ) -> Result<Vec<SecretVersion>, SecretError> {
        let mut dropped = Vec::new();
        while self.versions.len() > MAX_VERSIONS {
            let latest = self.versions.len() - 1;
            let mut oldest = self.versions.iter().take(latest);
            let position = oldest.position(|record| !pinned.contains(&record.version));
            let position = position.ok_or(SecretError::AllPinned)?;
            dropped.push(self.versions.remove(position).version);
        }
        Ok(dropped)
    }

    pub(super) fn summary(&self, name: &SecretName) -> SecretSummary {
        let updated_at = self.versions.last().map(|record| record.created_at);
        SecretSummary {
            name: name.clone(),
            version: self.latest().unwrap_or(SecretVersion::FIRST),
            versions: self.versions.iter().map(|record| record.version).collect(),
            created_at: self.created_at.unwrap_or_else(Timestamp::now),
            updated_at: updated_at.unwrap_or_else(Timestamp::now),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let versions = self
            .versions
            .iter()
            .map(|record| (record.version.get(), record.created_at))
            .collect();
        let created_at = self.created_at.unwrap_or_else(Timestamp::now);
        encode(&StoredHead { created_at, versions })
    }

    pub(super) fn decode(entry: &Entry) -> Result<Self, StoreError> {
        let damaged = || StoreError::Damaged(format!("`{}` can't be read", entry.key));
        let stored: StoredHead = serde_json::from_slice(&entry.value).map_err(|_| damaged())?;
        let versions = stored.versions.into_iter().map(|(version, created_at)| {
            Some(VersionRecord {
                version: SecretVersion::new(version)?,
                created_at,
            })
        });
        let versions = versions.collect::<Option<Vec<_>>>().ok_or_else(damaged)?;
        Ok(Self {
            versions,
            created_at: Some(stored.created_at),
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSealed {
    key_nonce: String,
    key: String,
    value_nonce: String,
    value: String,
}

pub(super) fn encode_sealed(sealed: &Sealed) -> Vec<u8> {
    encode(&StoredSealed {
        key_nonce: STANDARD.encode(sealed.key.nonce),
        key: STANDARD.encode(&sealed.key.bytes),
        value_nonce: STANDARD.encode(sealed.value.nonce),
        value: STANDARD.encode(&sealed.value.bytes),
    })
}

pub(super) fn decode_sealed(entry: &Entry) -> Option<Sealed> {
    let stored: StoredSealed = serde_json::from_slice(&entry.value).ok()?;
    let ciphertext = |nonce: &str, bytes: &str| {
        let nonce = STANDARD.decode(nonce).ok()?.try_into().ok()?;
        Some(Ciphertext {
            nonce,
            bytes: STANDARD.decode(bytes).ok()?,
        })
    };
    Some(Sealed {
        key: ciphertext(&stored.key_nonce, &stored.key)?,
        value: ciphertext(&stored.value_nonce, &stored.value)?,
    })
}

/// Rows of text and numbers, which always encode.
fn encode<T: Serialize>(row: &T) -> Vec<u8> {
    serde_json::to_vec(row).unwrap_or_default()
}
