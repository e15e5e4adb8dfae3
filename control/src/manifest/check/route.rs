//! `[[route]]`: its conditions, its action, and what it changes about requests and responses.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Display;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use wharf_gateway::{
    Action, ConditionError, Conditions, HeaderCondition, HeaderEdits, HeaderMatch, HostMatch, ListenerName,
    ListenerRules, MethodName, PathMatch, Precedence, Priority, QueryCondition, QueryMatch, Rewrite,
    RewriteError, Routing, RuleName, RuleSpec, Scheme, Transforms,
};

use super::super::error::{FieldPath, ManifestError};
use super::super::routing::{Route, RouteAction};
use super::super::text::{HeaderEditsText, QueryText, ReplaceText, RewriteText, RouteText};
use super::super::values::Report;
use super::action::{self, action};

/// The most `[[route]]`s of one file (ALB: 100 rules of a load balancer).
const MAX_ROUTES: usize = 20_000;

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

/// What the routes of a file so far are told apart by, with their numbers.
#[derive(Default)]
struct Seen {
    names: HashMap<String, usize>,
    priorities: HashMap<Priority, Vec<(usize, BTreeSet<String>)>>,
    conditions: HashMap<String, Vec<(usize, BTreeSet<String>)>>,
    /// The same of those without a priority.
    unranked: HashMap<String, Vec<(usize, BTreeSet<String>)>>,
}

impl Seen {
    fn compare(&mut self, at: usize, route: &Route, here: &FieldPath, report: &mut Report) {
        if let Some(name) = &route.name
            && let Some(first) = self.names.insert(name.to_string(), at)
        {
            let message = format!(
                "[[route]] number {} is called `{name}`, as number {} is",
                at + 1,
                first + 1
            );
            report.refuse(here.key("name"), message, "give one of them another name");
        }
        let on: BTreeSet<String> = route.listeners.iter().map(ToString::to_string).collect();
        if let Some(priority) = route.priority
            && let Some(first) = together(self.priorities.entry(priority).or_default(), at, &on)
        {
            let message = format!(
                "[[route]] number {} has priority {priority}, as number {} has",
                at + 1,
                first + 1
            );
            report.refuse(
                here.key("priority"),
                message,
                "give one of them another, lower goes first",
            );
        }
        let conditions = route.conditions.to_string();
        let same = self.conditions.entry(conditions.clone()).or_default();
        // With a priority, a route may take others' requests over on some of their listeners.
        let exactly = same.iter().find(|(_, theirs)| *theirs == on).map(|(at, _)| *at);
        same.push((at, on.clone()));
        let unranked = match route.priority {
            None => together(self.unranked.entry(conditions.clone()).or_default(), at, &on),
            Some(_) => None,
        };
        if let Some(first) = exactly.or(unranked) {
            let message = format!(
                "[[route]] number {} repeats number {}: {conditions}",
                at + 1,
                first + 1
            );
            report.refuse(here.clone(), message, "change or remove one of them");
        }
    }
}

