use wharf_gateway::{Action, Conditions, GroupName, HostMatch, Priority, RuleName};

use super::*;

fn namespace(name: &str) -> NamespaceName {
    name.parse().unwrap()
}

fn rule(hosts: &[&str], precedence: Precedence) -> RuleSpec {
    let conditions = Conditions {
        host: hosts
            .iter()
            .map(|host| HostMatch::pattern(host).unwrap())
            .collect(),
        ..Conditions::default()
    };
    let action = Action::forward(GroupName::new("team/api").unwrap());
    RuleSpec::new(
        RuleName::new("team/api[0]").unwrap(),
        precedence,
        conditions,
        action,
    )
}

fn unranked(hosts: &[&str]) -> Vec<RuleSpec> {
    vec![rule(hosts, Precedence::Unranked { looseness: 0 })]
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
        let found = refuse_reserved(&namespace(of), &unranked(&[host]));
        assert_eq!(found.is_ok(), allowed, "{host} in {of}: {found:?}");
    }
    assert!(refuse_reserved(&namespace("default"), &unranked(&[])).is_ok());
    assert!(refuse_reserved(&namespace("team-a"), &unranked(&[])).is_err());
}

#[test]
fn a_host_is_whose_it_was_first_and_names_do_not_leak() {
    let (own, other) = (namespace("team-a"), namespace("team-b"));
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
        let found = refuse_taken(&own, &unranked(&[mine]), &other, &unranked(&[theirs]));
        assert_eq!(found.is_ok(), allowed, "{mine} beside {theirs}: {found:?}");
        if let Err(refusal) = found {
            assert!(!refusal.message.contains("team-b"), "{}", refusal.message);
        }
    }
    let ranked = |host| vec![rule(&[host], Precedence::Explicit(Priority::new(7).unwrap()))];
    let refusal = refuse_taken(&own, &ranked("a.example"), &other, &ranked("b.example")).unwrap_err();
    assert!(refusal.message.contains("priority 7"), "{}", refusal.message);
}

#[test]
fn only_the_operator_matches_hosts_by_regular_expression() {
    let mut own = unranked(&[]);
    own[0].conditions.host = vec![HostMatch::regex("^api").unwrap()];
    assert!(refuse_reserved(&namespace("default"), &own).is_ok());
    let refusal = refuse_reserved(&namespace("team-a"), &own).unwrap_err();
    assert!(refusal.message.contains("`^api`"), "{}", refusal.message);
}
