use super::*;

fn rules(texts: &[&str]) -> Vec<EgressRule> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn to(url: &str) -> (Scheme, String, u16) {
    let (scheme, rest) = url.split_once("://").unwrap();
    let scheme = if scheme == "http" {
        Scheme::Http
    } else {
        Scheme::Https
    };
    let (host, port) = split_port(rest).unwrap();
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    (scheme, host, port.unwrap_or(scheme.default_port()))
}

fn allowed(list: &[&str], url: &str) -> bool {
    let (scheme, host, port) = to(url);
    allows(
        &rules(list),
        Destination {
            scheme,
            host: &host,
            port,
        },
    )
}

fn address_allowed(list: &[&str], url: &str, address: &str) -> bool {
    let (scheme, host, port) = to(url);
    allows_address(
        &rules(list),
        Destination {
            scheme,
            host: &host,
            port,
        },
        address.parse().unwrap(),
    )
}

#[test]
fn a_destination_needs_a_rule_for_its_scheme_host_and_port() {
    let list = &[
        "https://api.github.com",
        "https://*.example.com:8443",
        "http://127.0.0.1:9000",
    ];
    let table = [
        ("https://api.github.com", true),
        ("https://API.GitHub.com", true),
        ("https://api.github.com.", true),
        ("http://api.github.com", false),
        ("https://api.github.com:8443", false),
        ("https://evil-api.github.com", false),
        ("https://a.example.com:8443", true),
        ("https://a.b.example.com:8443", true),
        ("https://example.com:8443", false),
        ("https://badexample.com:8443", false),
        ("http://127.0.0.1:9000", true),
        ("http://127.0.0.2:9000", false),
        ("http://localhost:9000", false),
    ];
    for (url, expected) in table {
        assert_eq!(allowed(list, url), expected, "{url}");
    }
    assert!(!allowed(&[], "https://api.github.com"));
}

#[test]
fn private_and_loopback_addresses_must_be_named() {
    let list = &[
        "http://evil.example",
        "http://localhost:81",
        "http://10.1.0.0/16:82",
        "http://db.corp:82",
        "http://[::ffff:10.3.0.0/112]:83",
        "http://db.corp:83",
    ];
    let table = [
        ("http://evil.example", "93.184.216.34", true),
        ("http://evil.example", "127.0.0.1", false),
        ("http://evil.example", "10.1.2.3", false),
        ("http://evil.example", "169.254.169.254", false),
        ("http://evil.example", "100.64.0.1", false),
        ("http://evil.example", "0.0.0.0", false),
        ("http://evil.example", "::1", false),
        ("http://evil.example", "::ffff:127.0.0.1", false),
        ("http://evil.example", "fd00::1", false),
        ("http://evil.example", "fe80::1", false),
        ("http://evil.example", "64:ff9b::7f00:1", false),
        ("http://evil.example", "2002:7f00:1::", false),
        ("http://evil.example", "2606:4700::1111", true),
        ("http://localhost:81", "127.0.0.1", true),
        ("http://localhost:81", "::1", true),
        ("http://localhost:81", "10.0.0.1", false),
        ("http://db.corp:82", "10.1.2.3", true),
        ("http://db.corp:82", "10.2.2.3", false),
        ("http://db.corp:83", "10.3.2.3", true),
        ("http://db.corp:83", "10.2.2.3", false),
    ];
    for (url, address, expected) in table {
        assert_eq!(
            address_allowed(list, url, address),
            expected,
            "{url} at {address}"
        );
    }
}

#[test]
fn rules_print_as_they_are_written_and_bad_ones_are_refused() {
    for rule in [
        "https://api.github.com",
        "https://*.example.com:8443",
        "http://127.0.0.1:9000",
        "http://10.0.0.0/8",
        "http://[::1]:80",
        "https://[fd00::/8]:8443",
        "http://[::ffff:10.0.0.0/104]:81",
    ] {
        let parsed: EgressRule = rule.parse().unwrap();
        assert_eq!(
            parsed.to_string().parse::<EgressRule>().unwrap(),
            parsed,
            "{rule}"
        );
    }
    for rule in [
        "api.github.com",
        "ftp://x",
        "https://",
        "https://*",
        "https://*.",
        "https://a*.example.com",
        "https://x:0",
        "https://x:99999",
        "https://x/path",
        "https://a b",
    ] {
        assert!(rule.parse::<EgressRule>().is_err(), "{rule}");
    }
}

#[test]
fn the_hosts_own_addresses_are_out_of_reach_whatever_leads_there() {
    for own in [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "0.1.2.3",
        "169.254.169.254",
        "::1",
        "::",
        "fe80::1",
        "::ffff:127.0.0.1",
    ] {
        let own: IpAddr = own.parse().unwrap();
        assert!(!Reach::BeyondThisHost.allows(own), "{own}");
        assert!(Reach::Anywhere.allows(own), "{own}");
    }
    for other in [
        "10.0.0.1",
        "192.168.1.1",
        "93.184.216.34",
        "fd00::1",
        "2606:4700::1111",
    ] {
        assert!(Reach::BeyondThisHost.allows(other.parse().unwrap()), "{other}");
    }
}

#[test]
fn a_rule_for_the_host_alone_is_told_from_one_that_goes_further() {
    for (rule, is_own) in [
        ("http://127.0.0.1:7070", true),
        ("http://127.0.0.0/8", true),
        ("http://[::1]:7070", true),
        ("http://169.254.0.0/16", true),
        ("http://localhost", true),
        ("http://api.localhost:7070", true),
        ("http://0.0.0.0/1", false),
        ("http://0.0.0.0/0", false),
        ("http://169.254.0.0/15", false),
        ("http://[::ffff:127.0.0.1]:7070", true),
        ("http://[::ffff:127.0.0.0/104]", true),
        ("http://[::ffff:0.0.0.0/97]", false),
        ("http://[::ffff:10.0.0.0/104]", false),
        ("http://10.0.0.0/8", false),
        ("http://[::/0]", false),
        ("https://api.example.com", false),
        ("https://*.example.com", false),
    ] {
        let rule: EgressRule = rule.parse().unwrap();
        assert_eq!(rule.is_of_this_host(), is_own, "{rule}");
    }
}
