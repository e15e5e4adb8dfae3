//! The targets outside that are registered, and how they follow what is wanted: those that stay keep their connections,
//! their health and their clients.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use wharf_gateway::{
    Certificates, GroupName, TargetGroup as Group, TargetId, Upstream, UpstreamError, UpstreamSpec,
};

use crate::manifest::{CertificateCheck, Connection, OutsideTarget, TargetGroup};
use crate::refusal::Refusal;

/// Names a target may try for: one that was taken out drains under its name still.
const MAX_TRIES: usize = 1000;

/// What is registered, by group.
#[derive(Debug, Default)]
pub(super) struct Outside {
    groups: HashMap<GroupName, Registered>,
}

#[derive(Debug)]
struct Registered {
    targets: Vec<(TargetId, OutsideTarget)>,
    connection: Connection,
    deregistration_delay: Duration,
}

impl Outside {
    /// Makes a group's targets those that are wanted.
    pub(super) fn register(&mut self, group: &Arc<Group>, wanted: Option<&TargetGroup>, control: &Handle) {
        let before = self.groups.remove(group.name());
        let mut kept = Vec::new();
        if let Some(before) = before {
            let same_ways = wanted.is_some_and(|wanted| wanted.connection == before.connection);
            for (id, target) in before.targets {
                if same_ways && wanted.is_some_and(|wanted| wanted.targets.contains(&target)) {
                    kept.push((id, target));
                    continue;
                }
                let delay = wanted.map_or(before.deregistration_delay, |wanted| wanted.deregistration_delay);
                if let Some(drain) = group.deregister(&id, delay) {
                    control.spawn(drain);
                }
            }
        }
        let Some(wanted) = wanted else { return };
        for target in &wanted.targets {
            if kept.iter().any(|(_, other)| other == target) {
                continue;
            }
            match upstream(target, &wanted.connection) {
                Ok(upstream) => kept.extend(add(group, target, &upstream).map(|id| (id, target.clone()))),
                Err(error) => {
                    tracing::error!(group = %group.name(), url = %target.url, %error, "can't add a target")
                }
            }
        }
        let registered = Registered {
            targets: kept,
            connection: wanted.connection.clone(),
            deregistration_delay: wanted.deregistration_delay,
        };
        self.groups.insert(group.name().clone(), registered);
    }
}

/// Registers a target under its URL, or that with a number while another of the URL drains.
fn add(group: &Arc<Group>, target: &OutsideTarget, upstream: &Arc<Upstream>) -> Option<TargetId> {
    let url = target.url.to_string();
    (1..=MAX_TRIES).find_map(|number| {
        let name = match number {
            1 => url.clone(),
            number => format!("{url}#{number}"),
        };
        let id = TargetId::new(&name).ok()?;
        group.register(id.clone(), upstream.clone(), target.weight).ok()?;
        Some(id)
    })
}

/// Whether there can be such targets, before anything is written.
///
/// # Errors
/// If there is nothing to check their certificates with.
pub fn check_targets(group: &TargetGroup) -> Result<(), Refusal> {
    for target in group.targets.iter().filter(|target| target.url.is_https()) {
        upstream(target, &group.connection).map_err(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            let message = format!(
                "target `{}` of `{}`: {error}{}",
                target.url,
                group.name,
                cause.unwrap_or_default()
            );
            Refusal::unprocessable("TargetUnusable", message).field("target_group")
        })?;
    }
    Ok(())
}

/// A target as the gateway speaks to it.
fn upstream(target: &OutsideTarget, connection: &Connection) -> Result<Arc<Upstream>, UpstreamError> {
    Upstream::new(UpstreamSpec {
        version: connection.version,
        connect_timeout: connection.connect_timeout,
        idle_timeout: connection.idle_timeout,
        connections: connection.connections,
        certificates: match connection.certificates {
            CertificateCheck::System => Certificates::System,
            CertificateCheck::None => Certificates::Unchecked,
        },
        ..UpstreamSpec::new(target.url.clone())
    })
}
