use super::*;

fn list(values: &[&str]) -> HeaderMap {
    let values = values
        .iter()
        .map(|value| (X_FORWARDED_FOR, value.parse().unwrap()));
    values.collect()
}

#[test]
fn the_origin_is_the_last_address_that_is_no_trusted_proxys() {
    let forwarding = Forwarding {
        trusted: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
        ..Forwarding::default()
    };
    let check = |values: &[&str], peer: &str, expected: Option<&str>| {
        let found = origin(&list(values), &forwarding, peer.parse().unwrap());
        assert_eq!(
            found,
            expected.map(|address| address.parse().unwrap()),
            "{values:?} {peer}"
        );
    };
    check(&["192.0.2.1"], "10.0.0.1", Some("192.0.2.1"));
    check(
        &["198.51.100.9, 192.0.2.1", "10.1.1.1"],
        "10.0.0.1",
        Some("192.0.2.1"),
    );
    check(
        &["192.0.2.1:4711, [2001:db8::1]:80, [2001:db8::2]"],
        "10.0.0.1",
        Some("192.0.2.1"),
    );
    check(&["10.2.2.2, 10.1.1.1"], "10.0.0.1", Some("10.2.2.2"));
    check(&["192.0.2.1"], "192.0.2.7", None);
    check(&["192.0.2.1, unknown"], "10.0.0.1", None);
    check(&[], "10.0.0.1", None);
    let nobody = Forwarding::default();
    assert_eq!(
        origin(&list(&["192.0.2.1"]), &nobody, "10.0.0.1".parse().unwrap()),
        None
    );
}
