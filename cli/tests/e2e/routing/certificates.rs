//! The certificates of targets outside.

use super::File;
use crate::project::Project;
use crate::server::Server;
use crate::upstream::{Authority, Upstream};

#[test]
fn targets_whose_certificates_nothing_can_check_are_refused_before_anything_is_written() {
    let server = Server::start_after("export SSL_CERT_FILE=/nonexistent SSL_CERT_DIR=/nonexistent");
    let group = "[[target_group]]\nname = \"legacy\"\ntargets = [\"https://legacy.test\"]\n";
    let words = ["https://legacy.test", "no certificates of authorities"];
    let file = File::new(group);
    server
        .wharf()
        .call(["apply", "-f", &file.path()])
        .failed_saying(64, &words);
    let route = "[[route]]\nforward = [{ target_group = \"legacy\" }]\n";
    let project = Project::service("shop", &format!("{route}{group}"));
    server
        .wharf()
        .call(["deploy", project.path()])
        .failed_saying(64, &words);
    assert_eq!(
        server.wharf().json(["services"])["services"]
            .as_array()
            .map(Vec::len),
        Some(0)
    );
}

#[test]
fn a_target_at_an_address_is_known_by_the_name_that_its_group_gives() {
    let authority = Authority::new("trusted");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let trusted = directory.path().join("trusted.pem");
    authority.write(&trusted);
    let server = Server::start_after(&format!("export SSL_CERT_FILE=\"{}\"", trusted.display()));
    let upstream = Upstream::start(&authority, "api.internal", &["http/1.1"]);
    let group = |server_name: &str| {
        format!(
            "[[target_group]]\nname = \"api\"\ntargets = [\"https://127.0.0.1:{}\"]\nhealth = {{ enabled = false }}\n\
             {server_name}\n[[route]]\nname = \"api\"\nhost = [\"api.test\"]\nforward = [{{ target_group = \"api\" }}]\n",
            upstream.port
        )
    };
    let file = File::new(&group(""));
    server.wharf().ok(["apply", "-f", &file.path()]);
    assert_eq!(
        server.get("api.test", "/").status,
        502,
        "the certificate is for a name"
    );
    file.write(&group("server_name = \"api.internal\""));
    server.wharf().ok(["apply", "-f", &file.path()]);
    assert_eq!(server.get("api.test", "/").body, "HTTP/1.1");
}

/// Nobody on this machine trusts the authority but the group.
#[test]
fn a_group_may_trust_authorities_of_its_own() {
    let authority = Authority::new("own");
    let server = Server::start();
    let upstream = Upstream::start(&authority, "127.0.0.1", &["http/1.1"]);
    let wharf = server.wharf();
    let targets = format!("targets=[\"https://127.0.0.1:{}\"]", upstream.port);
    let set = |authorities: &str| {
        wharf.ok([
            "target-group",
            "set",
            "api",
            &targets,
            "health.enabled=false",
            authorities,
        ]);
    };
    let other = format!("authorities={}", Authority::new("other").pem());
    set(&other);
    wharf.ok([
        "route",
        "set",
        "api",
        "host=[\"api.test\"]",
        "forward=[{ target_group = \"api\" }]",
    ]);
    assert_eq!(server.get("api.test", "/").status, 502);
    set(&format!("authorities={}", authority.pem()));
    assert_eq!(server.get("api.test", "/").body, "HTTP/1.1");
    let described = wharf.ok(["describe", "target-group", "api"]);
    assert!(described.contains("-----BEGIN CERTIFICATE-----"), "{described}");
}
