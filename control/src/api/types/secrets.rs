//! Secrets: set, listed, deleted; never shown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A secret's name and versions. There is no way to read its value over the API.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Secret {
    /// `[a-z0-9][a-z0-9-/_.]{0,62}`.
    pub name: String,
    /// The version a reference without `@version` gets.
    pub version: u64,
    /// When that version was set.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// A namespace's secrets.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretList {
    /// Sorted by name.
    pub secrets: Vec<Secret>,
}

/// Sets a secret's next version.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PutSecret {
    /// The value, as base64 of its bytes (they need to be UTF-8, as an environment's are).
    pub value_base64: String,
}

impl std::fmt::Debug for PutSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PutSecret(…)")
    }
}
