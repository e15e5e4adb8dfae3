//! What tasks hold: values in memory, one for each reference that is in use, however many tasks use it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::value::RawValue;
use wharf_runtime::{SecretSource, SecretUnavailable};
use zeroize::Zeroizing;

use super::{SecretError, SecretReference};
use crate::names::{NamespaceName, SecretName};

/// One reference's value, as it is now: or why there is none any more.
pub(super) struct Slot {
    reference: SecretReference,
    value: ArcSwap<Result<SecretString, SecretUnavailable>>,
}

/// Which references are in use. A slot goes with the last who holds it, and its value with it.
#[derive(Default)]
pub(super) struct Holders(HashMap<(NamespaceName, SecretName), Vec<Weak<Slot>>>);

impl Holders {
    pub(super) fn find(&self, namespace: &NamespaceName, reference: &SecretReference) -> Option<Arc<Slot>> {
        let slots = self.0.get(&(namespace.clone(), reference.name.clone()))?;
        slots.iter().filter_map(Weak::upgrade).find(|slot| {
            // One whose secret went away is not handed out again: it may be back.
            slot.reference == *reference && slot.value.load().is_ok()
        })
    }

    pub(super) fn add(
        &mut self,
        namespace: &NamespaceName,
        reference: &SecretReference,
        value: SecretString,
    ) -> Arc<Slot> {
        let slot = Arc::new(Slot {
            reference: reference.clone(),
            value: ArcSwap::from_pointee(Ok(value)),
        });
        self.0.retain(|_, slots| {
            slots.retain(|slot| slot.strong_count() > 0);
            !slots.is_empty()
        });
        let of_secret = self
            .0
            .entry((namespace.clone(), reference.name.clone()))
            .or_default();
        of_secret.push(Arc::downgrade(&slot));
        slot
    }

    /// Gives a new version to those who hold the latest.
    pub(super) fn set_latest(&self, namespace: &NamespaceName, name: &SecretName, value: &SecretString) {
        for slot in self.of_secret(namespace, name) {
            if slot.reference.version.is_none() {
                let selected = select(&slot.reference, value);
                slot.value.store(Arc::new(
                    selected.map_err(|error| SecretUnavailable(error.to_string())),
                ));
            }
        }
    }

    /// Takes a secret's values back.
    pub(super) fn forget(&self, namespace: &NamespaceName, name: &SecretName) {
        for slot in self.of_secret(namespace, name) {
            let missing = SecretError::Missing(name.clone()).to_string();
            slot.value.store(Arc::new(Err(SecretUnavailable(missing))));
        }
    }

    fn of_secret(&self, namespace: &NamespaceName, name: &SecretName) -> impl Iterator<Item = Arc<Slot>> {
        self.0
            .get(&(namespace.clone(), name.clone()))
            .into_iter()
            .flatten()
            .filter_map(Weak::upgrade)
    }
}

/// What a reference means of a value: all of it, or a key's.
pub(super) fn select(reference: &SecretReference, value: &SecretString) -> Result<SecretString, SecretError> {
    let Some(key) = &reference.json_key else {
        return Ok(value.clone());
    };
    let name = || reference.name.clone();
    // Only the wanted key is copied out of the text, and nothing of serde's errors is shown: they quote it.
    let object: BTreeMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(value.expose_secret()).map_err(|_| SecretError::NotJson {
            name: name(),
            key: key.clone(),
        })?;
    let found = object
        .get(key.as_str())
        .map(|value| value.get())
        .filter(|value| *value != "null");
    let found = found.ok_or_else(|| SecretError::NoJsonKey {
        name: name(),
        key: key.clone(),
    })?;
    if !found.starts_with('"') {
        return Ok(SecretString::from(found));
    }
    let text: Zeroizing<String> =
        serde_json::from_str(found)
            .map(Zeroizing::new)
            .map_err(|_| SecretError::NotJson {
                name: name(),
                key: key.clone(),
            })?;
    match text.contains('\0') {
        true => Err(SecretError::Nul),
        false => Ok(SecretString::from(text.as_str())),
    }
}

/// A task's secrets, current while this lives.
pub struct HeldSecrets {
    slots: Vec<(String, Arc<Slot>)>,
}

impl HeldSecrets {
    pub(super) fn new(slots: Vec<(String, Arc<Slot>)>) -> Self {
        Self { slots }
    }
}

impl fmt::Debug for HeldSecrets {
    /// The variables and what they refer to.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self
            .slots
            .iter()
            .map(|(variable, slot)| (variable, slot.reference.to_string()));
        f.debug_map().entries(shown).finish()
    }
}

impl SecretSource for HeldSecrets {
    fn resolve(&self) -> Result<Vec<(String, SecretString)>, SecretUnavailable> {
        self.slots
            .iter()
            .map(|(variable, slot)| match slot.value.load().as_ref() {
                Ok(value) => Ok((variable.clone(), value.clone())),
                Err(unavailable) => Err(unavailable.clone()),
            })
            .collect()
    }
}
