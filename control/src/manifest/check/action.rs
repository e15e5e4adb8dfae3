//! What is done with requests: `forward`, `redirect` and `fixed`, of a route or of a listener's `default`.

use wharf_gateway::{
    Action, FixedResponse, Forward, ForwardError, GroupName, Redirect, RedirectText as Redirection,
    StickyFor, Weight, WeightedGroup,
};

use super::super::error::FieldPath;
use super::super::routing::{DefaultAction, Destination, RouteAction, Share, Shares};
use super::super::text::{DefaultText, FixedText, ForwardText, RedirectText, RouteText};
use super::super::values::Report;
use super::route::Home;

/// The keys that are actions.
const ACTIONS: &str = "`forward`, `redirect` or `fixed`";

/// What is written of the three.
struct Written<'t> {
    forward: &'t [ForwardText],
    stickiness: Option<&'t str>,
    redirect: Option<&'t RedirectText>,
    fixed: Option<&'t FixedText>,
}

/// What is meant.
enum Meant {
    Forward(Shares),
    Redirect(Box<Redirect>),
    Fixed(FixedResponse),
}

pub(super) fn action(text: &RouteText, here: &FieldPath, home: Home, report: &mut Report) -> RouteAction {
    let written = Written {
        forward: &text.forward,
        stickiness: text.stickiness.as_deref(),
        redirect: text.redirect.as_ref(),
        fixed: text.fixed.as_ref(),
    };
    if written.count() == 0 && home == Home::Alone {
        let hint = format!("give it one of {ACTIONS}");
        report.refuse(here.clone(), "[[route]] does nothing", hint);
    }
    match meant(&written, here, report) {
        None => RouteAction::Own,
        Some(Meant::Forward(shares)) => RouteAction::Forward(shares),
        Some(Meant::Redirect(redirect)) => RouteAction::Redirect(redirect),
        Some(Meant::Fixed(fixed)) => RouteAction::Fixed(fixed),
    }
}

pub(super) fn default(text: Option<&DefaultText>, here: &FieldPath, report: &mut Report) -> DefaultAction {
    let Some(text) = text else {
        return DefaultAction::NotFound;
    };
    let written = Written {
        forward: &text.forward,
        stickiness: text.stickiness.as_deref(),
        redirect: text.redirect.as_ref(),
        fixed: text.fixed.as_ref(),
    };
    if written.count() == 0 {
        let hint = format!("give it one of {ACTIONS}, or leave it out: 404");
        report.refuse(here.clone(), "`default` in [[listener]] does nothing", hint);
    }
    match meant(&written, here, report) {
        None => DefaultAction::NotFound,
        Some(Meant::Forward(shares)) => DefaultAction::Forward(shares),
        Some(Meant::Redirect(redirect)) => DefaultAction::Redirect(redirect),
        Some(Meant::Fixed(fixed)) => DefaultAction::Fixed(fixed),
    }
}

/// Which of a route's keys its action is.
pub(super) fn field(text: &RouteText, here: &FieldPath) -> FieldPath {
    match (&text.redirect, &text.fixed) {
        (Some(_), _) => here.key("redirect"),
        (_, Some(_)) => here.key("fixed"),
        _ if text.forward.is_empty() => here.clone(),
        _ => here.key("forward"),
    }
}

/// Some forward action, for what is checked of a rule whatever it forwards to.
pub(super) fn placeholder() -> Action {
    GroupName::new("group").map_or(Action::NotFound, Action::forward)
}

impl Written<'_> {
    fn count(&self) -> usize {
        usize::from(!self.forward.is_empty())
            + usize::from(self.redirect.is_some())
            + usize::from(self.fixed.is_some())
    }
}

fn meant(written: &Written<'_>, here: &FieldPath, report: &mut Report) -> Option<Meant> {
    if written.count() > 1 {
        let message = format!("`{here}` has more than one of {ACTIONS}");
        report.refuse(here.clone(), message, "keep one");
        return None;
    }
    if written.stickiness.is_some() && written.forward.is_empty() {
        let message = "`stickiness` does something only beside `forward`";
        report.refuse(here.key("stickiness"), message, "remove it");
    }
    if let Some(text) = written.redirect {
        return redirect(text, &here.key("redirect"), report)
            .map(|redirect| Meant::Redirect(Box::new(redirect)));
    }
    if let Some(text) = written.fixed {
        return fixed(text, &here.key("fixed"), report).map(Meant::Fixed);
    }
    if written.forward.is_empty() {
        return None;
    }
    refuse_idle_sharing(written, here, report);
    let stickiness = report.any_duration(here, "stickiness", written.stickiness);
    let stickiness = stickiness.and_then(|duration| report.bounded(here, StickyFor::new(duration)));
    shares(written.forward, stickiness, &here.key("forward"), report).map(Meant::Forward)
}

