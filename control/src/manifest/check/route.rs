//! `[[route]]`: its conditions, its action, and what it changes about requests and responses.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use wharf_gateway::{
    Action, HeaderEdits, ListenerName, ListenerRules, Precedence, Priority, Rewrite, RewriteError, Routing,
    RuleName, RuleSpec, Scheme, Transforms,
};

use super::super::error::{FieldPath, ManifestError};
use super::super::routing::{Route, RouteAction};
use super::super::text::{HeaderEditsText, ReplaceText, RewriteText, RouteText};
use super::super::values::Report;
use super::action::{self, action};

mod compared;
mod conditions;

use compared::Seen;
use conditions::{conditions, count, header_name};
pub(super) use conditions::{listed, network};

/// The most `[[route]]`s of one file, and of a namespace, its services' aside (ALB: 100 of a load balancer).
pub const MAX_ROUTES: usize = 20_000;

/// For a response's head.
const TIMEOUTS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(24 * 3600));

/// Where a route is written, which says what it may leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Home {
    /// In a service's manifest: it needs no name, and without an action it forwards to the service.
    Service,
    /// By itself.
    Alone,
}

pub(in super::super) fn routes(
    texts: &[RouteText],
    here: &FieldPath,
    home: Home,
    report: &mut Report,
) -> Vec<Route> {
    report.length(here.clone(), texts.len(), MAX_ROUTES);
    let mut seen = Seen::default();
    let mut routes = Vec::with_capacity(texts.len().min(MAX_ROUTES));
    for (at, text) in texts.iter().take(MAX_ROUTES).enumerate() {
        let here = here.index(at);
        let before = report.errors.len();
        let route = route(text, &here, home, report);
        // One that was refused matches something else than was meant: comparing it would mislead.
        if report.errors.len() == before {
            seen.compare(at, &route, &here, report);
        }
        routes.push(route);
    }
    routes
}

fn route(text: &RouteText, here: &FieldPath, home: Home, report: &mut Report) -> Route {
    let before = report.errors.len();
    if home == Home::Alone && text.name.is_none() {
        report.refuse(
            here.clone(),
            "[[route]] has no `name`",
            "add one, like name = \"shop\"",
        );
    }
    let route = Route {
        name: report.parsed(here.key("name"), text.name.as_deref().map(str::parse)),
        listeners: listed(&text.listener, &here.key("listener"), report, |name| name.parse()),
        priority: priority(text.priority, here, report),
        conditions: conditions(text, here, report),
        action: action(text, here, home, report),
        transforms: transforms(text.rewrite.as_ref(), &here.key("rewrite"), report),
        request_headers: edits(
            text.request_headers.as_ref(),
            &here.key("request_headers"),
            report,
        ),
        response_headers: edits(
            text.response_headers.as_ref(),
            &here.key("response_headers"),
            report,
        ),
        timeout: text
            .timeout
            .as_deref()
            .map(|written| report.duration(here, "timeout", Some(written), TIMEOUTS, TIMEOUTS.1)),
        body_limit: report.size(here, "body_limit", text.body_limit.as_deref()),
        text: Arc::new(text.clone()),
    };
    if report.errors.len() == before {
        check_whole(&route, here, report);
    }
    route
}

