//! `--env --secret --cpu --memory --count`: laid over what was written, before it is checked.

use std::collections::BTreeSet;
use std::str::FromStr;

use wharf_runtime::{Bytes, CpuUnits};

use super::check::MAX_TEXT;
use super::text::{ManifestText, ServiceText};
use crate::names::{EnvName, NameError};
use crate::secrets::{SecretReference, SecretReferenceError};

/// `--env NAME=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvOverride {
    /// The variable.
    pub name: EnvName,
    /// Its value.
    pub value: String,
}

/// `--secret NAME=secret[:json-key][@version]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretOverride {
    /// The variable.
    pub name: EnvName,
    /// Where its value comes from.
    pub reference: SecretReference,
}

/// What a command line says over a manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Variables that are set or replaced.
    pub env: Vec<EnvOverride>,
    /// Secret variables that are set or replaced.
    pub secrets: Vec<SecretOverride>,
    /// CPU share.
    pub cpu: Option<CpuUnits>,
    /// Memory envelope.
    pub memory: Option<Bytes>,
    /// Number of tasks.
    pub count: Option<u32>,
}

/// Overrides that make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// No `=`.
    #[error("`{text}` has no `=`: write {wanted}")]
    NoEquals {
        /// What was given.
        text: String,
        /// What is wanted.
        wanted: &'static str,
    },
    /// The variable's name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The reference to a secret.
    #[error("`{0}`: {1}")]
    Reference(EnvName, #[source] SecretReferenceError),
    /// A value that is longer than one in a manifest may be.
    #[error("the value of `{name}` has {size} bytes, {MAX_TEXT} are allowed")]
    TooLong {
        /// The variable.
        name: EnvName,
        /// In bytes.
        size: usize,
    },
    /// The same variable twice with one option.
    #[error("{option} gives `{name}` twice: a variable has one source, leave one out")]
    Twice {
        /// `--env` or `--secret`.
        option: &'static str,
        /// The variable.
        name: EnvName,
    },
    /// The same variable as a plain and as a secret one.
    #[error("both --env and --secret give `{0}`: a variable has one source, leave one out")]
    Both(EnvName),
}

impl FromStr for EnvOverride {
    type Err = OverrideError;

    fn from_str(text: &str) -> Result<Self, OverrideError> {
        let (name, value) = split(text, "--env NAME=VALUE")?;
        let name = name.parse()?;
        let value = value.to_owned();
        match value.len() {
            0..=MAX_TEXT => Ok(Self { name, value }),
            size => Err(OverrideError::TooLong { name, size }),
        }
    }
}

impl FromStr for SecretOverride {
    type Err = OverrideError;

    fn from_str(text: &str) -> Result<Self, OverrideError> {
        let (name, reference) = split(
            text,
            "--secret NAME=SECRET, where SECRET is the name of one that is set",
        )?;
        let name: EnvName = name.parse()?;
        match reference.parse() {
            Ok(reference) => Ok(Self { name, reference }),
            Err(error) => Err(OverrideError::Reference(name, error)),
        }
    }
}

fn split<'a>(text: &'a str, wanted: &'static str) -> Result<(&'a str, &'a str), OverrideError> {
    text.split_once('=').ok_or_else(|| OverrideError::NoEquals {
        text: text.escape_debug().to_string(),
        wanted,
    })
}

/// The variables an option gives, each once.
fn once<'o>(
    option: &'static str,
    names: impl Iterator<Item = &'o EnvName>,
) -> Result<BTreeSet<&'o EnvName>, OverrideError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            let name = name.clone();
            return Err(OverrideError::Twice { option, name });
        }
    }
    Ok(seen)
}

impl Overrides {
    /// Whether they agree with each other, whatever they are laid over.
    ///
    /// # Errors
    /// If a variable has two sources.
    pub fn check(&self) -> Result<(), OverrideError> {
        let plain = once("--env", self.env.iter().map(|env| &env.name))?;
        let secret = once("--secret", self.secrets.iter().map(|secret| &secret.name))?;
        match plain.intersection(&secret).next() {
            Some(name) => Err(OverrideError::Both((*name).clone())),
            None => Ok(()),
        }
    }

    /// Lays them over `manifest`. A variable's source is replaced, be it plain or a secret.
    ///
    /// # Errors
    /// If they contradict each other.
    pub fn apply(&self, manifest: &mut ManifestText) -> Result<(), OverrideError> {
        self.check()?;
        let task = &mut manifest.task;
        for EnvOverride { name, value } in &self.env {
            task.secrets.remove(name.as_str());
            task.env.insert(name.to_string(), value.clone());
        }
        for SecretOverride { name, reference } in &self.secrets {
            task.env.remove(name.as_str());
            task.secrets.insert(name.to_string(), reference.to_string());
        }
        if let Some(cpu) = self.cpu {
            task.cpu = Some(i64::from(cpu.get()));
        }
        if let Some(memory) = self.memory {
            // In bytes: a size's Display may be rounded.
            task.memory = Some(memory.get().to_string());
        }
        if let Some(count) = self.count {
            let said = match &mut manifest.job {
                Some(job) => &mut job.count,
                None => &mut manifest.service.get_or_insert_with(ServiceText::default).count,
            };
            *said = Some(i64::from(count));
        }
        Ok(())
    }
}
