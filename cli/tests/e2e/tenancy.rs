//! Namespaces and tokens: who may see what.

use crate::http::{self, Answer, Call};
use crate::project::Project;
use crate::server::Server;

fn api(server: &Server, path: &str, token: &str) -> Answer {
    let call = Call::get("api", path);
    http::send(
        server.api,
        if token.is_empty() {
            call
        } else {
            call.header("authorization", &format!("Bearer {token}"))
        },
    )
}

#[test]
fn the_api_wants_a_token_and_the_probes_do_not() {
    let server = Server::start();
    for token in ["", "wrong"] {
        let answer = api(&server, "/v1/namespaces/default/services", token);
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(answer.json()["error"]["message"].is_string());
    }
    for probe in ["/healthz", "/readyz"] {
        assert_eq!(api(&server, probe, "").status, 200, "{probe}");
    }
    server
        .wharf()
        .with_token("wrong")
        .call(["services"])
        .failed_saying(1, &["token", "WHARF_TOKEN"]);
}

#[test]
fn a_namespace_keeps_to_itself() {
    let server = Server::start();
    let admin = server.wharf();
    admin.ok(["namespace", "create", "blue"]);
    let blue = admin.in_namespace("blue");
    let token = blue
        .ok(["token", "create", "--description", "for the tests"])
        .trim()
        .to_owned();
    let tenant = blue.with_token(&token);

    tenant.ok(["deploy", Project::service("web", "").path()]);
    assert_eq!(server.get("web.blue.localhost", "/ok").status, 200);
    assert_eq!(server.get("web.localhost", "/ok").status, 404);
    assert!(tenant.ok(["namespace", "list"]).contains("blue"));
    assert!(!tenant.ok(["namespace", "list"]).contains("default"));

    // Another's namespace and one that doesn't exist look the same.
    let foreign = api(&server, "/v1/namespaces/default/services", &token);
    let missing = api(&server, "/v1/namespaces/nowhere/services", &token);
    assert_eq!(
        (foreign.status, missing.status),
        (404, 404),
        "{foreign:?} {missing:?}"
    );
    tenant
        .call(["namespace", "create", "green"])
        .failed_saying(1, &[]);

    admin
        .call(["namespace", "delete", "blue"])
        .failed_saying(1, &["web"]);
    let id = blue.json(["token", "list"])["tokens"][0]["id"]
        .as_str()
        .expect("text")
        .to_owned();
    tenant.ok(["delete", "web"]);
    blue.ok(["token", "revoke", &id]);
    tenant.call(["services"]).failed_saying(1, &["token"]);
    admin.ok(["namespace", "delete", "blue"]);
    assert!(!admin.ok(["namespace", "list"]).contains("blue"));
}

#[test]
fn the_token_file_is_private() {
    use std::os::unix::fs::PermissionsExt as _;

    let server = Server::start();
    let mode = std::fs::metadata(server.data().join("admin-token"))
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}