/// What its parts mean together is the gateway's to say.
fn check_whole(route: &Route, here: &FieldPath, report: &mut Report) {
    let (Ok(name), Ok(listener)) = (RuleName::new("route"), ListenerName::new("listener")) else {
        return;
    };
    let action = match &route.action {
        RouteAction::Own => action::placeholder(),
        RouteAction::Forward(_) => action::placeholder(),
        RouteAction::Redirect(redirect) => Action::Redirect(redirect.clone()),
        RouteAction::Fixed(fixed) => Action::Fixed(fixed.clone()),
    };
    let rule = RuleSpec {
        transforms: route.transforms.clone(),
        request_headers: route.request_headers.clone(),
        response_headers: route.response_headers.clone(),
        timeout: route.timeout,
        body_limit: route.body_limit,
        ..RuleSpec::new(name, Precedence::DefaultHost, route.conditions.clone(), action)
    };
    let alone = ListenerRules {
        listener,
        // What makes no sense in the clear makes none over TLS either; the reverse is found with its listeners.
        scheme: Scheme::Http,
        port: None,
        rules: vec![Arc::new(rule)],
        default: Action::NotFound,
    };
    let routing = Routing {
        listeners: vec![alone],
    };
    if let Err(error) = routing.check() {
        let field = match error.field {
            "transforms" => here.key("rewrite"),
            "source-ip" => here.key("source_ip"),
            "action" => action::field(&route.text, here),
            "conditions" | "name" => here.clone(),
            field => here.key(field),
        };
        let message = format!("`{field}`: {}", error.fault);
        report.errors.push(ManifestError::new(field, message));
    }
}

fn priority(number: Option<i64>, here: &FieldPath, report: &mut Report) -> Option<Priority> {
    let number = number?;
    let priority = u32::try_from(number)
        .ok()
        .and_then(|number| Priority::new(number).ok());
    if priority.is_none() {
        let message = format!("`priority` in [[route]] is {number}");
        report.refuse(
            here.key("priority"),
            message,
            "it goes from 1 to 50000, lower goes first",
        );
    }
    priority
}

fn transforms(text: Option<&RewriteText>, here: &FieldPath, report: &mut Report) -> Transforms {
    let Some(text) = text else {
        return Transforms::default();
    };
    if *text == RewriteText::default() {
        report.refuse(
            here.clone(),
            "`rewrite` in [[route]] rewrites nothing",
            "give it `host` or `path`",
        );
    }
    Transforms {
        host: rewrite(text.host.as_ref(), &here.key("host"), Rewrite::host, report),
        url: rewrite(text.path.as_ref(), &here.key("path"), Rewrite::url, report),
    }
}

fn rewrite(
    text: Option<&ReplaceText>,
    here: &FieldPath,
    read: fn(&str, &str) -> Result<Rewrite, RewriteError>,
    report: &mut Report,
) -> Option<Rewrite> {
    let ReplaceText { regex, replace } = text?;
    let (Some(regex), Some(replace)) = (regex, replace) else {
        let hint = "write both, like { regex = \"^/v1/(.*)\", replace = \"/$1\" }";
        report.refuse(
            here.clone(),
            format!("`{here}` needs `regex` and `replace`"),
            hint,
        );
        return None;
    };
    if report.expressions.is_full() {
        return None;
    }
    let rewrite = report.parsed(here.clone(), Some(read(regex, replace)))?;
    count(rewrite.compiled_bytes(), here, report);
    Some(rewrite)
}

fn edits(text: Option<&HeaderEditsText>, here: &FieldPath, report: &mut Report) -> HeaderEdits {
    let Some(text) = text else {
        return HeaderEdits::default();
    };
    let before = report.errors.len();
    let set = values(&text.set, &here.key("set"), report);
    let add = values(&text.add, &here.key("add"), report);
    let remove = text.remove.iter().enumerate();
    let remove = remove.filter_map(|(at, name)| header_name(name, &here.key("remove").index(at), report));
    let remove = remove.collect();
    if report.errors.len() > before {
        return HeaderEdits::default();
    }
    report
        .parsed(here.clone(), Some(HeaderEdits::new(set, add, remove)))
        .unwrap_or_default()
}

fn values(
    texts: &BTreeMap<String, String>,
    here: &FieldPath,
    report: &mut Report,
) -> Vec<(HeaderName, HeaderValue)> {
    let each = texts.iter().filter_map(|(name, value)| {
        let field = here.key(name);
        let name = header_name(name, &field, report)?;
        let value = HeaderValue::from_str(value)
            .map_err(|_| format!("the value of `{field}` has a character that no header's value has"));
        Some((name, report.parsed(field, Some(value))?))
    });
    each.collect()
}
