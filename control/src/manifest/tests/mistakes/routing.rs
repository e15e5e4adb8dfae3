//! Mistakes in routes, target groups and listeners: each key's wrong value, with its place.

mod target_groups;

use super::*;

/// A route's lines, the first of which is line 5, and what is said about them.
const ROUTES: &[(&str, &str)] = &[
    (
        "name = \"Shop\"",
        "5:1: `Shop` is not a route's name: it has 'S'; use a-z, 0-9 and `-` (no capitals)",
    ),
    (
        "listener = [\"\"]",
        "5:13: `` is not a listener's name: it is empty",
    ),
    (
        "method = [\"get\"]",
        "5:11: `get` is not a method: they are matched as they are, in capitals, like `GET` (A-Z, `-` and `_`, at most \
         40 bytes)",
    ),
    (
        "method = \"GET\"",
        "5:1: `method` in [[route]] is a text, it needs to be a list of texts: like method = [\"GET\"]",
    ),
    (
        "header = { x-canary = \"1\" }",
        "5:12: `route[0].header.x-canary` is a text, it needs to be a list of texts: put it in brackets: [\"1\"]",
    ),
    (
        "header = { host = [\"a\"] }",
        "5:12: a header condition cannot be about `host`: use the host condition",
    ),
    (
        "header = { \"x y\" = [\"a\"] }",
        "5:12: `x y` is not a header's name",
    ),
    (
        "header_regex = { x-id = ['('] }",
        "5:26: the regular expression `(` is not valid: unclosed group",
    ),
    ("query = [{}]", "5:10: a query value needs a key or a value"),
    (
        "source_ip = [\"10.0.0.0/33\"]",
        "5:14: `10.0.0.0/33` is not a network, such as 10.0.0.0/8 or 2001:db8::/32",
    ),
    (
        "forward = [{ service = \"api\", weight = 1000 }, { service = \"b\" }]",
        "5:31: a weight is a number from 0 to 999, not 1000",
    ),
    (
        "forward = [{ weight = 1 }, { service = \"b\" }]",
        "5:12: `route[0].forward[0]` needs one of `service` and `target_group`: like { service = \"api\", weight = 90 }",
    ),
    (
        "forward = [{ service = \"a\" }, { service = \"a\" }]",
        "5:1: service `a` is there twice: give it one weight",
    ),
    (
        "forward = [{ service = \"a\", weight = 0 }, { service = \"b\", weight = 0 }]",
        "5:1: every weight is 0, so no group would get a request: give one of them a weight",
    ),
    (
        "stickiness = \"1h\"",
        "5:1: `stickiness` does something only beside `forward`: remove it",
    ),
    (
        "forward = [{ service = \"a\" }, { service = \"b\" }]\nstickiness = \"8d\"",
        "6:1: stickiness must be from 1 s to 604800 s, not 691200 s",
    ),
    (
        "redirect = {}",
        "5:1: `route[0].redirect` has no `status`: add one, like status = 301",
    ),
    (
        "redirect = { status = 301, path = \"/#{path}\" }",
        "5:1: the redirect leads back to the same URL: change its protocol, host, port or path",
    ),
    (
        "redirect = { status = 301, protocol = \"HTTP\" }",
        "5:1: the redirect changes nothing but the protocol, to HTTP: from HTTP that leads back to the same URL, and from HTTPS no \
         redirect leads to HTTP; change its host, port or path",
    ),
    (
        "redirect = { status = 418, path = \"/x\" }",
        "5:14: a redirect has status 301, 302, 303, 307 or 308, not 418",
    ),
    (
        "fixed = { status = 302 }",
        "5:1: a fixed response has a status of 2xx, 4xx or 5xx, not 302; for 3xx use a redirect",
    ),
    (
        "fixed = { status = 404 }\nforward = [{ service = \"a\" }]",
        "4:1: `route[0]` has more than one of `forward`, `redirect` or `fixed`: keep one",
    ),
    (
        "fixed = { status = 404 }\ntimeout = \"1s\"",
        "6:1: `route[0].timeout`: this does something only beside a forward action: remove it",
    ),
    (
        "fixed = { status = 404 }\nrewrite = { path = { regex = \"a\", replace = \"b\" } }",
        "6:1: `route[0].rewrite`: this does something only beside a forward action: remove it",
    ),
    (
        "rewrite = { path = { regex = \"^/(.*)\" } }",
        "5:13: `route[0].rewrite.path` needs `regex` and `replace`: write both, like { regex = \"^/v1/(.*)\", replace = \
         \"/$1\" }",
    ),
    (
        "rewrite = { path = { regex = \"^/(.*)\", replace = \"/$2\" } }",
        "5:13: the replacement names the group `2`, which the regular expression `^/(.*)` does not have",
    ),
    (
        "request_headers = { set = { connection = \"close\" } }",
        "5:1: `connection` is between the gateway and its neighbours: it cannot be edited",
    ),
    (
        "body_limit = \"10MB\"",
        "5:1: `body_limit` in [[route]]: `10MB` is not a size: write a whole number with KiB, MiB or GiB, like \"64MiB\"",
    ),
    (
        "timeout = \"0s\"",
        "5:1: `timeout` in [[route]] is 0s: it goes from 1ms to 24h",
    ),
    (
        "priority = 7\n[[route]]\npriority = 7\npath = [\"/b\"]",
        "7:1: [[route]] number 2 has priority 7, as [[route]] number 1 has: give one of them another, lower goes first",
    ),
    (
        "name = \"shop\"\npriority = 7\n[[route]]\nname = \"cart\"\npriority = 7\npath = [\"/b\"]",
        "9:1: route `cart` has priority 7, as route `shop` has: give one of them another, lower goes first",
    ),
    (
        "name = \"shop\"\npath = [\"/b\"]\n[[route]]\nname = \"cart\"\npath = [\"/b\"]",
        "7:1: route `cart` repeats route `shop`: path /b: change or remove one of them",
    ),
    (
        "forward = [{ service = \"api\", weight = 5 }]",
        "5:31: `weight` does something only among several that `forward` names: remove it",
    ),
    (
        "forward = [{ service = \"api\" }]\nstickiness = \"1h\"",
        "6:1: `stickiness` beside `forward` keeps a client with one of several, and there is only one: remove it; who is to \
         stay with a target has it in [service] or [[target_group]]",
    ),
];