/// The first of `others` that shares a listener with a route that is on these; it joins them. No listener is every one.
fn together(others: &mut Vec<(usize, BTreeSet<String>)>, at: usize, on: &BTreeSet<String>) -> Option<usize> {
    let shared = |theirs: &BTreeSet<String>| theirs.is_empty() || on.is_empty() || !theirs.is_disjoint(on);
    let first = others
        .iter()
        .find(|(_, theirs)| shared(theirs))
        .map(|(at, _)| *at);
    others.push((at, on.clone()));
    first
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

fn conditions(text: &RouteText, here: &FieldPath, report: &mut Report) -> Conditions {
    let field = |key: &str| here.key(key);
    let mut host = listed(&text.host, &field("host"), report, HostMatch::pattern);
    host.extend(listed(
        &text.host_regex,
        &field("host_regex"),
        report,
        HostMatch::regex,
    ));
    let mut path = listed(&text.path, &field("path"), report, PathMatch::pattern);
    path.extend(listed(
        &text.path_regex,
        &field("path_regex"),
        report,
        PathMatch::regex,
    ));
    Conditions {
        host,
        path,
        methods: listed(&text.method, &field("method"), report, MethodName::new),
        headers: headers(text, here, report),
        query: queries(text, here, report),
        source_ip: listed(&text.source_ip, &field("source_ip"), report, network),
    }
}

/// A text each; what is wrong is reported and left out.
pub(super) fn listed<T, E: Display>(
    texts: &[String],
    here: &FieldPath,
    report: &mut Report,
    read: impl Fn(&str) -> Result<T, E>,
) -> Vec<T> {
    let each = texts.iter().enumerate();
    each.filter_map(|(at, text)| report.parsed(here.index(at), Some(read(text))))
        .collect()
}

/// A network, or one address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let address = |text: &str| text.parse::<IpAddr>().ok().map(IpNet::from);
    let network = text.parse().ok().or_else(|| address(text));
    network.ok_or_else(|| {
        format!(
            "`{}` is not a network, such as 10.0.0.0/8 or 2001:db8::/32",
            text.escape_debug()
        )
    })
}

fn headers(text: &RouteText, here: &FieldPath, report: &mut Report) -> Vec<HeaderCondition> {
    let mut values: BTreeMap<&str, Vec<HeaderMatch>> = BTreeMap::new();
    for (key, texts, read) in [
        (
            "header",
            &text.header,
            HeaderMatch::pattern as fn(&str) -> Result<HeaderMatch, ConditionError>,
        ),
        ("header_regex", &text.header_regex, HeaderMatch::regex),
    ] {
        for (name, texts) in texts {
            let read = listed(texts, &here.key(key).key(name), report, read);
            values.entry(name).or_default().extend(read);
        }
    }
    let conditions = values.into_iter().filter_map(|(name, values)| {
        let key = if text.header.contains_key(name) {
            "header"
        } else {
            "header_regex"
        };
        let field = here.key(key).key(name);
        let name = header_name(name, &field, report)?;
        report.parsed(field, Some(HeaderCondition::new(name, values)))
    });
    conditions.collect()
}

fn header_name(name: &str, field: &FieldPath, report: &mut Report) -> Option<HeaderName> {
    let parsed = HeaderName::from_bytes(name.as_bytes());
    let not_a_name = |_| format!("`{}` is not a header's name", name.escape_debug());
    report.parsed(field.clone(), Some(parsed.map_err(not_a_name)))
}

/// Any of `query`, and each of `query_all`.
fn queries(text: &RouteText, here: &FieldPath, report: &mut Report) -> Vec<QueryCondition> {
    let mut conditions = query(&text.query, &here.key("query"), report);
    for (at, alone) in text.query_all.iter().enumerate() {
        let here = here.key("query_all").index(at);
        conditions.extend(query(std::slice::from_ref(alone), &here, report));
    }
    conditions
}

/// One condition: any of the parameters meets it.
fn query(texts: &[QueryText], here: &FieldPath, report: &mut Report) -> Vec<QueryCondition> {
    if texts.is_empty() {
        return Vec::new();
    }
    let before = report.errors.len();
    let matches = texts
        .iter()
        .enumerate()
        .filter_map(|(at, QueryText { key, value })| {
            // A key alone is there, whatever its value.
            let any = if key.is_some() { "*" } else { "" };
            let read = QueryMatch::new(key.as_deref(), value.as_deref().unwrap_or(any));
            report.parsed(here.index(at), Some(read))
        });
    let matches = matches.collect();
    if report.errors.len() > before {
        return Vec::new();
    }
    report
        .parsed(here.clone(), Some(QueryCondition::new(matches)))
        .into_iter()
        .collect()
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
    report.parsed(here.clone(), Some(read(regex, replace)))
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