/// Where all requests go to one place, there is nothing to share out, and nothing to stay with.
fn refuse_idle_sharing(written: &Written<'_>, here: &FieldPath, report: &mut Report) {
    let [only] = written.forward else { return };
    if only.weight.is_some() {
        report.refuse(
            here.key("forward").index(0).key("weight"),
            "`weight` does something only among several that `forward` names",
            "remove it",
        );
    }
    if written.stickiness.is_some() {
        report.refuse(
            here.key("stickiness"),
            "`stickiness` beside `forward` keeps a client with one of several, and there is only one",
            "remove it; who is to stay with a target has it in [service] or [[target_group]]",
        );
    }
}

fn shares(
    texts: &[ForwardText],
    stickiness: Option<StickyFor>,
    here: &FieldPath,
    report: &mut Report,
) -> Option<Shares> {
    let before = report.errors.len();
    let to: Vec<Share> = texts
        .iter()
        .enumerate()
        .filter_map(|(at, text)| share(text, &here.index(at), report))
        .collect();
    if report.errors.len() > before {
        return None;
    }
    // The gateway's own checks; what they are called there has to be told apart only.
    let groups = to.iter().map(|share| {
        let name = share.to.to_string().replace(['`', ' '], "");
        GroupName::new(&name).ok().map(|group| WeightedGroup {
            group,
            weight: share.weight,
        })
    });
    let checked = match Forward::weighted(groups.flatten().collect(), stickiness) {
        Err(ForwardError::Repeated(_)) => {
            let twice = to
                .iter()
                .enumerate()
                .find(|(at, share)| to.iter().take(*at).any(|before| before.to == share.to));
            let named = twice.map(|(_, share)| share.to.to_string()).unwrap_or_default();
            Err(format!("{named} is there twice: give it one weight"))
        }
        Err(other) => Err(other.to_string()),
        Ok(_) => Ok(()),
    };
    report.parsed(here.clone(), Some(checked))?;
    Some(Shares { to, stickiness })
}

fn share(text: &ForwardText, here: &FieldPath, report: &mut Report) -> Option<Share> {
    let weight = match text.weight {
        None => Weight::ONE,
        Some(weight) => {
            let checked = u32::try_from(weight).map_or_else(
                |_| Err(format!("a weight is a number from 0 to 999, not {weight}")),
                |weight| Weight::new(weight).map_err(|error| error.to_string()),
            );
            report.parsed(here.key("weight"), Some(checked))?
        }
    };
    let to = match (&text.service, &text.target_group) {
        (Some(name), None) => Destination::Service(report.parsed(here.key("service"), Some(name.parse()))?),
        (None, Some(name)) => {
            Destination::TargetGroup(report.parsed(here.key("target_group"), Some(name.parse()))?)
        }
        _ => {
            let message = format!("`{here}` needs one of `service` and `target_group`");
            report.refuse(here.clone(), message, "like { service = \"api\", weight = 90 }");
            return None;
        }
    };
    Some(Share { to, weight })
}

fn redirect(text: &RedirectText, here: &FieldPath, report: &mut Report) -> Option<Redirect> {
    let before = report.errors.len();
    let status = status(text.status, here, "301", report);
    let whole = Redirection {
        status: status.unwrap_or(SOUND.status),
        protocol: text.protocol.as_deref(),
        host: text.host.as_deref(),
        port: text.port.as_deref(),
        path: text.path.as_deref(),
        query: text.query.as_deref(),
    };
    for (key, part) in parts(&whole) {
        report.parsed(here.key(key), Some(Redirect::new(&part)));
    }
    if report.errors.len() > before {
        return None;
    }
    report.parsed(here.clone(), Some(Redirect::new(&whole)))
}

/// A redirect that leads somewhere, whatever one of its other parts is.
const SOUND: Redirection<'static> = Redirection {
    status: 301,
    protocol: None,
    host: Some("elsewhere"),
    port: None,
    path: None,
    query: None,
};

/// Each part of a redirect by itself: what is wrong with one hides nothing of the others.
fn parts<'t>(whole: &Redirection<'t>) -> [(&'static str, Redirection<'t>); 6] {
    let Redirection {
        status,
        protocol,
        host,
        port,
        path,
        query,
    } = *whole;
    [
        ("status", Redirection { status, ..SOUND }),
        ("protocol", Redirection { protocol, ..SOUND }),
        (
            "host",
            Redirection {
                host,
                path: Some("/elsewhere"),
                ..SOUND
            },
        ),
        ("port", Redirection { port, ..SOUND }),
        ("path", Redirection { path, ..SOUND }),
        ("query", Redirection { query, ..SOUND }),
    ]
}

fn fixed(text: &FixedText, here: &FieldPath, report: &mut Report) -> Option<FixedResponse> {
    let status = status(text.status, here, "503", report)?;
    let body = text.body.clone().unwrap_or_default();
    let response = FixedResponse::new(status, text.content_type.as_deref(), body);
    report.parsed(here.clone(), Some(response))
}

/// What no status is becomes 0, which the gateway calls none.
fn status(number: Option<i64>, here: &FieldPath, example: &str, report: &mut Report) -> Option<u16> {
    if number.is_none() {
        let hint = format!("add one, like status = {example}");
        report.refuse(here.clone(), format!("`{here}` has no `status`"), hint);
    }
    number.map(|number| u16::try_from(number).unwrap_or(0))
}
