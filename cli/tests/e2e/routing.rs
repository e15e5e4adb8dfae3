//! Routes, target groups and listeners: applied, in force, tested, listed, refused.

mod certificates;
mod changes;
mod explained;
mod restarts;
mod tls;
mod typed;

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::http::Call;
use crate::project::{Project, service};
use crate::server::{Server, address_of_its_own, until};

/// How long a server outside works on what takes a while.
const WORK: Duration = Duration::from_millis(40);

/// A server outside that answers every request with its name and what was asked for, until the test ends; for
/// `/sleep…` it takes a while.
fn outside(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { continue };
            std::thread::spawn(move || answer_all(&stream, name));
        }
    });
    address
}

fn answer_all(stream: &TcpStream, name: &str) {
    let mut lines = BufReader::new(stream).lines();
    while let Some(Ok(line)) = lines.next() {
        let heads: Vec<String> = lines
            .by_ref()
            .map_while(Result::ok)
            .take_while(|line| !line.is_empty())
            .collect();
        if line.starts_with("GET /sleep") {
            std::thread::park_timeout(WORK);
        }
        let body = format!("{name}\n{line}\n{}", heads.join("\n"));
        let mut writer = stream;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        if writer.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

/// A folder with a file for `wharf apply`.
struct File(tempfile::TempDir);

impl File {
    fn new(text: &str) -> Self {
        let file = Self(tempfile::tempdir().expect("a temporary directory"));
        file.write(text);
        file
    }

    fn write(&self, text: &str) {
        std::fs::write(self.0.path().join("edge.toml"), text).expect("written");
    }

    fn path(&self) -> String {
        self.0.path().join("edge.toml").display().to_string()
    }
}

#[test]
fn one_listener_shares_requests_among_services_and_targets_outside() {
    let server = Server::start();
    for name in ["red", "blue"] {
        server.wharf().ok(["deploy", Project::service(name, "").path()]);
    }
    let legacy = outside("legacy");
    let file = File::new(&format!(
        "[[target_group]]\nname = \"legacy\"\ntargets = [\"http://{legacy}\"]\n\
         [[route]]\nname = \"mixed\"\nhost = [\"mixed.test\"]\n\
         forward = [{{ service = \"red\", weight = 1 }}, {{ service = \"blue\", weight = 1 }}, {{ target_group = \"legacy\" }}]\n\
         [[route]]\nname = \"only-red\"\nhost = [\"red.test\"]\nforward = [{{ service = \"red\" }}, {{ service = \"blue\", weight = 0 }}]\n\
         [[route]]\nname = \"old\"\nhost = [\"mixed.test\"]\npath = [\"/old/*\"]\npriority = 10\n\
         redirect = {{ status = 308, host = \"new.test\", path = \"/#{{path}}\" }}\n\
         [[route]]\nname = \"noon\"\nhost = [\"mixed.test\"]\nheader = {{ x-closed = [\"yes\"] }}\npriority = 5\n\
         fixed = {{ status = 503, body = \"back at noon\" }}\nresponse_headers = {{ set = {{ retry-after = \"60\" }} }}\n\
         [[route]]\nname = \"rewritten\"\nhost = [\"legacy.test\"]\nforward = [{{ target_group = \"legacy\" }}]\n\
         rewrite = {{ path = {{ regex = \"^/v1/(.*)\", replace = \"/$1\" }} }}\n\
         request_headers = {{ set = {{ x-tier = \"gold\" }} }}\n"
    ));
    let applied = server.wharf().json(["apply", "-f", &file.path()]);
    assert_eq!(
        (&applied["created"], &applied["updated"]),
        (&6.into(), &0.into()),
        "{applied}"
    );
    assert!(applied["inForceAfterMs"].is_number(), "{applied}");

    let mut seen: HashMap<&str, u32> = HashMap::new();
    until("each has had a request", || {
        let body = server.get("mixed.test", "/env").body;
        let who = [
            "\"WHARF_SERVICE\":\"red\"",
            "\"WHARF_SERVICE\":\"blue\"",
            "legacy",
        ];
        let who = who
            .into_iter()
            .find(|who| body.contains(who))
            .expect("one of the three");
        *seen.entry(who).or_default() += 1;
        (seen.len() == 3).then_some(())
    });
    for _ in 0..20 {
        assert!(
            server
                .get("red.test", "/env")
                .body
                .contains("\"WHARF_SERVICE\":\"red\"")
        );
    }
    let moved = server.get("mixed.test", "/old/a?b=c");
    assert_eq!(moved.status, 308);
    assert_eq!(
        moved.header("location"),
        Some("http://new.test/old/a?b=c"),
        "{moved:?}"
    );
    let noon = server.send(Call::get("mixed.test", "/old/a").header("x-closed", "yes"));
    assert_eq!((noon.status, noon.body.as_str()), (503, "back at noon"));
    assert_eq!(noon.header("retry-after"), Some("60"));
    let rewritten = server.get("legacy.test", "/v1/cart?x=1").body;
    assert!(
        rewritten.contains("GET /cart?x=1 HTTP/1.1") && rewritten.contains("x-tier: gold"),
        "{rewritten}"
    );

    let again = server.wharf().json(["apply", "-f", &file.path()]);
    assert_eq!(
        (&again["unchanged"], &again["created"]),
        (&6.into(), &0.into()),
        "{again}"
    );
    let group = server.wharf().json(["describe", "target-group", "legacy"]);
    assert_eq!(group["targets"][0]["state"], "healthy", "{group}");
    let text = server.wharf().ok(["describe", "target-group", "legacy"]);
    assert!(
        text.contains(&format!("http://{legacy}")) && text.contains("mixed rewritten"),
        "{text}"
    );
    let listed = server.wharf().ok(["route", "list"]);
    for words in [
        "noon",
        "mixed.test",
        "answer 503",
        "redirect 308",
        "blue.localhost",
    ] {
        assert!(listed.contains(words), "{words} is missing in\n{listed}");
    }
    server
        .wharf()
        .call(["delete", "blue"])
        .failed_saying(1, &["route `mixed`", "service `blue`"]);
}

#[test]
fn a_service_brings_routes_and_target_groups_of_its_own() {
    let server = Server::start();
    let legacy = outside("legacy");
    let manifest = format!(
        "{}\n[service]\nstickiness = \"1h\"\n[[route]]\nname = \"api\"\nhost = [\"shop.test\"]\npath = [\"/api/*\"]\n\
         rewrite = {{ path = {{ regex = \"^/api(/.*)\", replace = \"$1\" }} }}\n\
         [[route]]\nhost = [\"shop.test\"]\nforward = [{{ target_group = \"legacy\" }}]\n\
         [[target_group]]\nname = \"legacy\"\ntargets = [\"http://{legacy}\"]\n",
        service("shop", "")
    );
    let project = Project::service("shop", "");
    project.write("wharf.toml", &manifest);
    server.wharf().ok(["deploy", project.path()]);
    let own = server.get("shop.test", "/api/ok");
    assert_eq!(own.body, "ok", "{own:?}");
    assert!(
        own.header("set-cookie")
            .is_some_and(|cookie| cookie.starts_with("WHARFLB")),
        "{own:?}"
    );
    assert!(server.get("shop.test", "/other").body.starts_with("legacy"));
    let text = server.wharf().ok(["describe", "route", "shop[api]"]);
    assert!(text.contains("service shop") && text.contains("/api/*"), "{text}");
    let groups = server.wharf().ok(["target-group", "list"]);
    assert!(
        groups.contains("legacy") && groups.contains("service shop"),
        "{groups}"
    );
}

#[test]
fn what_cannot_be_in_force_is_refused_naming_both_and_changes_nothing() {
    let server = Server::start();
    let route = |name: &str, rest: &str| {
        format!("[[route]]\nname = {name:?}\nfixed = {{ status = 200, body = {name:?} }}\n{rest}\n")
    };
    let file = File::new(&route("first", "host = [\"a.test\"]\npriority = 7"));
    server.wharf().ok(["apply", "-f", &file.path()]);
    file.write(
        &(route("fine", "host = [\"b.test\"]") + &route("second", "host = [\"c.test\"]\npriority = 7")),
    );
    server.wharf().call(["apply", "-f", &file.path()]).failed_saying(
        64,
        &["default/routes/first", "default/routes/second", "priority 7"],
    );
    assert_eq!(server.get("b.test", "/").status, 404);
    assert_eq!(server.get("a.test", "/").body, "first");

    file.write("[[route]]\nname = \"x\"\npriority = 0\nfixed = { status = 200 }\n[[route]]\nname = \"x\"\n");
    server
        .wharf()
        .call(["apply", "-f", &file.path()])
        .failed_saying(64, &["edge.toml:3:1:", "edge.toml:5:", "does nothing"]);
    file.write("name = \"api\"\n[task]\ncomponent = \"a.wasm\"\n");
    server
        .wharf()
        .call(["apply", "-f", &file.path()])
        .failed_saying(64, &["wharf deploy"]);
    server
        .wharf()
        .call(["route", "delete", "nobody"])
        .failed_saying(1, &["`nobody`", "wharf route list"]);
}

/// More than any other body of the API may have.
#[test]
fn ten_thousand_routes_of_a_file_are_applied_at_once() {
    let server = Server::start();
    let long = "x".repeat(450);
    let route = |at: usize| {
        format!(
            "[[route]]\nname = \"r{at}\"\nhost = [\"h{}.test\"]\npath = [\"/{at}\", \"/{at}/{long}\"]\n\
             fixed = {{ status = 200, body = \"{at}\" }}\n",
            at % 1000
        )
    };
    let file = File::new(&(0..10_000).map(route).collect::<String>());
    let applied = server.wharf().json(["apply", "-f", &file.path()]);
    assert_eq!(applied["created"], 10_000, "{applied}");
    assert!(applied["inForceAfterMs"].as_f64() > Some(0.0), "{applied}");
    for at in [0, 4_321, 9_999] {
        let host = format!("h{}.test", at % 1000);
        assert_eq!(server.get(&host, &format!("/{at}")).body, at.to_string());
    }
}

#[test]
fn what_was_applied_is_there_after_a_crash() {
    let server = Server::start();
    let address = address_of_its_own();
    let file = File::new(&format!(
        "[[listener]]\nname = \"second\"\naddress = \"{address}\"\n\
         [[route]]\nname = \"kept\"\nhost = [\"kept.test\"]\nfixed = {{ status = 200, body = \"kept\" }}\n"
    ));
    server.wharf().ok(["apply", "-f", &file.path()]);
    let data = server.data().to_owned();
    let _directory = server.kill();
    // Somebody else has the port now: the server starts without it, and says so.
    let held = TcpListener::bind(address).expect("it is free");
    let server = Server::start_on(&data);
    assert_eq!(server.get("kept.test", "/").body, "kept");
    let second = server.wharf().json(["describe", "listener", "second"]);
    assert!(
        second["error"]
            .as_str()
            .is_some_and(|error| error.contains(&address.to_string())),
        "{second}"
    );
    drop(held);
    until("it listens after all", || {
        let second = server.wharf().json(["describe", "listener", "second"]);
        (second["error"].is_null() && second["address"] == address.to_string()).then_some(())
    });
    let answer = crate::http::send(address, Call::get("kept.test", "/"));
    assert_eq!(answer.body, "kept");
}

#[test]
fn a_namespaces_token_applies_routes_for_its_own_hosts_and_no_listeners() {
    let server = Server::start();
    server.wharf().ok(["namespace", "create", "team"]);
    let token = server.wharf().in_namespace("team").json(["token", "create"]);
    let team = server
        .wharf()
        .in_namespace("team")
        .with_token(token["token"].as_str().expect("text"));
    let route = |host: &str| {
        format!("[[route]]\nname = \"r\"\nhost = [{host:?}]\nfixed = {{ status = 200, body = \"team\" }}\n")
    };
    let file = File::new(&route("team.test"));
    team.ok(["apply", "-f", &file.path()]);
    assert_eq!(server.get("team.test", "/").body, "team");
    server
        .wharf()
        .call(["apply", "-f", &file.path()])
        .failed_saying(64, &["edge.toml: route", "team.test", "another namespace"]);
    file.write(&route("api.localhost"));
    team.call(["apply", "-f", &file.path()])
        .failed_saying(64, &["edge.toml: route", "api.localhost"]);
    file.write("[[listener]]\nname = \"mine\"\naddress = \"127.0.0.1:0\"\n");
    team.call(["apply", "-f", &file.path()])
        .failed_saying(1, &["administrator"]);
    team.call(["listener", "list"])
        .failed_saying(1, &["administrator"]);
    server
        .wharf()
        .call(["namespace", "delete", "team"])
        .failed_saying(1, &["route `r`"]);
}

#[test]
fn what_is_counted_is_read_on_this_machine_or_with_a_token_for_it() {
    let server = Server::start();
    let file =
        File::new("[[route]]\nname = \"counted\"\nhost = [\"counted.test\"]\nfixed = { status = 204 }\n");
    server.wharf().ok(["apply", "-f", &file.path()]);
    for _ in 0..3 {
        assert_eq!(server.get("counted.test", "/").status, 204);
    }
    let text = until("three requests are counted", || {
        let text = crate::http::send(server.api, Call::get("api", "/metrics")).body;
        let is_counted = |line: &&str| line.contains("default/routes/counted") && line.ends_with(" 3");
        text.lines().find(is_counted).map(str::to_owned)
    });
    assert!(text.starts_with("wharf_"), "{text}");

    let metrics = |headers: &[(&str, &str)]| {
        let call = headers
            .iter()
            .fold(Call::get("api", "/metrics"), |call, (name, value)| {
                call.header(name, value)
            });
        crate::http::send(server.api, call).status
    };
    let created = server.wharf().json(["token", "create", "--metrics"]);
    let bearer = format!("Bearer {}", created["token"].as_str().expect("text"));
    let proxied = ("x-forwarded-for", "192.0.2.1");
    assert_eq!(metrics(&[proxied]), 401);
    for name in [
        "forwarded",
        "via",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-real-ip",
        "x-amzn-trace-id",
    ] {
        assert_eq!(metrics(&[(name, "somebody")]), 401, "{name}");
    }
    assert_eq!(metrics(&[proxied, ("authorization", &bearer)]), 200);
    // It opens nothing else.
    let only = server
        .wharf()
        .with_token(created["token"].as_str().expect("text"));
    only.call(["services"]).failed_saying(1, &["default"]);
    only.call(["listener", "list"])
        .failed_saying(1, &["administrator"]);
    let of_namespace = server.wharf().json(["token", "create"]);
    let bearer_of_namespace = format!("Bearer {}", of_namespace["token"].as_str().expect("text"));
    assert_eq!(metrics(&[proxied, ("authorization", &bearer_of_namespace)]), 403);
    let id = created["id"].as_str().expect("text");
    assert!(server.wharf().ok(["token", "list", "--metrics"]).contains(id));
    server.wharf().ok(["token", "revoke", "--metrics", id]);
    assert_eq!(metrics(&[proxied, ("authorization", &bearer)]), 401);
}
