//! Whether a change can be in force beside everything else.
//!
//! Who asks answers for their own namespace, and for what they do to listeners, which all share. What is wrong elsewhere
//! keeps nobody from changing what is theirs, and isn't told: other namespaces' names are not for tenants to know.

mod worse;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use wharf_gateway::{Action, GroupName, Routing, RoutingError, RoutingFault, RuleName};

use super::{Scene, short_name};
use crate::edge::hosts::{self, Taken};
use crate::edge::rules::{self, Rule};
use crate::edge::{MAX_LEFT_OUT, outside};
use crate::manifest::{Destination, TargetGroup};
use crate::names::{ListenerName, NamespaceName, ServiceName};
use crate::refusal::Refusal;

/// Who asks for a change, and how far it goes.
#[derive(Debug, Clone)]
pub struct Asks {
    /// Whose objects it changes.
    pub namespace: NamespaceName,
    /// What else.
    pub touches: Touches,
    /// Rules that aren't in force as it is.
    pub left_out: BTreeSet<RuleName>,
    /// What is in force as it is.
    pub before: Arc<Scene>,
}

/// What a change changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touches {
    /// The namespace's own alone.
    Own,
    /// Listeners, which every namespace's routes are on.
    Listeners,
}

/// What goes.
#[derive(Debug, Clone)]
pub enum Gone {
    /// Routes: nothing needs them.
    Routes,
    /// What a namespace's routes can forward to.
    Destinations(NamespaceName, Vec<Destination>),
    /// What every namespace's routes can be on.
    Listener(ListenerName),
}

/// Why what is asked for can't be in force.
#[derive(Debug)]
pub enum Fault {
    /// Something forwards to what isn't there.
    NoDestination {
        /// What forwards: `route `shop``.
        who: String,
        /// What isn't there.
        to: Destination,
        /// Where it was looked for.
        namespace: NamespaceName,
    },
    /// A route is on a listener that isn't there.
    NoListener {
        /// The route: `route `shop``.
        who: String,
        /// What isn't there.
        listener: ListenerName,
    },
    /// Anything else.
    Refused(Refusal),
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Something that leads nowhere.
struct Dangling<'s> {
    /// Whose route it is; none for the default of a listener.
    of: Option<&'s NamespaceName>,
    fault: Fault,
}

impl Asks {
    /// Whether a reference that leads nowhere is theirs to mend.
    fn answers_for(&self, dangling: &Dangling<'_>) -> bool {
        match dangling.of {
            Some(namespace) => *namespace == self.namespace,
            // What they forward to is in namespace `default`.
            None => self.answers_for_defaults(),
        }
    }

    /// Whether what listeners do when no rule matches is theirs to mend.
    fn answers_for_defaults(&self) -> bool {
        self.namespace.is_default() || self.touches == Touches::Listeners
    }

    /// The part of the rules that someone else has to mend, if what is wrong with them is not for who asks to mend.
    fn others<'e>(&self, error: &'e RoutingError) -> Option<Others<'e>> {
        let Some(rule) = &error.rule else {
            let is_own = self.answers_for_defaults();
            // A default action is the listener's; whatever else is about a listener as a whole is everybody's.
            let is_default = error.field == DEFAULT;
            return (is_default && !is_own).then_some(Others::Default(&error.listener));
        };
        let is_own = |rule: &RuleName| is_of(rule, &self.namespace);
        let is_new = self.touches == Touches::Listeners && !self.left_out.contains(rule);
        let is_theirs = !is_new && !named(error).any(is_own);
        is_theirs.then_some(Others::Rule(rule))
    }
}

/// The field of a listener's default action, as the gateway names it.
const DEFAULT: &str = "default";

/// What is left out of a comparison, because others have to mend it.
enum Others<'e> {
    Rule(&'e RuleName),
    Default(&'e wharf_gateway::ListenerName),
}

impl Others<'_> {
    fn leave_out_of(&self, routing: &mut Routing) {
        for of in &mut routing.listeners {
            match self {
                Self::Rule(name) => of.rules.retain(|rule| rule.name != **name),
                Self::Default(listener) if of.listener == **listener => of.default = Action::NotFound,
                Self::Default(_) => {}
            }
        }
    }
}

impl Gone {
    fn is(&self, fault: &Fault) -> bool {
        match (self, fault) {
            (Self::Destinations(of, gone), Fault::NoDestination { to, namespace, .. }) => {
                of == namespace && gone.contains(to)
            }
            (Self::Listener(gone), Fault::NoListener { listener, .. }) => gone == listener,
            _ => false,
        }
    }
}

impl Scene {
    /// Refuses what a namespace asks for if it can't be in force beside everything else.
    ///
    /// # Errors
    /// What is in the way, naming the rules; those of other namespaces are not named.
    pub fn check(&self, asks: &Asks) -> Result<(), Fault> {
        let namespace = &asks.namespace;
        let (own, others): (Vec<&Rule>, Vec<&Rule>) =
            self.rules().partition(|rule| rule.namespace == *namespace);
        hosts::refuse_reserved(namespace, &own)?;
        Taken::by(others.into_iter()).refuse(namespace, &own)?;
        self.refuse_ambiguous(namespace)?;
        self.refuse_crowded(asks)?;
        self.refuse_restless(asks)?;
        for (group, _) in self.outside_of(namespace) {
            outside::refuse_own_addresses(namespace, group)?;
        }
        let dangling = self.dangling()?;
        if let Some(found) = dangling.into_iter().find(|found| asks.answers_for(found)) {
            return Err(found.fault);
        }
        Ok(self.check_routing(asks)?)
    }

