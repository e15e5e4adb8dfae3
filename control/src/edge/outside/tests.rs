//! Targets are spoken to as their group says. Gateway and runtime may not know each other, and both keep tenants off the
//! host's own addresses.

use std::net::IpAddr;

use wharf_gateway::{Certificates, Reach as OfTargets, UpstreamVersion};
use wharf_runtime::Reach as OfTasks;

use super::*;
use crate::manifest::ApplyFile;

#[test]
fn targets_are_spoken_to_as_their_group_says() {
    let text = "[[target_group]]\nname = \"a\"\ntargets = [\"https://10.0.0.1\"]\nversion = \"http2\"\nconnect_timeout = \"1s\"\n\
                tls_timeout = \"2s\"\nidle_timeout = \"3s\"\nkeep_alive = \"4s\"\nconnections = 5\nresponse_head = \"16KiB\"\n\
                verify_certificates = false\nserver_name = \"a.test\"";
    let objects = ApplyFile::parse("edge.toml", text).unwrap().check().unwrap();
    let group = &objects.target_groups[0];
    let spec = spec(&group.targets[0], &group.connection, Reach::BeyondThisHost);
    let expected = UpstreamSpec {
        url: "https://10.0.0.1".parse().unwrap(),
        version: UpstreamVersion::Http2,
        connect_timeout: Duration::from_secs(1),
        tls_timeout: Duration::from_secs(2),
        idle_timeout: Duration::from_secs(3),
        keep_alive: Duration::from_secs(4),
        connections: 5,
        response_head: 16 * 1024,
        certificates: Certificates::Unchecked,
        server_name: Some("a.test".parse().unwrap()),
        reach: Reach::BeyondThisHost,
    };
    assert_eq!(spec, expected);
}

/// Where nothing is said, the gateway's defaults are ALB's.
#[test]
fn what_a_group_does_not_say_is_the_gateways_default() {
    let text = "[[target_group]]\nname = \"a\"\ntargets = [\"https://10.0.0.1\"]";
    let objects = ApplyFile::parse("edge.toml", text).unwrap().check().unwrap();
    let group = &objects.target_groups[0];
    let spec = spec(&group.targets[0], &group.connection, Reach::Anywhere);
    assert_eq!(spec, UpstreamSpec::new("https://10.0.0.1".parse().unwrap()));
}

/// Addresses, and whether they are beyond this host.
const ADDRESSES: &[(&str, bool)] = &[
    ("127.0.0.1", false),
    ("127.255.255.254", false),
    ("0.0.0.0", false),
    ("0.1.2.3", false),
    // Link-local; a cloud's metadata.
    ("169.254.0.1", false),
    ("169.254.169.254", false),
    ("169.253.255.255", true),
    // Private networks, carriers' NAT, and the rest of the world.
    ("10.0.0.1", true),
    ("172.16.0.1", true),
    ("192.168.1.1", true),
    ("100.64.0.1", true),
    ("100.100.100.200", true),
    ("93.184.216.34", true),
    ("224.0.0.1", true),
    ("255.255.255.255", true),
    ("::", false),
    ("::1", false),
    ("::2", true),
    ("fe80::1", false),
    ("febf::1", false),
    ("fec0::1", true),
    // Unique local, a cloud's metadata among them.
    ("fd00::1", true),
    ("fd00:ec2::254", true),
    ("2606:4700::1111", true),
    // IPv4 in IPv6.
    ("::ffff:127.0.0.1", false),
    ("::ffff:0.0.0.0", false),
    ("::ffff:169.254.169.254", false),
    ("::ffff:10.0.0.1", true),
    ("::ffff:100.64.0.1", true),
    ("64:ff9b::7f00:1", true),
    ("2002:7f00:1::", true),
];

#[test]
fn targets_and_tasks_are_kept_off_the_same_addresses() {
    for (text, is_beyond) in ADDRESSES {
        let address: IpAddr = text.parse().unwrap();
        let allowed = [
            OfTargets::BeyondThisHost.allows(address),
            OfTasks::BeyondThisHost.allows(address),
        ];
        assert_eq!(allowed, [*is_beyond; 2], "{text}");
        let anywhere = [
            OfTargets::Anywhere.allows(address),
            OfTasks::Anywhere.allows(address),
        ];
        assert_eq!(anywhere, [true; 2], "{text}");
    }
}