#[test]
fn mistakes_in_a_services_routes() {
    for (lines, wanted) in ROUTES {
        let text = after_task(&format!("[[route]]\n{lines}"));
        assert_eq!(said(&text), [format!("wharf.toml:{wanted}")], "{lines}");
    }
}

#[test]
fn a_redirect_is_told_everything_that_is_wrong_with_it() {
    let redirect =
        "redirect = { protocol = \"ftp\", host = \"a b\", port = \"x\", path = \"up\", query = \"#{q}\" }";
    let said = said(&after_task(&format!("[[route]]\n{redirect}")));
    let wanted = [
        "5:1: `route[0].redirect` has no `status`",
        "5:14: a redirect's protocol is",
        "5:32: a redirect's host has no ' '",
        "5:46: a redirect's port is",
        "5:58: a redirect's path begins with `/`",
        "5:71: a redirect's query cannot have `#{q}`",
    ];
    assert_eq!(said.len(), wanted.len(), "{said:#?}");
    for (said, wanted) in said.iter().zip(wanted) {
        assert!(said.starts_with(&format!("wharf.toml:{wanted}")), "{said}");
    }
}

#[test]
fn routes_on_different_listeners_do_not_clash() {
    let text = "[[route]]\nlistener = [\"a\"]\npriority = 7\n[[route]]\nlistener = [\"b\"]\npriority = 7";
    parse(&after_task(text));
}

