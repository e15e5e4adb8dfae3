//! Outgoing HTTPS: whom the server trusts, and what it speaks with them.

use crate::project::Project;
use crate::server::Server;
use crate::upstream::{Authority, Upstream};

/// What a guest gets from `https://localhost` at the upstream's port.
fn fetch(server: &Server, upstream: &Upstream) -> String {
    let url = format!("https://localhost:{}", upstream.port);
    let project = Project::service("web", &format!("egress = [\"{url}\"]"));
    server.wharf().ok(["deploy", project.path()]);
    let answer = server.get("web.localhost", &format!("/fetch?url={url}/"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

#[test]
fn https_goes_to_whom_the_operator_trusts_by_the_best_http_both_speak() {
    let authority = Authority::new("trusted");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let trusted = directory.path().join("trusted.pem");
    authority.write(&trusted);
    let server = Server::start_after(&format!("export SSL_CERT_FILE=\"{}\"", trusted.display()));

    let modern = Upstream::start(&authority, "localhost", &["h2", "http/1.1"]);
    assert_eq!(fetch(&server, &modern), "200 HTTP/2.0");
    // The task's requests share a connection, whatever their instances.
    let url = format!("https://localhost:{}/", modern.port);
    for _ in 0..5 {
        let again = server.get("web.localhost", &format!("/fetch?url={url}"));
        assert_eq!(again.body, "200 HTTP/2.0");
    }
    assert_eq!(modern.connections(), 1);

    let old = Upstream::start(&authority, "localhost", &["http/1.1"]);
    assert_eq!(fetch(&server, &old), "200 HTTP/1.1");
    let silent = Upstream::start(&authority, "localhost", &[]);
    assert_eq!(fetch(&server, &silent), "200 HTTP/1.1");
}

#[test]
fn https_goes_to_nobody_else() {
    let authority = Authority::new("trusted");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let trusted = directory.path().join("trusted.pem");
    authority.write(&trusted);
    let server = Server::start_after(&format!("export SSL_CERT_FILE=\"{}\"", trusted.display()));
    let impostors = [
        (
            Upstream::start(&Authority::new("unknown"), "localhost", &["h2"]),
            "UnknownIssuer",
        ),
        (
            Upstream::start(&authority, "another.example", &["h2"]),
            "not valid for name \"localhost\"",
        ),
    ];
    for (impostor, reason) in impostors {
        let answer = fetch(&server, &impostor);
        assert!(answer.contains("TlsCertificateError"), "{answer}");
        assert_eq!(impostor.connections(), 0);
        let log = server.wharf().ok(["logs", "web"]);
        assert!(log.contains(reason), "{reason:?} is not in {log}");
    }
}

#[test]
fn a_tenants_guest_does_not_reach_the_servers_own_machine() {
    let server = Server::start();
    let admin = server.wharf();
    admin.ok(["namespace", "create", "blue"]);
    let port = server.api.port();
    let project = Project::service("web", &format!("egress = [\"http://0.0.0.0/0:{port}\"]"));
    let path = format!("/fetch?url=http://127.0.0.1:{port}/metrics");
    let answer = |host: &str| server.get(host, &path).body;
    admin.ok(["deploy", project.path()]);
    let own = answer("web.localhost");
    assert!(own.starts_with("200"), "the operator's does: {own}");
    admin.in_namespace("blue").ok(["deploy", project.path()]);
    // Within its rules: it is the place that it doesn't get to.
    assert_eq!(answer("web.blue.localhost"), "ErrorCode::DestinationIpProhibited");
}
