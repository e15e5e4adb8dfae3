//! Listeners, target groups and routes, and their actions in words.

use std::collections::BTreeMap;

use wharf_gateway::{
    Action, Explanation, GroupName, Precedence, Ranked, RoutingError, RuleName, TargetStatus, Unmet,
};

use super::wire;
use crate::edge::rules::Rule;
use crate::edge::{ListenerState, short_name, worded};
use crate::manifest::{ForwardText, RedirectText, RouteText, UnusableRoute};
use crate::names::{NamespaceName, ServiceName};
use crate::orchestrator::AppliedChange;

/// Rules that a test names at most; more are counted.
const TRIED_SHOWN: usize = 1000;

pub(in crate::api) fn applied(change: &AppliedChange) -> wire::Applied {
    wire::Applied {
        created: change.created,
        updated: change.updated,
        unchanged: change.unchanged,
        in_force_after_ms: change.in_force_after.as_secs_f64() * 1000.0,
    }
}

pub(in crate::api) fn rule(rule: &Rule) -> wire::Route {
    wire::Route {
        name: short_name(rule.spec.name.as_str(), &rule.namespace).to_owned(),
        service_name: rule.service.as_ref().map(ToString::to_string),
        priority: match rule.spec.precedence {
            Precedence::Explicit(priority) => Some(u32::from(priority.get())),
            Precedence::DefaultHost | Precedence::Unranked { .. } => None,
        },
        listeners: rule.listeners.iter().map(ToString::to_string).collect(),
        conditions: rule.spec.conditions.to_string(),
        action: match &rule.text {
            Some(text) => action_of(text, rule.service.as_ref().map(AsRef::as_ref)),
            None => action(&rule.spec.action, &rule.namespace),
        },
        error: None,
        definition: rule.text.as_deref().map(json),
    }
}

/// The same of one that may have been left out.
pub(in crate::api) fn standing(
    of: &Rule,
    left_out: &BTreeMap<RuleName, RoutingError>,
    sees: Sees<'_>,
) -> wire::Route {
    let error = left_out.get(&of.spec.name);
    wire::Route {
        error: error.map(|error| match sees {
            Sees::Everything => error.to_string(),
            Sees::Own(namespace) => worded(error, namespace),
        }),
        ..rule(of)
    }
}

/// One that makes no sense to this version.
pub(in crate::api) fn unusable(
    name: &str,
    service: Option<&ServiceName>,
    route: &UnusableRoute,
) -> wire::Route {
    let text = route.text.as_ref();
    wire::Route {
        name: name.to_owned(),
        service_name: service.map(ToString::to_string),
        priority: text
            .and_then(|text| text.priority)
            .and_then(|priority| u32::try_from(priority).ok()),
        listeners: text.map(|text| text.listener.clone()).unwrap_or_default(),
        conditions: String::new(),
        action: text.map_or_else(String::new, |text| action_of(text, service.map(AsRef::as_ref))),
        error: Some(route.reason.clone()),
        definition: text.map(json),
    }
}

/// What a route does, as it is written.
fn action_of(text: &RouteText, own: Option<&str>) -> String {
    match (&text.redirect, &text.fixed) {
        (Some(text), _) => redirect(text),
        (_, Some(fixed)) => format!("answer {}", fixed.status.unwrap_or_default()),
        _ if text.forward.is_empty() => format!("forward to service {}", own.unwrap_or_default()),
        _ => format!("forward to {}", shares(&text.forward)),
    }
}

fn shares(texts: &[ForwardText]) -> String {
    let alone = texts.len() == 1;
    let share = |text: &ForwardText| {
        let to = match (&text.service, &text.target_group) {
            (Some(name), _) => format!("service {name}"),
            (_, name) => format!("target group {}", name.as_deref().unwrap_or_default()),
        };
        match text.weight {
            _ if alone => to,
            weight => format!("{to} ({})", weight.unwrap_or(1)),
        }
    };
    texts.iter().map(share).collect::<Vec<_>>().join(", ")
}

fn redirect(text: &RedirectText) -> String {
    let part = |part: &Option<String>, otherwise: &str| part.as_deref().unwrap_or(otherwise).to_owned();
    let port = text
        .port
        .as_deref()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let query = part(&text.query, "#{query}");
    format!(
        "redirect {} to {}://{}{port}{}{}",
        text.status.unwrap_or_default(),
        part(&text.protocol, "#{protocol}").to_lowercase(),
        part(&text.host, "#{host}"),
        part(&text.path, "/#{path}"),
        if query.is_empty() {
            query
        } else {
            format!("?{query}")
        }
    )
}

