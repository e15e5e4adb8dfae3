//! A definition as one run has it: with what is different this time, which makes no revision.

use std::sync::Arc;

use wharf_runtime::{Bytes, CpuUnits};

use super::Blueprint;
use crate::manifest::{self, EnvOverride, Manifest, ManifestText, SecretOverride};
use crate::model::Overrides;
use crate::refusal::{Kind, Refusal};

/// The code of a refusal of what a run would change.
const INVALID_OVERRIDE: &str = "InvalidOverride";

impl Blueprint {
    /// The blueprint with what a run changes.
    ///
    /// # Errors
    /// What is wrong with the changes.
    pub fn overridden(self: &Arc<Self>, overrides: &Overrides) -> Result<Arc<Self>, Refusal> {
        if *overrides == Overrides::default() {
            return Ok(self.clone());
        }
        let unreadable =
            |e: serde_json::Error| Refusal::new(Kind::Internal, "InvalidManifest", e.to_string());
        let stored = self.definition.manifest.clone();
        let mut text: ManifestText = serde_json::from_value(stored).map_err(unreadable)?;
        let typed = typed(overrides)?;
        typed
            .apply(&mut text)
            .map_err(|e| bad_override("overrides".to_owned(), &e))?;
        if let Some(args) = &overrides.args {
            text.task.args.clone_from(args);
        }
        let manifest = Manifest::from_text(&text).map_err(|errors| Refusal {
            code: INVALID_OVERRIDE,
            ..errors.into()
        })?;
        Ok(Arc::new(Self {
            manifest,
            ..(**self).clone()
        }))
    }
}

/// Names and references are as in a manifest.
fn typed(overrides: &Overrides) -> Result<manifest::Overrides, Refusal> {
    let env = overrides.env.iter().map(|(name, value)| {
        let field = || format!("overrides.environment.{name}");
        if overrides.secrets.iter().any(|(secret, _)| secret == name) {
            let message = "the same name is in environment and in secrets";
            return Err(bad_override(field(), &message).hint("remove one of them"));
        }
        Ok(EnvOverride {
            name: name.parse().map_err(|e| bad_override(field(), &e))?,
            value: value.clone(),
        })
    });
    let secrets = overrides.secrets.iter().map(|(name, reference)| {
        let field = || format!("overrides.secrets.{name}");
        Ok(SecretOverride {
            name: name.parse().map_err(|e| bad_override(field(), &e))?,
            reference: reference.parse().map_err(|e| bad_override(field(), &e))?,
        })
    });
    let cpu = overrides.cpu.map(|cpu| {
        CpuUnits::new(cpu).ok_or_else(|| {
            let message = format!("cpu is {cpu}, it goes from 1 to {}", CpuUnits::MAX);
            bad_override("overrides.cpu".to_owned(), &message)
        })
    });
    Ok(manifest::Overrides {
        env: env.collect::<Result<_, _>>()?,
        secrets: secrets.collect::<Result<_, Refusal>>()?,
        cpu: cpu.transpose()?,
        memory: overrides.memory.map(Bytes::new),
        count: None,
    })
}

fn bad_override(field: String, error: &dyn std::fmt::Display) -> Refusal {
    Refusal::unprocessable(INVALID_OVERRIDE, error.to_string()).field(field)
}
