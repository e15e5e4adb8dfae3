use super::*;

const DAY: Duration = Duration::from_secs(86_400);

fn sticky() -> Stickiness {
    Stickiness::new(&CookieKey::new([7; 32]))
}

fn within(duration: Duration) -> StickyFor {
    StickyFor::new(duration).unwrap()
}

/// What a browser sends back of what it was given: the first cookie, or its twin.
fn sent_back(response: &HeaderMap, nth: usize) -> HeaderMap {
    let cookie = response.get_all(header::SET_COOKIE).iter().nth(nth).unwrap();
    let pair = cookie.to_str().unwrap().split(';').next().unwrap();
    let line = format!("theme=dark; {pair}; other=1");
    HeaderMap::from_iter([(header::COOKIE, line.parse().unwrap())])
}

fn names() -> (GroupName, TargetId) {
    ("default/app".parse().unwrap(), "t1".parse().unwrap())
}

#[test]
fn a_client_stays_bound_by_either_cookie() {
    let (group, target) = names();
    let mut response = HeaderMap::new();
    sticky().bind_to_target(&mut response, &group, &target);
    for nth in [0, 1] {
        let request = sent_back(&response, nth);
        let bound = sticky().target(&request, &group, within(DAY));
        assert_eq!(bound.as_deref(), Some("t1"), "cookie {nth}");
        let other: GroupName = "default/other".parse().unwrap();
        assert_eq!(sticky().target(&request, &other, within(DAY)), None);
        assert_eq!(sticky().group(&request, within(DAY)), None);
    }
    let mut response = HeaderMap::new();
    sticky().bind_to_group(&mut response, &group);
    for nth in [0, 1] {
        let bound = sticky().group(&sent_back(&response, nth), within(DAY));
        assert_eq!(bound.as_deref(), Some("default/app"), "cookie {nth}");
    }
}

#[test]
fn cookies_look_as_albs_do() {
    let mut response = HeaderMap::new();
    let now = "2026-03-01T10:20:30Z".parse().unwrap();
    sticky().set(&mut response, Bond::Target, "a\nb", now);
    let cookies: Vec<_> = response
        .get_all(header::SET_COOKIE)
        .iter()
        .map(|cookie| cookie.to_str().unwrap())
        .map(|cookie| {
            let (name, rest) = cookie.split_once('=').unwrap();
            (name, rest.split_once("; ").unwrap().1)
        })
        .collect();
    let expires = "Expires=Sun, 08 Mar 2026 10:20:30 GMT; Path=/; HttpOnly";
    assert_eq!(cookies[0], ("WHARFLB", expires));
    assert_eq!(
        cookies[1],
        (
            "WHARFLBCORS",
            format!("{expires}; SameSite=None; Secure").as_str()
        )
    );
}

#[test]
fn a_bond_ends_with_its_time() {
    let now: Timestamp = "2026-03-01T10:20:30Z".parse().unwrap();
    let mut response = HeaderMap::new();
    sticky().set(&mut response, Bond::Group, "app", now);
    let request = sent_back(&response, 0);
    let found = |after: u64, within: StickyFor| {
        let then = now + SignedDuration::from_secs(i64::try_from(after).unwrap());
        sticky().find(&request, Bond::Group, within, then).is_some()
    };
    assert!(found(86_400, within(DAY)));
    assert!(!found(86_402, within(DAY)));
    assert!(found(1, within(Duration::from_secs(1))));
    assert!(!found(3, within(Duration::from_secs(1))));
}

#[test]
fn nobody_else_can_make_or_change_one() {
    let (group, target) = names();
    let mut response = HeaderMap::new();
    Stickiness::new(&CookieKey::default()).bind_to_target(&mut response, &group, &target);
    assert_eq!(
        sticky().target(&sent_back(&response, 0), &group, within(DAY)),
        None
    );

    let mut response = HeaderMap::new();
    sticky().bind_to_target(&mut response, &group, &target);
    let request = sent_back(&response, 0);
    let line = request[header::COOKIE].to_str().unwrap();
    let start = line.find("WHARFLB=").unwrap() + "WHARFLB=".len();
    let end = start + line[start..].find(';').unwrap();
    assert!(!line.contains("default"), "the value tells nothing");
    for at in start..end {
        let mut forged = line.as_bytes().to_vec();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        if forged == line.as_bytes() {
            continue;
        }
        let forged = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_bytes(&forged).unwrap())]);
        assert_eq!(sticky().target(&forged, &group, within(DAY)), None, "byte {at}");
    }
    for nonsense in ["", "x", "====", &"A".repeat(MAX_SEALED_BYTES + 1), "AAAA"] {
        let line = format!("WHARFLB={nonsense}");
        let request = HeaderMap::from_iter([(header::COOKIE, line.parse().unwrap())]);
        assert_eq!(
            sticky().target(&request, &group, within(DAY)),
            None,
            "{nonsense:?}"
        );
    }
}
