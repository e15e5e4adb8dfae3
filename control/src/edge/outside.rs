//! The targets outside that are registered, and how they follow what is wanted: those that stay keep their connections,
//! their health and their clients.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use wharf_gateway::{
    GroupName, Reach, TargetGroup as Group, TargetId, Upstream, UpstreamError, UpstreamSpec,
};

use crate::manifest::{Connection, OutsideTarget, TargetGroup};
use crate::names::NamespaceName;
use crate::refusal::Refusal;

/// Names a target may try for: one that was taken out drains under its name still.
const MAX_TRIES: usize = 1000;

/// What is registered, by group.
#[derive(Debug, Default)]
pub(super) struct Outside {
    groups: HashMap<GroupName, Registered>,
}

/// A target group as it is wanted.
#[derive(Debug)]
pub(super) struct OutsideGroup {
    group: Arc<TargetGroup>,
    reach: Reach,
}

impl OutsideGroup {
    /// A namespace's.
    pub(super) fn of(namespace: &NamespaceName, group: &Arc<TargetGroup>) -> Self {
        Self {
            group: group.clone(),
            reach: reach_of(namespace),
        }
    }
}

/// A target and its identity within the group.
type Known = (TargetId, OutsideTarget);

/// The targets of a group that changes.
#[derive(Default)]
struct Parted {
    kept: Vec<Known>,
    gone: Vec<Known>,
    /// How long those that leave may take.
    delay: Duration,
}

#[derive(Debug)]
struct Registered {
    targets: Vec<Known>,
    connection: Connection,
    deregistration_delay: Duration,
}

impl Outside {
    /// Makes a group's targets those that are wanted.
    pub(super) fn register(&mut self, group: &Arc<Group>, wanted: Option<&OutsideGroup>, control: &Handle) {
        let reach = wanted.map_or(Reach::BeyondThisHost, |wanted| wanted.reach);
        let wanted = wanted.map(|wanted| &*wanted.group);
        let Parted {
            mut kept,
            gone,
            mut delay,
        } = self.part(group.name(), wanted);
        if let Some(wanted) = wanted {
            delay = wanted.deregistration_delay;
            // Before others leave: there is always somebody to take requests.
            kept.extend(added(group, wanted, reach, &kept));
            let registered = Registered {
                targets: kept,
                connection: wanted.connection.clone(),
                deregistration_delay: delay,
            };
            self.groups.insert(group.name().clone(), registered);
        }
        for (id, _) in gone {
            if let Some(drain) = group.deregister(&id, delay) {
                control.spawn(drain);
            }
        }
    }

    /// Parts the targets a group has into those that stay and those that leave.
    fn part(&mut self, name: &GroupName, wanted: Option<&TargetGroup>) -> Parted {
        let Some(before) = self.groups.remove(name) else {
            return Parted::default();
        };
        let wanted = wanted.filter(|wanted| wanted.connection == before.connection);
        let stays = |target: &OutsideTarget| wanted.is_some_and(|wanted| wanted.targets.contains(target));
        let (kept, gone) = before.targets.into_iter().partition(|(_, target)| stays(target));
        Parted {
            kept,
            gone,
            delay: before.deregistration_delay,
        }
    }
}

/// Registers the targets that are wanted and not there.
fn added(group: &Arc<Group>, wanted: &TargetGroup, reach: Reach, there: &[Known]) -> Vec<Known> {
    let missing = |target: &&OutsideTarget| !there.iter().any(|(_, other)| other == *target);
    let mut added = Vec::new();
    for target in wanted.targets.iter().filter(missing) {
        match upstream(target, &wanted.connection, reach) {
            Ok(upstream) => added.extend(add(group, target, &upstream).map(|id| (id, target.clone()))),
            Err(error) => {
                tracing::error!(group = %group.name(), url = %target.url, %error, "can't add a target");
            }
        }
    }
    added
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

/// Refuses targets at the host's own addresses, but for namespace `default`. What names resolve to is looked at when
/// they are connected to.
pub(super) fn refuse_own_addresses(namespace: &NamespaceName, group: &TargetGroup) -> Result<(), Refusal> {
    let reach = reach_of(namespace);
    let is_own = |target: &&OutsideTarget| target.url.address().is_some_and(|address| !reach.allows(address));
    let Some(target) = group.targets.iter().find(is_own) else {
        return Ok(());
    };
    let message = format!(
        "target `{}` of `{}` is at an address of the host itself, which is for namespace `default` alone",
        target.url, group.name
    );
    Err(Refusal::unprocessable("TargetUnusable", message)
        .field("target_group")
        .hint("name an address of another host, or forward to a service"))
}

/// Whether there can be such targets, before anything is written.
///
/// # Errors
/// If there is nothing to check their certificates with.
pub fn check_targets(group: &TargetGroup) -> Result<(), Refusal> {
    for target in group.targets.iter().filter(|target| target.url.is_https()) {
        upstream(target, &group.connection, Reach::default()).map_err(|error| {
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
fn upstream(
    target: &OutsideTarget,
    connection: &Connection,
    reach: Reach,
) -> Result<Arc<Upstream>, UpstreamError> {
    Upstream::new(spec(target, connection, reach))
}

fn spec(target: &OutsideTarget, connection: &Connection, reach: Reach) -> UpstreamSpec {
    UpstreamSpec {
        version: connection.version,
        url: target.url.clone(),
        connect_timeout: connection.connect_timeout,
        tls_timeout: connection.tls_timeout,
        idle_timeout: connection.idle_timeout,
        keep_alive: connection.keep_alive,
        connections: connection.connections,
        response_head: connection.response_head,
        certificates: connection.certificates.clone(),
        server_name: connection.server_name.clone(),
        reach,
    }
}

/// How far a namespace's targets may be: what listens on the host's own addresses is the operator's.
fn reach_of(namespace: &NamespaceName) -> Reach {
    match namespace.is_default() {
        true => Reach::Anywhere,
        false => Reach::BeyondThisHost,
    }
}

#[cfg(test)]
mod tests;