    /// Refuses that something goes that is still needed here, where it is gone.
    ///
    /// # Errors
    /// What needs it.
    pub fn check_without(&self, gone: &Gone, asks: &Asks) -> Result<(), Fault> {
        let dangling = self.dangling()?;
        if let Some(found) = dangling.into_iter().find(|found| gone.is(&found.fault)) {
            return Err(found.fault);
        }
        match gone {
            // A rule that others take over everywhere else can't apply any more.
            Gone::Listener(_) => Ok(self.check_routing(asks)?),
            Gone::Routes | Gone::Destinations(..) => Ok(()),
        }
    }

    fn check_routing(&self, asks: &Asks) -> Result<(), Refusal> {
        let mut routing = self.routing()?;
        for _ in 0..=MAX_LEFT_OUT {
            let Err(error) = routing.check() else {
                return Ok(());
            };
            match asks.others(&error) {
                Some(others) => others.leave_out_of(&mut routing),
                None => return Err(in_use(&error, &asks.namespace)),
            }
        }
        let message = format!("more than {MAX_LEFT_OUT} routes of other namespaces can't be in force");
        Err(Refusal::conflict("RouteInUse", message).hint("ask whoever runs the server to mend them first"))
    }

    /// Refuses two target groups of one name, unless they are the same.
    fn refuse_ambiguous(&self, namespace: &NamespaceName) -> Result<(), Refusal> {
        let mut seen: BTreeMap<_, (&Arc<TargetGroup>, Option<&ServiceName>)> = BTreeMap::new();
        for (group, by) in self.outside_of(namespace) {
            match seen.get(&group.name) {
                Some((first, first_by)) if first != &group => {
                    let owner = |by: Option<&ServiceName>| match by {
                        Some(service) => format!("service `{service}`"),
                        None => "`wharf apply`".to_owned(),
                    };
                    let message = format!(
                        "target group `{}` is defined by {} and by {}, and not the same",
                        group.name,
                        owner(*first_by),
                        owner(by)
                    );
                    return Err(Refusal::conflict("TargetGroupInUse", message)
                        .field("target_group")
                        .hint("give one of them another name, or make them the same"));
                }
                Some(_) => {}
                None => {
                    seen.insert(&group.name, (group, by));
                }
            }
        }
        Ok(())
    }

    /// What leads nowhere: forwarding to what isn't there, routes on listeners that aren't.
    fn dangling(&self) -> Result<Vec<Dangling<'_>>, Refusal> {
        let services = self.services.iter();
        let mut there: HashSet<(&NamespaceName, Destination)> = services
            .map(|service| (&service.namespace, Destination::Service(service.name.clone())))
            .collect();
        there.extend(
            self.outside()
                .map(|(namespace, group, _)| (namespace, Destination::TargetGroup(group.name.clone()))),
        );
        let listeners = self.listeners();
        let mut dangling = Vec::new();
        for rule in self.rules() {
            let missing = rule.destinations.iter();
            let missing = missing.filter(|to| !there.contains(&(&rule.namespace, (*to).clone())));
            let missing = missing.map(|to| Fault::NoDestination {
                who: route(rule),
                to: to.clone(),
                namespace: rule.namespace.clone(),
            });
            let nowhere = rule.listeners.iter().filter(|name| !listeners.contains_key(name));
            let nowhere = nowhere.map(|listener| Fault::NoListener {
                who: route(rule),
                listener: listener.clone(),
            });
            let of = Some(&rule.namespace);
            dangling.extend(missing.chain(nowhere).map(|fault| Dangling { of, fault }));
        }
        let default = NamespaceName::default_namespace();
        for (name, of) in listeners {
            let Some(of) = of else { continue };
            let (_, destinations) = rules::default_action(&of.default)?;
            let missing = destinations.into_iter();
            let missing = missing.filter(|to| !there.contains(&(&default, to.clone())));
            dangling.extend(missing.map(|to| Dangling {
                of: None,
                fault: Fault::NoDestination {
                    who: format!("the default of listener `{name}`"),
                    to,
                    namespace: default.clone(),
                },
            }));
        }
        Ok(dangling)
    }
}

/// What a route is called by whoever may know of it.
fn route(rule: &Rule) -> String {
    let name = short_name(rule.spec.name.as_str(), &rule.namespace);
    match rule.namespace.is_default() {
        true => format!("route `{name}`"),
        false => format!("route `{name}` of namespace `{}`", rule.namespace),
    }
}

/// What a group is called in its namespace.
fn called(group: &GroupName, namespace: &NamespaceName) -> String {
    let name = short_name(group.as_str(), namespace);
    match name.strip_prefix("target-groups/") {
        Some(outside) => format!("target group `{outside}`"),
        None => format!("service `{name}`"),
    }
}

/// The rules an error is about.
fn named(error: &RoutingError) -> impl Iterator<Item = &RuleName> {
    let with = match &error.fault {
        RoutingFault::SamePriority { with, .. } | RoutingFault::SameConditions { with, .. } => Some(with),
        _ => None,
    };
    error.rule.iter().chain(with)
}

fn is_of(rule: &RuleName, namespace: &NamespaceName) -> bool {
    let rest = rule.as_str().strip_prefix(namespace.as_str());
    rest.is_some_and(|rest| rest.starts_with('/'))
}

/// What the gateway says of rules that can't be in force together, as a namespace may know it.
pub fn worded(error: &RoutingError, namespace: &NamespaceName) -> String {
    match namespace.is_default() || named(error).all(|rule| is_of(rule, namespace)) {
        true => error.to_string(),
        false => format!(
            "listener `{}`, {}: in conflict with a route of another namespace",
            error.listener, error.field
        ),
    }
}

fn in_use(error: &RoutingError, namespace: &NamespaceName) -> Refusal {
    Refusal::conflict("RouteInUse", worded(error, namespace))
        .field("route")
        .hint("change the route's conditions, priority or action")
}
