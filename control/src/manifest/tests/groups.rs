//! How targets are checked, and spoken to.

use wharf_gateway::{Certificates, HealthSpec, UpstreamVersion};

use super::*;

#[test]
fn targets_outside_are_spoken_to_as_is_written() {
    let manifest = parse(WHOLE);
    let connection = Connection {
        version: UpstreamVersion::Http2,
        connect_timeout: Duration::from_secs(3),
        tls_timeout: Duration::from_secs(4),
        idle_timeout: Duration::from_secs(20),
        keep_alive: Duration::from_secs(15),
        connections: 50,
        response_head: 64 * 1024,
        certificates: Certificates::Unchecked,
        server_name: Some("legacy.internal".parse().unwrap()),
    };
    assert_eq!(service(&manifest).target_groups[0].connection, connection);
}

#[test]
fn a_check_that_says_only_what_to_ask_for_is_a_tasks_own() {
    let manifest = parse("name = \"api\"\n[task]\ncomponent = \"a.wasm\"\n[health]\npath = \"/up\"\n");
    let expected = Checks::health(HealthSpec::new("/up".parse().unwrap()));
    assert_eq!(service(&manifest).group.checks, expected);
}