/// What the gateway does, in words.
fn action(action: &Action, namespace: &NamespaceName) -> String {
    match action {
        Action::Forward(forward) => {
            let groups = forward.groups();
            let alone = groups.len() == 1;
            let each = groups.iter().map(|of| match alone {
                true => group(&of.group, namespace),
                false => format!("{} ({})", group(&of.group, namespace), of.weight),
            });
            format!("forward to {}", each.collect::<Vec<_>>().join(", "))
        }
        Action::Redirect(redirect) => format!("redirect {}", redirect.status().as_u16()),
        Action::Fixed(fixed) => format!("answer {}", fixed.status().as_u16()),
        Action::NotFound => "answer 404: nothing is there".to_owned(),
    }
}

fn group(name: &GroupName, namespace: &NamespaceName) -> String {
    let name = short_name(name.as_str(), namespace);
    match name.strip_prefix("target-groups/") {
        Some(outside) => format!("target group {outside}"),
        None => format!("service {name}"),
    }
}

pub(in crate::api) fn target(status: &TargetStatus) -> wire::Target {
    let reason = status.health.reason();
    wire::Target {
        id: status.id.to_string(),
        state: status.health.state().to_owned(),
        reason: reason.as_ref().map(|reason| reason.code().to_owned()),
        description: reason.as_ref().map(ToString::to_string),
        weight: u32::from(status.weight.get()),
        in_flight: status.in_flight,
    }
}

pub(in crate::api) fn listener(state: &ListenerState) -> wire::Listener {
    let applied = state.applied.as_deref();
    let default = applied.and_then(|listener| listener.text.default.as_ref());
    let default_action = match default {
        None => "answer 404: nothing is there".to_owned(),
        Some(default) => {
            let as_route = RouteText {
                forward: default.forward.clone(),
                redirect: default.redirect.clone(),
                fixed: default.fixed.clone(),
                ..RouteText::default()
            };
            action_of(&as_route, None)
        }
    };
    wire::Listener {
        name: state.name.to_string(),
        protocol: match applied.and_then(|listener| listener.tls.as_ref()) {
            Some(_) => "HTTPS".to_owned(),
            None => "HTTP".to_owned(),
        },
        address: state.address.map(|address| address.to_string()),
        connections: state.connections,
        error: state.error.clone(),
        default_action,
        definition: applied.map(|listener| json(&listener.text)),
    }
}

/// Whose names an answer may have.
#[derive(Debug, Clone, Copy)]
pub(in crate::api) enum Sees<'n> {
    /// The administrator knows every namespace.
    Everything,
    /// One namespace's own.
    Own(&'n NamespaceName),
}

pub(in crate::api) fn explanation(
    explanation: &Explanation,
    listener: &str,
    namespace: &NamespaceName,
    sees: Sees<'_>,
) -> wire::RouteTest {
    let is_seen = |ranked: &Ranked| match sees {
        Sees::Everything => true,
        Sees::Own(own) => {
            let rest = ranked.rule.as_str().strip_prefix(own.as_str());
            rest.is_some_and(|rest| rest.starts_with('/'))
        }
    };
    let tested = |ranked: &Ranked, unmet: Option<&Unmet>| wire::TestedRoute {
        name: short_name(ranked.rule.as_str(), namespace).to_owned(),
        rank: ranked.precedence.to_string(),
        reason: unmet.map(ToString::to_string),
    };
    let seen = explanation.tried.iter().filter(|(ranked, _)| is_seen(ranked));
    let tried: Vec<_> = seen
        .take(TRIED_SHOWN)
        .map(|(ranked, unmet)| tested(ranked, Some(unmet)))
        .collect();
    let foreign = explanation
        .matched
        .as_ref()
        .is_some_and(|ranked| !is_seen(ranked));
    wire::RouteTest {
        listener: listener.to_owned(),
        matched: explanation.matched.as_ref().map(|ranked| match foreign {
            false => tested(ranked, None),
            true => wire::TestedRoute {
                name: "one of another namespace".to_owned(),
                rank: String::new(),
                reason: None,
            },
        }),
        action: match (foreign, &explanation.matched, sees) {
            (true, ..) => "not this namespace's to know".to_owned(),
            // The targets of a listener's default are namespace `default`'s.
            (false, None, Sees::Own(own)) if !own.is_default() => default_action(&explanation.action, own),
            (false, ..) => action(&explanation.action, namespace),
        },
        left_out: explanation.tried.len().saturating_sub(tried.len()),
        tried,
    }
}

/// A listener's default, as a namespace sees it that isn't `default`: as its clients do.
fn default_action(of: &Action, namespace: &NamespaceName) -> String {
    match of {
        Action::Forward(_) => "forward to what is not this namespace's to know".to_owned(),
        Action::Redirect(_) | Action::Fixed(_) | Action::NotFound => action(of, namespace),
    }
}

/// Texts and lists of them always serialise.
pub(in crate::api) fn json(text: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(text).unwrap_or_default()
}

#[cfg(test)]
mod tests;
