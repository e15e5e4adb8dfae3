//! Secrets: named values that are encrypted at rest and never shown again.
//!
//! Each version is sealed with a data key of its own, which is sealed with the master key; both are bound
//! to the namespace, name and version, so that a row of the store can't be passed off as another. What is
//! in memory is what tasks hold: a [`HeldSecrets`] answers from memory whenever an instance is prepared,
//! and a new version reaches it with the write that is acknowledged.
//!
//! | key | value |
//! |---|---|
//! | `secrets/<namespace>/<name>` | when it was made, and its versions |
//! | `secret-values/<namespace>/<name>@<version>` | a sealed value |
//! | `secret-key-check` | something sealed, to tell a wrong master key at the start |

mod error;
mod held;
mod master_key;
mod reference;
mod sealed;
mod stored;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use wharf_gateway::CookieKey;

pub use error::{MasterKeyError, OpenSecretsError, SecretError};
pub use held::HeldSecrets;
pub use master_key::{MASTER_KEY_FILE, MasterKeySource};
pub use reference::{SecretReference, SecretReferenceError, SecretVersion};

use self::held::{Holders, Slot};
use self::master_key::MasterKey;
use self::stored::{Head, VersionRecord};
use crate::names::{EnvName, NamespaceName, SecretName};
use crate::store::{Expect, SharedStore, StoreError, Transaction};

/// The largest value, in bytes (AWS Secrets Manager: 64 KiB).
pub const MAX_SECRET_SIZE: usize = 64 << 10;

/// The most secrets of a namespace.
pub const MAX_SECRETS: usize = 1000;

/// How many versions of a secret are kept (AWS Secrets Manager: 100). The oldest go first.
pub const MAX_VERSIONS: usize = 100;

/// What may be known of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretSummary {
    /// Its name.
    pub name: SecretName,
    /// The version a reference without `@version` gets.
    pub version: SecretVersion,
    /// Those that are kept, oldest first.
    pub versions: Vec<SecretVersion>,
    /// When its first version was set.
    pub created_at: Timestamp,
    /// When its latest version was set.
    pub updated_at: Timestamp,
}

/// All namespaces' secrets.
pub struct Secrets {
    store: SharedStore,
    key: MasterKey,
    /// Every secret's versions, as the store has them: there are few, and names are asked for often.
    heads: Mutex<BTreeMap<NamespaceName, BTreeMap<SecretName, Head>>>,
    holders: Mutex<Holders>,
    /// Held while something is written, from what was read to what `heads` and `holders` are told, in this order.
    writes: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    /// Reads the master key, made at the first start, and what secrets there are.
    ///
    /// # Errors
    /// If the key is missing, readable by others, or not the one the secrets were sealed with.
    pub async fn open(store: SharedStore, source: &MasterKeySource) -> Result<Self, OpenSecretsError> {
        let key = master_key::open(&store, source).await?;
        let mut heads: BTreeMap<NamespaceName, BTreeMap<SecretName, Head>> = BTreeMap::new();
        for entry in store.list(stored::HEADS).await?.entries {
            let (namespace, name) = stored::parse_head_key(&entry.key)?;
            heads
                .entry(namespace)
                .or_default()
                .insert(name, Head::decode(&entry)?);
        }
        Ok(Self {
            store,
            key,
            heads: Mutex::new(heads),
            holders: Mutex::default(),
            writes: tokio::sync::Mutex::default(),
        })
    }

    /// What stickiness cookies are sealed with: the same after a restart, so that clients stay with their targets.
    pub fn cookie_key(&self) -> CookieKey {
        CookieKey::new(self.key.derive("stickiness cookies"))
    }

    /// A namespace's secrets, by name.
    pub fn list(&self, namespace: &NamespaceName) -> Vec<SecretSummary> {
        let heads = lock(&self.heads);
        let of_namespace = heads.get(namespace).into_iter().flatten();
        of_namespace.map(|(name, head)| head.summary(name)).collect()
    }

    /// One secret.
    ///
    /// # Errors
    /// [`SecretError::Unknown`].
    pub fn get(&self, namespace: &NamespaceName, name: &SecretName) -> Result<SecretSummary, SecretError> {
        let head = self.head(namespace, name);
        head.map(|head| head.summary(name))
            .ok_or_else(|| SecretError::Unknown(name.clone()))
    }

    fn head(&self, namespace: &NamespaceName, name: &SecretName) -> Option<Head> {
        lock(&self.heads).get(namespace)?.get(name).cloned()
    }

