use super::*;

fn groups(weights: &[(&str, u32)]) -> Vec<WeightedGroup> {
    let group = |(name, weight): &(&str, u32)| WeightedGroup {
        group: name.parse().unwrap(),
        weight: Weight::new(*weight).unwrap(),
    };
    weights.iter().map(group).collect()
}

#[test]
fn weights_are_albs() {
    for (weight, valid) in [(0, true), (999, true), (1000, false), (65_536, false)] {
        assert_eq!(Weight::new(weight).is_ok(), valid, "{weight}"); // ALB: 0 to 999
    }
    assert_eq!(
        Weight::new(1000).unwrap_err().to_string(),
        "a weight is a number from 0 to 999, not 1000"
    );
}

#[test]
fn what_sends_nobody_anywhere_is_refused() {
    for (weights, error) in [
        (
            &[][..],
            "there is no target group to forward to: name at least one",
        ),
        (
            &[("a", 0), ("b", 0)],
            "every weight is 0, so no group would get a request: give one of them a weight",
        ),
        (
            &[("a", 1), ("a", 2)],
            "target group `a` is there twice: give it one weight",
        ),
    ] {
        assert_eq!(
            Forward::weighted(groups(weights), None).unwrap_err().to_string(),
            error
        );
    }
    assert!(Forward::weighted(groups(&[("a", 0), ("b", 1)]), None).is_ok());
    let many: Vec<String> = (0..=MAX_FORWARD_GROUPS).map(|n| format!("g{n}")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), 1)).collect();
    assert!(Forward::weighted(groups(&many), None).is_err());
    assert!(Forward::weighted(groups(&many[1..]), None).is_ok());
}

#[test]
fn it_reads_well() {
    assert_eq!(Forward::to("a".parse().unwrap()).to_string(), "a");
    let split = Forward::weighted(groups(&[("a", 9), ("b", 1)]), None).unwrap();
    assert_eq!(split.to_string(), "a (9), b (1)");
}
