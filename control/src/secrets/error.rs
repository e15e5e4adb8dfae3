//! What can go wrong with secrets. No error holds a value, nor a part of one.

use std::io;
use std::path::PathBuf;

use super::{MAX_SECRET_SIZE, MAX_SECRETS, MAX_VERSIONS, SecretVersion};
use crate::names::SecretName;
use crate::store::StoreError;

/// A secret can't be set or had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// No such secret, for who asks for it by its name.
    #[error("there is no secret `{0}`")]
    Unknown(SecretName),
    /// No such secret, for a definition that refers to it.
    #[error("the secret `{0}` does not exist: set it with `wharf secret set {0}`")]
    Missing(SecretName),
    /// No such version.
    #[error("the secret `{name}` has no version {version}")]
    MissingVersion {
        /// The secret.
        name: SecretName,
        /// The version.
        version: SecretVersion,
    },
    /// Referred to by a key, and it has none.
    #[error("the secret `{name}` is not a JSON object, and `:{key}` refers to a key of it")]
    NotJson {
        /// The secret.
        name: SecretName,
        /// The key.
        key: String,
    },
    /// A JSON object without that key.
    #[error("the secret `{name}` has no key `{key}`")]
    NoJsonKey {
        /// The secret.
        name: SecretName,
        /// The key.
        key: String,
    },
    /// Nothing.
    #[error("the value is empty")]
    Empty,
    /// A NUL, which no environment variable can hold.
    #[error("the value has a NUL character, which an environment variable can't hold: encode it, as base64")]
    Nul,
    /// Too large.
    #[error("the value has {size} bytes, {MAX_SECRET_SIZE} are allowed")]
    TooLarge {
        /// In bytes.
        size: usize,
    },
    /// A namespace's bound.
    #[error(
        "the namespace has {MAX_SECRETS} secrets, which is all there may be: delete one that isn't needed"
    )]
    TooMany,
    /// A secret's bound, where none can go.
    #[error("all {MAX_VERSIONS} versions of the secret are pinned by definitions, so none can make room")]
    AllPinned,
    /// A row that doesn't open.
    #[error("version {version} of the secret `{name}` can't be decrypted: its row is damaged; set it again")]
    Damaged {
        /// The secret.
        name: SecretName,
        /// The version.
        version: SecretVersion,
    },
    /// The system gave no random bytes, or the cipher refused.
    #[error("the value could not be encrypted")]
    Encryption,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The master key can't be had.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// There are secrets, and the key is gone.
    #[error(
        "the master key {} is missing, and there are secrets sealed with it: put it back, or name it with WHARF_MASTER_KEY_FILE",
        path.display()
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// It isn't the one.
    #[error(
        "the master key {} is not the one the secrets of this data directory were sealed with: put that one back",
        path.display()
    )]
    Wrong {
        /// The file.
        path: PathBuf,
    },
    /// It isn't a key.
    #[error("{} is not a master key: it holds 64 hexadecimal digits, as `openssl rand -hex 32` prints", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// Others could read it.
    #[error("the master key {} can be read by others (mode {mode:o}): chmod 600 it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It can't be read or written.
    #[error("the master key {} can't be read or written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes for a master key")]
    Random,
}

/// The secrets can't be opened at the start.
#[derive(Debug, thiserror::Error)]
pub enum OpenSecretsError {
    /// The master key.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}
