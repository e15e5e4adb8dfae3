//! Mistakes in target groups.

use super::said_of_objects;

const TARGET_GROUPS: &[(&str, &str)] = &[
    (
        "[[target_group]]\nname = \"a\"\ntargets = [\"127.0.0.1:80\"]",
        "3:12: `127.0.0.1:80` is no target: it begins neither with http:// nor with https://; write http://host:port or https://host:port",
    ),
    (
        "[[target_group]]\nname = \"a\"\ntargets = [\"http://a:1\", { url = \"http://a:1\" }]",
        "3:26: the target `http://a:1` is there twice: give it one weight",
    ),
    (
        "[[target_group]]\nname = \"a\"\ntargets = [{ url = \"http://a:1\", weight = 3 }]",
        "3:34: the `weight` of a target does something only with `weighted_random`: remove it, or write algorithm = \
         \"weighted_random\"",
    ),
    (
        "[[target_group]]\nname = \"a\"\ntargets = [3]",
        "3:12: `target_group[0].targets[0]` is a whole number, it needs to be a text or a table: like targets = \
         [\"http://127.0.0.1:9000\"]",
    ),
    (
        "[[target_group]]\nname = \"a\"\nversion = \"http3\"",
        "3:1: `version` in [[target_group]] is `http3`: it is one of http1, http2, grpc",
    ),
    (
        "[[target_group]]\nname = \"a\"\nslow_start = \"1s\"",
        "3:1: slow_start must be from 30 s to 900 s, not 1 s",
    ),
    (
        "[[target_group]]\nname = \"a\"\nalgorithm = \"least_outstanding_requests\"\nslow_start = \"30s\"",
        "4:1: `slow_start` does nothing with least_outstanding_requests, which goes by requests alone (ALB refuses both \
         together, too): remove it, or choose another `algorithm`",
    ),
    (
        "[[target_group]]\nname = \"a\"\ntargets = [\"http://a:1\"]\nserver_name = \"a.test\"",
        "4:1: `server_name` is for `https` targets, and the group has none: remove it",
    ),
    (
        "[[target_group]]\nname = \"a\"\ntargets = [\"http://a:1\"]\ntls_timeout = \"1s\"",
        "4:1: `tls_timeout` is for `https` targets, and the group has none: remove it",
    ),
    (
        "[[target_group]]\nname = \"a\"\ntargets = [\"https://a:1\"]\ntls_timeout = \"0s\"",
        "4:1: `tls_timeout` in [[target_group]] is 0s: it goes from 1ms to 5m",
    ),
    (
        "[[target_group]]\nname = \"a\"\nkeep_alive = \"2d\"",
        "3:1: `keep_alive` in [[target_group]] is 2d: it goes from 1ms to 24h",
    ),
    (
        "[[target_group]]\nname = \"a\"\nresponse_head = \"8191B\"",
        "3:1: `response_head` in [[target_group]] is 8191B: it goes from 8KiB to 512KiB",
    ),
    (
        "[[target_group]]\nname = \"a\"\nresponse_head = \"1MiB\"",
        "3:1: `response_head` in [[target_group]] is 1MiB: it goes from 8KiB to 512KiB",
    ),
    (
        "[[target_group]]\nname = \"a\"\ntargets = [\"https://a:1\"]\nauthorities = \"/etc/ca.pem\"",
        "4:1: `authorities`: no certificate of an authority is named: write what the authorities' .pem files hold: \
         -----BEGIN CERTIFICATE-----…",
    ),
    (
        "[[target_group]]\nname = \"a\"\ntargets = [\"https://a:1\"]\nauthorities = \"\"\"-----BEGIN CERTIFICATE-----\n\
         AAAA\n-----END CERTIFICATE-----\"\"\"",
        "4:1: `authorities`: certificate number 1 of those to trust is none: write what the authorities' .pem files hold: \
         -----BEGIN CERTIFICATE-----…",
    ),
    (
        "[[target_group]]\nname = \"a\"\ntargets = [\"https://a:1\"]\nauthorities = \"\"\"-----BEGIN PRIVATE KEY-----\n\
         AAAA\n-----END PRIVATE KEY-----\"\"\"",
        "4:1: `authorities`: there is a private key among the certificates to trust: leave it out: it is nobody else's",
    ),
    (
        "[[target_group]]\nname = \"a\"\ntargets = [\"https://a:1\"]\nverify_certificates = false\nauthorities = \"\"",
        "5:1: `authorities` does nothing where certificates are not checked: remove it, or `verify_certificates`",
    ),
    (
        "[[target_group]]\nname = \"a\"\ntargets = [\"http://a:1\"]\nauthorities = \"\"",
        "4:1: `authorities` is for `https` targets, and the group has none: remove it",
    ),
    (
        "[[target_group]]\nname = \"a\"\ntargets = [\"https://a:1\"]\nserver_name = \"a.test:1\"",
        "4:1: `a.test:1` is no name of a server: write a host name or an address, without a port",
    ),
    (
        "[[target_group]]\nname = \"a\"\nhealth = { interval = \"0s\" }",
        "3:12: health.interval must be more than 0 and at most 3600 s, not 0 s",
    ),
    (
        "[[target_group]]\nname = \"a\"\nhealth = { codes = \"ok\" }",
        "3:12: `ok` is no status or range of statuses: write 200, 200-399 or 200,204, each from 100 to 599",
    ),
    (
        "[[target_group]]\nname = \"a\"\n[[target_group]]\nname = \"a\"",
        "4:1: [[target_group]] number 2 is called `a`, as number 1 is: give one of them another name",
    ),
];

#[test]
fn mistakes_in_target_groups() {
    for (text, wanted) in TARGET_GROUPS {
        assert_eq!(said_of_objects(text), [format!("edge.toml:{wanted}")], "{text}");
    }
}
