//! The stored form of how a service scales.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::known;
use crate::scaling::{Idle, ScalingSpec, Signal, Target};

/// A stored [`ScalingSpec`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredScaling {
    min: u32,
    max: u32,
    targets: Vec<StoredTarget>,
    cooldown_in_ms: u64,
    cooldown_out_ms: u64,
    idle: Option<StoredIdle>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredTarget {
    signal: String,
    value: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredIdle {
    after_ms: u64,
    wait_ms: u64,
}

impl StoredScaling {
    /// To the stored form.
    pub(super) fn of(spec: &ScalingSpec) -> Self {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let targets = spec.targets.iter().map(|target| StoredTarget {
            signal: target.signal.key().to_owned(),
            value: target.value,
        });
        Self {
            min: spec.min,
            max: spec.max,
            targets: targets.collect(),
            cooldown_in_ms: ms(spec.cooldown_in),
            cooldown_out_ms: ms(spec.cooldown_out),
            idle: spec.idle.map(|idle| StoredIdle {
                after_ms: ms(idle.after),
                wait_ms: ms(idle.wait),
            }),
        }
    }

    /// From the stored form, or what is wrong with it.
    pub(super) fn read(self) -> Result<ScalingSpec, String> {
        let targets = self.targets.into_iter().map(|StoredTarget { signal, value }| {
            let signal = known(&signal, Signal::from_key(&signal))?;
            Ok(Target { signal, value })
        });
        Ok(ScalingSpec {
            min: self.min,
            max: self.max,
            targets: targets.collect::<Result<_, String>>()?,
            cooldown_in: Duration::from_millis(self.cooldown_in_ms),
            cooldown_out: Duration::from_millis(self.cooldown_out_ms),
            idle: self.idle.map(|idle| Idle {
                after: Duration::from_millis(idle.after_ms),
                wait: Duration::from_millis(idle.wait_ms),
            }),
        })
    }
}
