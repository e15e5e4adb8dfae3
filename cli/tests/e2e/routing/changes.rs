//! What is applied while it is asked for: no request is lost.

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
