//! The master key: the one secret that is not in the store.
//!
//! It is a file, made at the first start or given with `WHARF_MASTER_KEY_FILE`, and seals the data keys
//! only. Something sealed with it is kept in the store, so that a wrong key is told at the start and not
//! by the first task that can't start.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::error::{MasterKeyError, OpenSecretsError, SecretError};
use super::sealed::{self, KEY_SIZE, Key, Sealed};
use super::stored;
use crate::names::hex;
use crate::store::{Expect, SharedStore};

/// The master key's file in the data directory.
pub const MASTER_KEY_FILE: &str = "master-key";

/// Where something sealed with the master key is kept.
const CHECK_KEY: &str = "secret-key-check";
const CHECK_SCOPE: &str = "key check";
const CHECK_TEXT: &[u8] = b"sealed with the master key";

/// Where the master key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MasterKeySource {
    /// In the data directory, where it is made if there is none yet.
    DataDirectory(PathBuf),
    /// In a file of the operator's (`WHARF_MASTER_KEY_FILE`), which has to be there.
    File(PathBuf),
}

impl MasterKeySource {
    fn path(&self) -> PathBuf {
        match self {
            Self::DataDirectory(directory) => directory.join(MASTER_KEY_FILE),
            Self::File(path) => path.clone(),
        }
    }
}

/// The master key. It has no `Debug`.
pub(super) struct MasterKey(Key);

impl MasterKey {
    /// A key for another purpose, made from this one, which it tells nothing of.
    pub(super) fn derive(&self, purpose: &str) -> [u8; KEY_SIZE] {
        let mut hash = Sha256::new_with_prefix(self.0.as_ref());
        hash.update(purpose.as_bytes());
        hash.finalize().into()
    }

    /// Seals `plain` with a new data key, and that with this key.
    pub(super) fn seal(&self, scope: &str, plain: &[u8]) -> Result<Sealed, SecretError> {
        let data_key = sealed::random_key().ok_or(SecretError::Encryption)?;
        let value = sealed::encrypt(&data_key, &value_scope(scope), plain).ok_or(SecretError::Encryption)?;
        let key = sealed::encrypt(&self.0, &key_scope(scope), data_key.as_ref());
        Ok(Sealed {
            key: key.ok_or(SecretError::Encryption)?,
            value,
        })
    }

    /// Opens what was sealed for `scope` with this key; nothing else opens.
    pub(super) fn open(&self, scope: &str, sealed: &Sealed) -> Option<Zeroizing<Vec<u8>>> {
        let data_key = sealed::decrypt(&self.0, &key_scope(scope), &sealed.key)?;
        let data_key: Key = Zeroizing::new(data_key.as_slice().try_into().ok()?);
        sealed::decrypt(&data_key, &value_scope(scope), &sealed.value)
    }
}

fn key_scope(scope: &str) -> String {
    format!("wharf secret 1\0data key\0{scope}")
}

fn value_scope(scope: &str) -> String {
    format!("wharf secret 1\0value\0{scope}")
}

/// Reads the master key, or makes it where nothing was sealed yet, and checks that it is the right one.
pub(super) async fn open(
    store: &SharedStore,
    source: &MasterKeySource,
) -> Result<MasterKey, OpenSecretsError> {
    let path = source.path();
    let check = store.get(CHECK_KEY).await?;
    let key = match read(&path)? {
        Some(key) => key,
        None => match source {
            MasterKeySource::DataDirectory(_) if check.is_none() => create(&path)?,
            _ => return Err(MasterKeyError::Missing { path }.into()),
        },
    };
    check_exposure(&path, source)?;
    let key = MasterKey(key);
    match check {
        Some(check) => {
            let sealed = stored::decode_sealed(&check);
            let opened = sealed.and_then(|sealed| key.open(CHECK_SCOPE, &sealed));
            match opened {
                Some(text) if *text == CHECK_TEXT => {}
                _ => return Err(MasterKeyError::Wrong { path }.into()),
            }
        }
        None => {
            let sealed = key
                .seal(CHECK_SCOPE, CHECK_TEXT)
                .map_err(|_| MasterKeyError::Random)?;
            let put = store.put_if(CHECK_KEY, Expect::Absent, stored::encode_sealed(&sealed).into());
            put.await?;
        }
    }
    Ok(key)
}

fn read(path: &Path) -> Result<Option<Key>, MasterKeyError> {
    let text = match fs::read(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(MasterKeyError::File {
                path: path.to_owned(),
                source,
            });
        }
    };
    let malformed = || MasterKeyError::Malformed {
        path: path.to_owned(),
    };
    parse(text.trim_ascii()).map(Some).ok_or_else(malformed)
}

/// 64 hexadecimal digits.
fn parse(digits: &[u8]) -> Option<Key> {
    if digits.len() != 2 * KEY_SIZE {
        return None;
    }
    let mut key = Zeroizing::new([0; KEY_SIZE]);
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        let digit = |c: u8| char::from(c).to_digit(16);
        *byte = u8::try_from(digit(high)? << 4 | digit(low)?).ok()?;
    }
    Some(key)
}

fn create(path: &Path) -> Result<Key, MasterKeyError> {
    let key = sealed::random_key().ok_or(MasterKeyError::Random)?;
    let text = Zeroizing::new(hex(key.as_ref()) + "\n");
    let written = crate::files::write_private(path, text.as_bytes());
    written.map_err(|source| MasterKeyError::File {
        path: path.to_owned(),
        source,
    })?;
    Ok(key)
}

/// Ours has to be private. A file of the operator's may be mounted with a mode that isn't theirs to choose.
fn check_exposure(path: &Path, source: &MasterKeySource) -> Result<(), MasterKeyError> {
    let metadata = fs::metadata(path).map_err(|source| MasterKeyError::File {
        path: path.to_owned(),
        source,
    })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    match source {
        MasterKeySource::DataDirectory(_) => Err(MasterKeyError::Exposed {
            path: path.to_owned(),
            mode,
        }),
        MasterKeySource::File(_) => {
            tracing::warn!(file = %path.display(), mode = format!("{mode:o}"), "the master key can be read by others");
            Ok(())
        }
    }
}
