//! What a change must not make worse: what was so before it, by an older server's leave too, keeps nobody from changing
//! other things.

use std::collections::BTreeSet;

use wharf_gateway::{Action, Expressions, GroupName};

use super::{Asks, called, route};
use crate::edge::rules;
use crate::edge::scene::Scene;
use crate::names::NamespaceName;
use crate::refusal::Refusal;

/// What draws a group for each request, of which one keeps its clients.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Restless {
    who: String,
    field: &'static str,
    drawn: Vec<GroupName>,
    sticky: GroupName,
}

impl Scene {
    /// What draws a group for each request though one of its groups keeps its clients. ALB: such a rule has to keep them
    /// with their group, too.
    fn restless(&self, asks: &Asks) -> Result<BTreeSet<Restless>, Refusal> {
        let mut drawing = Vec::new();
        for rule in self.rules().filter(|rule| rule.namespace == asks.namespace) {
            drawing.extend(drawn(&rule.spec.action).map(|groups| (route(rule), "route", groups)));
        }
        if asks.answers_for_defaults() {
            for (name, of) in self.listeners() {
                let Some(of) = of else { continue };
                let (action, _) = rules::default_action(&of.default)?;
                let who = format!("the default of listener `{name}`");
                drawing.extend(drawn(&action).map(|groups| (who, "listener", groups)));
            }
        }
        if drawing.is_empty() {
            return Ok(BTreeSet::new());
        }
        let groups = self.groups()?;
        let is_sticky = |name: &GroupName| groups.get(name).is_some_and(|of| of.spec.stickiness.is_some());
        let restless = drawing.into_iter().filter_map(|(who, field, drawn)| {
            let sticky = drawn.iter().find(|name| is_sticky(name))?.clone();
            Some(Restless {
                who,
                field,
                drawn,
                sticky,
            })
        });
        Ok(restless.collect())
    }

    /// Refuses what becomes restless by what is asked for; what is so already is nobody's to mend who changes other things.
    pub(super) fn refuse_restless(&self, asks: &Asks) -> Result<(), Refusal> {
        let restless = self.restless(asks)?;
        if restless.is_empty() {
            return Ok(());
        }
        let before = asks.before.restless(asks)?;
        let Some(Restless {
            who, field, sticky, ..
        }) = restless.difference(&before).next()
        else {
            return Ok(());
        };
        let namespace = match *field {
            "listener" => NamespaceName::default_namespace(),
            _ => asks.namespace.clone(),
        };
        let message = format!(
            "{who} draws one of its groups for each request, and {} has `stickiness`: its clients would not stay",
            called(sticky, &namespace)
        );
        Err(Refusal::unprocessable("StickinessMissing", message)
            .field(*field)
            .hint("give it `stickiness`, too, so that clients stay with their group"))
    }

    /// Refuses routes whose regular expressions are too many together, or take too much, unless they were more before.
    pub(super) fn refuse_crowded(&self, asks: &Asks) -> Result<(), Refusal> {
        let mut expressions = Expressions::default();
        for rule in self.rules().filter(|rule| rule.namespace == asks.namespace) {
            for (field, bytes) in rule.spec.expressions() {
                let Err(error) = expressions.add(bytes) else {
                    continue;
                };
                if self.taken_by_expressions(asks) <= asks.before.taken_by_expressions(asks) {
                    return Ok(());
                }
                let message = format!("{}, `{field}`: {error} in a namespace", route(rule));
                return Err(Refusal::conflict("LimitExceeded", message)
                    .field("route")
                    .hint("use wildcards where they do, or delete routes that aren't needed"));
            }
        }
        Ok(())
    }

    /// How many regular expressions the rules of who asks have, and their bytes.
    fn taken_by_expressions(&self, asks: &Asks) -> (usize, usize) {
        let own = self.rules().filter(|rule| rule.namespace == asks.namespace);
        let each = own.flat_map(|rule| rule.spec.expressions());
        each.fold((0, 0), |(count, sum), (_, bytes)| (count + 1, sum + bytes))
    }
}

/// The groups that each request is drawn one of.
fn drawn(action: &Action) -> Option<Vec<GroupName>> {
    let Action::Forward(forward) = action else {
        return None;
    };
    let shares = forward.groups().iter().filter(|of| of.weight.get() > 0);
    let drawn: Vec<GroupName> = shares.map(|of| of.group.clone()).collect();
    (forward.stickiness().is_none() && drawn.len() > 1).then_some(drawn)
}
