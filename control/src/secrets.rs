//! Secrets: named values that are encrypted at rest and never shown again.

mod reference;

pub use reference::{SecretReference, SecretReferenceError, SecretVersion};
