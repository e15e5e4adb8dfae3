//! What people see of scaling: the control loop writes it, the API reads it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::Signal;
use crate::names::{NamespaceName, ServiceName};

/// What is known of every service that scales.
#[derive(Debug, Default)]
pub struct Shown(Mutex<HashMap<(NamespaceName, ServiceName), ShownScaling>>);

/// How a service scales, as of now.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownScaling {
    /// The fewest tasks.
    pub min: u32,
    /// The most.
    pub max: u32,
    /// How many there shall be now: none while it sleeps.
    pub desired: u32,
    /// What is kept at which value, and where it is.
    pub values: Vec<Value>,
    /// What was decided last.
    pub last: Option<Decided>,
}

/// A signal and its target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    /// What is measured.
    pub signal: Signal,
    /// Where it is kept.
    pub target: u32,
    /// Where it was when it was last looked; none if there is no data.
    pub current: Option<f64>,
}

/// A decision that changed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// When.
    pub at: Timestamp,
    /// From how many tasks.
    pub from: u32,
    /// To how many.
    pub to: u32,
    /// Why, for people.
    pub cause: String,
}

impl Shown {
    /// What is known of a service.
    pub fn get(&self, namespace: &NamespaceName, service: &ServiceName) -> Option<ShownScaling> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&(namespace.clone(), service.clone())).cloned()
    }

    /// Notes what is known of a service; nothing of one that doesn't scale any more.
    pub(crate) fn set(&self, key: &(NamespaceName, ServiceName), scaling: Option<ShownScaling>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match scaling {
            Some(scaling) => all.insert(key.clone(), scaling),
            None => all.remove(key),
        };
    }
}
