use std::sync::Arc;

use wharf_gateway::{Action, Conditions, GroupName, HostMatch, Precedence, Priority, RuleName, RuleSpec};

use super::*;

fn namespace(name: &str) -> NamespaceName {
    name.parse().unwrap()
}

fn rule(hosts: &[&str], precedence: Precedence) -> Rule {
    let conditions = Conditions {
        host: hosts
            .iter()
            .map(|host| HostMatch::pattern(host).unwrap())
            .collect(),
        ..Conditions::default()
    };
    let action = Action::forward(GroupName::new("team/api").unwrap());
    let spec = RuleSpec::new(
        RuleName::new("team/api[0]").unwrap(),
        precedence,
        conditions,
        action,
    );
    Rule {
        namespace: namespace("team"),
        service: None,
        text: None,
        listeners: Vec::new(),
        destinations: Vec::new(),
        spec: Arc::new(spec),
    }
}

fn unranked(hosts: &[&str]) -> Rule {
    rule(hosts, Precedence::Unranked { looseness: 0 })
}

#[test]
fn local_hosts_belong_to_the_namespace_they_name() {
    for (of, host, allowed) in [
        ("default", "api.localhost", true),
        ("default", "*.localhost", true),
        ("default", "api.team-a.localhost", false),
        ("team-a", "api.team-a.localhost", true),
        ("team-a", "*.team-a.localhost", true),
        ("team-a", "a.b.team-a.localhost", true),
        ("team-a", "api.localhost", false),
        ("team-a", "*.localhost", false),
        ("team-a", "api.team-b.localhost", false),
        ("team-a", "api.*.localhost", false),
        ("team-a", "api.team-?.localhost", false),
        ("team-a", "*", false),
        ("team-a", "*host", false),
        ("team-a", "*.example.com", true),
        ("team-a", "api.example.com", true),
    ] {
        let found = refuse_reserved(&namespace(of), &[&unranked(&[host])]);
        assert_eq!(found.is_ok(), allowed, "{host} in {of}: {found:?}");
    }
    assert!(refuse_reserved(&namespace("default"), &[&unranked(&[])]).is_ok());
    assert!(refuse_reserved(&namespace("team-a"), &[&unranked(&[])]).is_err());
}

#[test]
fn a_host_is_whose_it_was_first_and_names_do_not_leak() {
    let own = namespace("team-a");
    for (mine, theirs, allowed) in [
        ("api.example.com", "api.example.com", false),
        ("API.example.com", "api.example.com", false),
        ("api.example.com", "www.example.com", true),
        ("*.example.com", "api.example.com", false),
        ("api.example.com", "*.example.com", false),
        ("*.api.example.com", "*.example.com", false),
        ("*.example.com", "*.example.org", true),
        ("api.team-a.localhost", "*", true),
    ] {
        let their_rules = [unranked(&[theirs])];
        let found = Taken::by(their_rules.iter()).refuse(&own, &[&unranked(&[mine])]);
        assert_eq!(found.is_ok(), allowed, "{mine} beside {theirs}: {found:?}");
        if let Err(refusal) = found {
            assert!(!refusal.message.contains("team-b"), "{}", refusal.message);
        }
    }
    let ranked = |host, listeners: &[&str]| Rule {
        listeners: listeners.iter().map(|name| name.parse().unwrap()).collect(),
        ..rule(&[host], Precedence::Explicit(Priority::new(7).unwrap()))
    };
    for (mine, theirs, allowed) in [
        (&[][..], &[][..], false),
        (&["a"], &["a", "b"], false),
        (&["a"], &[], false),
        (&["a"], &["b"], true),
    ] {
        let their_rules = [ranked("b.example", theirs)];
        let found = Taken::by(their_rules.iter()).refuse(&own, &[&ranked("a.example", mine)]);
        assert_eq!(found.is_ok(), allowed, "{mine:?} {theirs:?}");
        if let Err(refusal) = found {
            assert!(refusal.message.contains("priority 7"), "{}", refusal.message);
        }
    }
}

#[test]
fn a_regular_expression_for_hosts_is_the_operators() {
    let mut regex = unranked(&[]);
    let spec = Arc::make_mut(&mut regex.spec);
    spec.conditions.host.push(HostMatch::regex("^a").unwrap());
    assert!(refuse_reserved(&namespace("default"), &[&regex]).is_ok());
    let refusal = refuse_reserved(&namespace("team-a"), &[&regex]).unwrap_err();
    assert!(refusal.message.contains("host_regex"), "{}", refusal.message);
}