    /// Sets a secret's next version. Who holds its latest has it when this returns.
    ///
    /// Of more than [`MAX_VERSIONS`], the oldest goes that is not in `pinned`: those that definitions name.
    ///
    /// # Errors
    /// If the value is empty, too large or not text, there are too many secrets, or the store fails.
    pub async fn set(
        &self,
        namespace: &NamespaceName,
        name: &SecretName,
        value: &SecretString,
        pinned: &BTreeSet<SecretVersion>,
    ) -> Result<SecretSummary, SecretError> {
        check_value(value)?;
        let _writing = self.writes.lock().await;
        let old = self.head(namespace, name);
        if old.is_none() && self.list(namespace).len() >= MAX_SECRETS {
            return Err(SecretError::TooMany);
        }
        let expect = if old.is_some() {
            Expect::Present
        } else {
            Expect::Absent
        };
        let mut head = old.unwrap_or_default();
        let record = VersionRecord {
            version: head.next_version(),
            created_at: Timestamp::now(),
        };
        head.versions.push(record);
        head.created_at.get_or_insert(record.created_at);
        let dropped = head.prune(pinned)?;
        let scope = stored::scope(namespace, name, record.version);
        let sealed = self.key.seal(&scope, value.expose_secret().as_bytes())?;
        let head_key = stored::head_key(namespace, name);
        let mut transaction = Transaction::new()
            .expect(&head_key, expect)
            .put(&head_key, head.encode())
            .put(
                stored::value_key(namespace, name, record.version),
                stored::encode_sealed(&sealed),
            );
        for version in dropped {
            transaction = transaction.delete(stored::value_key(namespace, name, version));
        }
        self.store.commit(transaction).await?;
        let summary = head.summary(name);
        lock(&self.heads)
            .entry(namespace.clone())
            .or_default()
            .insert(name.clone(), head);
        lock(&self.holders).set_latest(namespace, name, value);
        Ok(summary)
    }

    /// Deletes a secret with all its versions. That nobody refers to it is the caller's to see to.
    ///
    /// # Errors
    /// If it doesn't exist, or the store fails.
    pub async fn delete(&self, namespace: &NamespaceName, name: &SecretName) -> Result<(), SecretError> {
        let _writing = self.writes.lock().await;
        let head_key = stored::head_key(namespace, name);
        let transaction = Transaction::new()
            .expect(&head_key, Expect::Present)
            .delete(&head_key)
            .delete_prefix(stored::values_prefix(namespace, name));
        match self.store.commit(transaction).await {
            Ok(_) => {}
            Err(StoreError::Conflict { .. }) => return Err(SecretError::Unknown(name.clone())),
            Err(error) => return Err(error.into()),
        }
        if let Some(of_namespace) = lock(&self.heads).get_mut(namespace) {
            of_namespace.remove(name);
        }
        lock(&self.holders).forget(namespace, name);
        Ok(())
    }

    /// Resolves what a task refers to, and keeps it in memory and current while the result lives.
    ///
    /// # Errors
    /// The first that can't be had: it names the secret, never a value.
    pub async fn hold(
        &self,
        namespace: &NamespaceName,
        references: &BTreeMap<EnvName, SecretReference>,
    ) -> Result<HeldSecrets, SecretError> {
        let mut slots = Vec::with_capacity(references.len());
        for (variable, reference) in references {
            slots.push((variable.to_string(), self.slot(namespace, reference).await?));
        }
        Ok(HeldSecrets::new(slots))
    }

    async fn slot(
        &self,
        namespace: &NamespaceName,
        reference: &SecretReference,
    ) -> Result<Arc<Slot>, SecretError> {
        loop {
            if let Some(slot) = lock(&self.holders).find(namespace, reference) {
                return Ok(slot);
            }
            let head = self.head(namespace, &reference.name);
            let value = self.read(namespace, reference, head.as_ref()).await;
            let mut holders = lock(&self.holders);
            // A write that ended meanwhile has told the holders there were: what was read is read again. One that is under
            // way is not waited for, and tells this one, too.
            if self.head(namespace, &reference.name) != head {
                continue;
            }
            if let Some(slot) = holders.find(namespace, reference) {
                return Ok(slot);
            }
            let value = held::select(reference, &value?)?;
            return Ok(holders.add(namespace, reference, value));
        }
    }

    /// Reads and opens a version of those that `head` has.
    async fn read(
        &self,
        namespace: &NamespaceName,
        reference: &SecretReference,
        head: Option<&Head>,
    ) -> Result<SecretString, SecretError> {
        let name = &reference.name;
        let head = head.ok_or_else(|| SecretError::Missing(name.clone()))?;
        let version = reference
            .version
            .or(head.latest())
            .unwrap_or(SecretVersion::FIRST);
        let key = stored::value_key(namespace, name, version);
        let Some(entry) = self.store.get(&key).await? else {
            return Err(SecretError::MissingVersion {
                name: name.clone(),
                version,
            });
        };
        let damaged = || SecretError::Damaged {
            name: name.clone(),
            version,
        };
        let sealed = stored::decode_sealed(&entry).ok_or_else(damaged)?;
        let plain = self
            .key
            .open(&stored::scope(namespace, name, version), &sealed)
            .ok_or_else(damaged)?;
        std::str::from_utf8(&plain)
            .map(SecretString::from)
            .map_err(|_| damaged())
    }
}

fn check_value(value: &SecretString) -> Result<(), SecretError> {
    let text = value.expose_secret();
    match text.len() {
        0 => Err(SecretError::Empty),
        1..=MAX_SECRET_SIZE if text.contains('\0') => Err(SecretError::Nul),
        1..=MAX_SECRET_SIZE => Ok(()),
        size => Err(SecretError::TooLarge { size }),
    }
}

/// None of these mutexes is held where something can panic half-way; a poisoned one is as good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
