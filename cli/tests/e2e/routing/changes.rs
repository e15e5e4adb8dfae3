//! What is applied while it is asked for, and no request is lost; what is applied from elsewhere than a file; and what is a
//! service's, and changed with it.

use super::{File, outside};
use crate::load::while_asked;
use crate::project::Project;
use crate::server::Server;

/// How often each thing is changed.
const CHANGES: usize = 20;

#[test]
fn targets_outside_are_replaced_and_no_request_is_lost() {
    let server = Server::start();
    let (first, second) = (outside("first"), outside("second"));
    let group = |targets: &str| {
        format!(
            "[[target_group]]\nname = \"legacy\"\ntargets = [{targets}]\n\
             [[route]]\nname = \"legacy\"\nhost = [\"legacy.test\"]\nforward = [{{ target_group = \"legacy\" }}]\n"
        )
    };
    let (first, second) = (format!("\"http://{first}\""), format!("\"http://{second}\""));
    let file = File::new(&group(&first));
    server.wharf().ok(["apply", "-f", &file.path()]);
    while_asked(&server, "legacy.test", || {
        for change in 1..=CHANGES {
            let (targets, who) = match change % 3 {
                0 => (first.clone(), &["first"][..]),
                1 => (second.clone(), &["second"][..]),
                _ => (format!("{first}, {second}"), &["first", "second"][..]),
            };
            file.write(&group(&targets));
            server.wharf().ok(["apply", "-f", &file.path()]);
            // What was applied is in force when it is acknowledged.
            for _ in 0..4 {
                let answer = server.get("legacy.test", "/ok");
                let name = answer.body.lines().next().expect("a name");
                assert!(who.contains(&name), "{name} answers after change {change}");
            }
        }
    });
}

#[test]
fn a_route_is_led_to_another_group_and_no_request_is_lost() {
    let server = Server::start();
    for name in ["red", "blue"] {
        server.wharf().ok(["deploy", Project::service(name, "").path()]);
    }
    let route = |to: &str| {
        format!("[[route]]\nname = \"shop\"\nhost = [\"shop.test\"]\nforward = [{{ service = {to:?} }}]\n")
    };
    let file = File::new(&route("red"));
    server.wharf().ok(["apply", "-f", &file.path()]);
    while_asked(&server, "shop.test", || {
        for change in 1..=CHANGES {
            let to = if change % 2 == 0 { "red" } else { "blue" };
            file.write(&route(to));
            server.wharf().ok(["apply", "-f", &file.path()]);
            for _ in 0..4 {
                let env = server.get("shop.test", "/env").json();
                assert_eq!(env["WHARF_SERVICE"], to, "after change {change}");
            }
        }
    });
}

#[test]
fn what_a_services_manifest_has_is_changed_there() {
    let server = Server::start();
    let edge = "[[route]]\nhost = [\"web.test\"]\n[[target_group]]\nname = \"own\"\ntargets = [\"http://127.0.0.1:9000\"]\n";
    server
        .wharf()
        .ok(["deploy", Project::service("web", edge).path()]);
    server
        .wharf()
        .ok(["deploy", Project::service("plain", "").path()]);
    let listed = server.wharf().ok(["route", "list"]);
    assert!(listed.contains("web[0]") && listed.contains("plain"), "{listed}");
    let own = "change it in the wharf.toml of `web` and deploy that";
    for (words, said) in [
        (
            &["route", "delete", "web[0]"][..],
            ["route `web[0]` is of service `web`", own],
        ),
        (
            &["route", "reorder", "web[0]=5"],
            ["route `web[0]` is of service `web`", own],
        ),
        (
            &["route", "delete", "plain"],
            [
                "route `plain` is the default host of service `plain`",
                "`wharf delete plain`",
            ],
        ),
        (
            &["target-group", "delete", "own"],
            ["target group `own` is of service `web`", own],
        ),
        (&["route", "delete", "web[1]"], ["`web[1]`", "a route's name"]),
    ] {
        server.wharf().call(words).failed_saying(1, &said);
    }
}

#[test]
fn what_comes_by_standard_input_is_applied_as_a_file_is() {
    let server = Server::start();
    let route =
        "[[route]]\nname = \"typed\"\nhost = [\"typed.test\"]\nfixed = { status = 200, body = \"typed\" }\n";
    let applied = server.wharf().with_input(["apply", "-f", "-"], route);
    assert_eq!(
        (applied.code, &applied.stdout[..9]),
        (0, "1 created"),
        "{applied:?}"
    );
    assert_eq!(server.get("typed.test", "/").body, "typed");
    for (text, said) in [
        ("[[route]]\nnme = \"x\"\n", "standard input:2:1: "),
        (
            "[[route]]\nname = \"x\"\nforward = [{ service = \"nobody\" }]\n",
            "standard input: route",
        ),
    ] {
        server
            .wharf()
            .with_input(["apply", "-f", "-"], text)
            .failed_saying(64, &[said]);
    }
}