fn said_of_objects(text: &str) -> Vec<String> {
    let errors = ApplyFile::parse("edge.toml", text)
        .and_then(|file| file.check())
        .expect_err(text);
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn the_documentations_example_is_no_mistake() {
    let documentation = include_str!("../../../../../docs/gateway.md");
    let (_, rest) = documentation.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    ApplyFile::parse("edge.toml", example).unwrap().check().unwrap();
}

const OBJECTS: &[(&str, &str)] = &[
    (
        "[task]\ncomponent = \"a.wasm\"",
        "1:2: `task` doesn't belong in the manifest: a file with [task] is a service's or a job's: `wharf deploy` and \
         `wharf run` take it",
    ),
    (
        "[[route]]\nfixed = { status = 404 }",
        "1:1: [[route]] has no `name`: add one, like name = \"shop\"",
    ),
    (
        "[[route]]\nname = \"shop\"",
        "1:1: [[route]] does nothing: give it one of `forward`, `redirect` or `fixed`",
    ),
    (
        "[[listener]]\nname = \"a\"",
        "1:1: [[listener]] has no `address`: add one, like address = \"0.0.0.0:443\"",
    ),
    (
        "[[listener]]\nname = \"http\"\naddress = \"127.0.0.1:80\"",
        "3:1: the address of the listener `http` is what `wharf serve --http` says: remove it",
    ),
    (
        "[[listener]]\nname = \"a\"\naddress = \"localhost:80\"",
        "3:1: `localhost:80` is no address, like \"0.0.0.0:443\"",
    ),
    (
        "[[listener]]\nname = \"a\"\naddress = \"127.0.0.1:80\"\nprotocol = \"TCP\"",
        "4:1: `protocol` in [[listener]] is `TCP`: it is one of HTTP, HTTPS",
    ),
    (
        "[[listener]]\nname = \"a\"\naddress = \"127.0.0.1:80\"\ncertificates = [{ cert = \"a.pem\", key = \"/k\" }]",
        "4:19: `a.pem` is a relative path: the server may be elsewhere: begin it with /",
    ),
    (
        "[[listener]]\nname = \"a\"\naddress = \"127.0.0.1:80\"\nstreams = 0",
        "4:1: `streams` in [[listener]] is 0: it goes from 1 to 10000000",
    ),
    (
        "[[listener]]\nname = \"a\"\naddress = \"127.0.0.1:80\"\nheader_lines = 20001",
        "4:1: `header_lines` in [[listener]] is 20001: it goes from 1 to 20000",
    ),
    (
        "[[listener]]\nname = \"a\"\naddress = \"127.0.0.1:80\"\nheader_block = \"17179869183GiB\"",
        "4:1: `header_block` in [[listener]] is 17179869183GiB: it goes from 1B to 512KiB",
    ),
    (
        "[[listener]]\nname = \"a\"\naddress = \"127.0.0.1:80\"\nrequest_line = \"65KiB\"",
        "4:1: `request_line` in [[listener]] is 65KiB: it goes from 1B to 64KiB",
    ),
    (
        "[[listener]]\nname = \"a\"\naddress = \"127.0.0.1:80\"\ndefault = {}",
        "4:1: `default` in [[listener]] does nothing: give it one of `forward`, `redirect` or `fixed`, or leave it out: \
         404",
    ),
    (
        "[[listener]]\nname = \"a\"\naddress = \"127.0.0.1:80\"\ntrusted_proxies = [\"x\"]",
        "4:20: `x` is not a network, such as 10.0.0.0/8 or 2001:db8::/32",
    ),
];

#[test]
fn mistakes_in_what_is_applied() {
    for (text, wanted) in OBJECTS {
        assert_eq!(said_of_objects(text), [format!("edge.toml:{wanted}")], "{text}");
    }
}

#[test]
fn of_many_mistakes_the_first_are_shown_and_the_rest_counted() {
    let route = |at: usize| {
        format!("[[route]]\nname = \"r{at}\"\npriority = 0\nfixed = {{ status = 404 }}\npath = [\"/{at}\"]\n")
    };
    let text: String = (0..500).map(route).collect();
    let said = said_of_objects(&text);
    assert_eq!(said.len(), 101);
    assert!(said[0].starts_with("edge.toml:3:1: `priority`"), "{}", said[0]);
    assert!(
        said[100].contains("400 more mistakes are not shown"),
        "{}",
        said[100]
    );
}

/// Every key that a listener has, read and written again.
const LISTENER: &str = r##"
[[listener]]
name = "https"
protocol = "HTTPS"
address = "0.0.0.0:8443"
certificates = [{ cert = "/etc/tls/cert.pem", key = "/etc/tls/key.pem" }]
tls = "1.3"
idle_timeout = "61s"
keep_alive = "2h"
header_timeout = "5s"
body_timeout = "6s"
write_timeout = "7s"
tls_timeout = "8s"
request_line = "8KiB"
header_line = "9KiB"
header_block = "32KiB"
header_lines = 50
request_body = "1MiB"
connections = 1000
tls_handshakes = 10
streams = 64
stream_requests = 10000
stream_resets = 100
desync = "strictest"
forwarded_for = "remove"
client_port = true
trusted_proxies = ["10.0.0.0/8"]
preserve_host = false
default = { redirect = { status = 302, host = "www.example.com" } }

[[listener]]
name = "http"
default = { forward = [{ service = "a" }, { target_group = "b", weight = 0 }], stickiness = "1m" }
"##;

#[test]
fn every_key_of_a_listener_is_read() {
    use wharf_gateway::{ClientPort, DesyncMode, HostHeader, Limits, TlsVersion, XForwardedFor};
    let file = ApplyFile::parse("edge.toml", LISTENER).unwrap();
    let objects = file.check().unwrap_or_else(|errors| panic!("{errors}"));
    let https = &objects.listeners[0];
    let seconds = Duration::from_secs;
    assert_eq!(
        https.limits,
        Limits {
            request_line: 8 << 10,
            header_line: 9 << 10,
            header_block: 32 << 10,
            header_lines: 50,
            request_body: 1 << 20,
            connections: 1000,
            tls_handshakes: 10,
            tls_handshake_timeout: seconds(8),
            header_read_timeout: seconds(5),
            body_read_timeout: seconds(6),
            write_timeout: seconds(7),
            keep_alive_timeout: seconds(61),
            connection_lifetime: seconds(7200),
            http2_streams: 64,
            http2_requests: Some(10_000),
            http2_resets: 100,
        }
    );
    assert_eq!(https.tls.as_ref().unwrap().min_version, TlsVersion::Tls13);
    assert_eq!(https.desync, DesyncMode::Strictest);
    assert_eq!(https.forwarding.x_forwarded_for, XForwardedFor::Remove);
    assert_eq!(https.forwarding.client_port, ClientPort::Include);
    assert_eq!(https.forwarding.host, HostHeader::Normalise);
    assert_eq!(https.forwarding.trusted.len(), 1);
    assert!(matches!(https.default, DefaultAction::Redirect(_)));
    assert!(matches!(&objects.listeners[1].default, DefaultAction::Forward(shares) if shares.to.len() == 2));
    let json = serde_json::to_value(file.text()).unwrap();
    let again = objects_from_json(json).unwrap();
    assert_eq!(again.listeners, objects.listeners);
}
