//! From what is asked for to what is matched.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use super::{DEFAULT_RULE, Decision, Index, Rule, RuleSet, Snapshot, WeightedGroups};
use crate::{
    group::TargetGroup,
    names::{GroupName, RuleName},
    routing::{
        Action, Conditions, Forward, ListenerRules, Precedence, Routing, RoutingError, RoutingFault, RuleSpec,
    },
};

impl Snapshot {
    /// Compiles rules, or refuses them naming what is at fault.
    pub(crate) fn compile(
        routing: Routing,
        group: impl Fn(&GroupName) -> Option<Arc<TargetGroup>>,
    ) -> Result<Self, RoutingError> {
        let mut compiler = Compiler {
            group,
            shared: HashMap::new(),
        };
        let mut listeners = HashMap::new();
        for of in routing.ranked()? {
            let set = compiler.rule_set(&of)?;
            listeners.insert(of.listener, set);
        }
        Ok(Self { listeners })
    }
}

struct Compiler<G> {
    group: G,
    /// Rules that were compiled already, by where their specification is.
    shared: HashMap<*const RuleSpec, Arc<Rule>>,
}

impl<G: Fn(&GroupName) -> Option<Arc<TargetGroup>>> Compiler<G> {
    fn rule_set(&mut self, of: &ListenerRules) -> Result<RuleSet, RoutingError> {
        let error = |rule: Option<&RuleName>, field, fault| RoutingError {
            listener: of.listener.clone(),
            rule: rule.cloned(),
            field,
            fault,
        };
        let mut rules = Vec::with_capacity(of.rules.len());
        for spec in &of.rules {
            let rule = self
                .rule(spec)
                .map_err(|fault| error(Some(&spec.name), "action", fault))?;
            rules.push(rule);
        }
        let default = match &of.default {
            Action::NotFound => None,
            action => default_spec(action),
        };
        let default = default.map(|spec| self.rule(&spec)).transpose();
        let default = default.map_err(|fault| error(None, "default", fault))?;
        let index = Index::of(rules.iter().map(|rule| &rule.spec.conditions));
        Ok(RuleSet {
            rules,
            index,
            default,
        })
    }

    fn rule(&mut self, spec: &Arc<RuleSpec>) -> Result<Arc<Rule>, RoutingFault> {
        if let Some(rule) = self.shared.get(&Arc::as_ptr(spec)) {
            return Ok(rule.clone());
        }
        let rule = Arc::new(Rule {
            spec: spec.clone(),
            action: self.decision(&spec.action)?,
            counts: OnceLock::new(),
        });
        self.shared.insert(Arc::as_ptr(spec), rule.clone());
        Ok(rule)
    }

    fn decision(&self, action: &Action) -> Result<Decision, RoutingFault> {
        Ok(match action {
            Action::Forward(forward) => Decision::Forward(self.groups(forward)?),
            Action::Redirect(redirect) => Decision::Redirect(redirect.clone()),
            Action::Fixed(fixed) => Decision::Fixed(fixed.clone()),
            Action::NotFound => Decision::NotFound,
        })
    }

    fn groups(&self, forward: &Forward) -> Result<WeightedGroups, RoutingFault> {
        let mut sum = 0;
        let mut members = Vec::with_capacity(forward.groups().len());
        for of in forward.groups() {
            let group =
                (self.group)(&of.group).ok_or_else(|| RoutingFault::UnknownGroup(of.group.clone()))?;
            sum += u32::from(of.weight.get());
            // One without weight has to exist, and gets nothing.
            if of.weight.get() > 0 {
                members.push((group, sum));
            }
        }
        Ok(WeightedGroups {
            members,
            stickiness: forward.stickiness(),
        })
    }
}

/// The default action as a rule that comes after all others and matches everything.
fn default_spec(action: &Action) -> Option<Arc<RuleSpec>> {
    let name = RuleName::new(DEFAULT_RULE).ok()?;
    let last = Precedence::Unranked { looseness: u16::MAX };
    let rule = RuleSpec::new(name, last, Conditions::default(), action.clone());
    Some(Arc::new(rule))
}
