//! What is shown of a definition, and of names that nothing has.

use serde_json::Value;

use crate::project::{Project, service};
use crate::server::{Server, until};

#[test]
fn describe_shows_all_that_a_definition_says() {
    let server = Server::start();
    let manifest = format!(
        "{}\n[health]\npath = \"/ok\"\ninterval = \"500ms\"\n[[route]]\npriority = 7\n\
         host = [\"a.example.com\"]\npath = [\"/v1/*\"]\n",
        service(
            "web",
            "timeout = \"20s\"\ncpu_timeout = \"2s\"\nstop_timeout = \"90s\"\nisolation = \"task\"\n\
             max_requests = 50\nconcurrency = 8\nqueue = 3\ncpu_burst = true\n\
             egress = [\"https://api.example.com\"]\n\
             files = [{ source = \"static\", mount = \"/static\" }]"
        )
    );
    let project = Project::service("web", "");
    project.write("wharf.toml", &manifest);
    project.write("static/a.txt", "a");
    server.wharf().ok(["deploy", project.path()]);
    let text = server.wharf().ok(["describe", "task-definition", "web"]);
    for line in [
        "with burst",
        "20s",
        "2s",
        "90s",
        "task, 50 requests an instance",
        "8 at once, 3 waiting",
        "https://api.example.com",
        "/static (1 file)",
        "host a.example.com and path /v1/* → forward to service web (priority 7)",
        "GET /ok every 500ms, within 1s, 200-399 pass",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    let json = server.wharf().json(["describe", "task-definition", "web:1"]);
    assert_eq!(
        (&json["timeoutMs"], &json["isolation"], &json["queue"]),
        (&20_000.into(), &"task".into(), &3.into())
    );
    assert_eq!(json["routes"][0]["priority"], 7);
    assert_eq!(json["health"]["check"]["intervalMs"], 500);
}

#[test]
fn describe_shows_the_runs_of_a_job() {
    let server = Server::start();
    let project = Project::job("work", r#"["print", "1"]"#);
    server.wharf().ok(["run", project.path()]);
    let failed = server.wharf().call(["run", "work", "--", "exit", "7"]);
    assert_eq!(failed.code, 7, "{failed:?}");
    let text = server.wharf().ok(["describe", "job", "work"]);
    let mut lines = text.lines().skip_while(|line| *line != "Runs").skip(1);
    let columns = |line: Option<&str>| -> Vec<String> {
        let columns = line.unwrap_or_default().split("  ").map(str::trim);
        columns
            .filter(|column| !column.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let header = columns(lines.next());
    let age = header.iter().position(|column| column == "AGE").expect("an AGE");
    let mut rows = [columns(lines.next()), columns(lines.next())];
    for row in &mut rows {
        // However long it took.
        row.remove(age);
    }
    rows.sort();
    assert_eq!(
        header.join(" | "),
        "RUN | RUNS | STATE | SUCCEEDED | ACTIVE | FAILED ATTEMPTS | EXIT | AGE | REASON"
    );
    assert_eq!(
        rows.map(|row| row.join(" | ")),
        [
            "work/1 | work:1 | SUCCEEDED | 1 of 1 | 0 | 0 | 0",
            "work/2 | work:1 | FAILED | 0 of 1 | 0 | 1 | 7 | exited with code 7",
        ],
        "{text}"
    );
}

#[test]
fn a_name_that_nothing_has_has_no_events_and_no_log() {
    let server = Server::start();
    server
        .wharf()
        .ok(["deploy", Project::service("weather", "").path()]);
    for command in ["events", "logs"] {
        server
            .wharf()
            .call([command, "wether"])
            .failed_saying(1, &["`wether`", "did you mean `weather`?"]);
        server
            .wharf()
            .call([command, "zzz", "-f"])
            .failed_saying(1, &["`zzz`", "wharf services"]);
    }
    assert!(
        server
            .wharf()
            .ok(["events", "weather"])
            .contains("deployment completed")
    );
    assert_eq!(server.wharf().ok(["logs", "weather"]), "");
}

#[test]
fn capacity_shows_who_holds_what_and_who_waits() {
    let server = Server::start();
    server.wharf().ok([
        "deploy",
        Project::service("web", "cpu = 512\nmemory = \"64MiB\"").path(),
        "--count",
        "2",
    ]);
    server
        .wharf()
        .ok(["deploy", Project::service("small", "cpu = 16").path()]);
    let shown = server.wharf().json(["capacity"]);
    assert_eq!(shown["reserved"]["cpu"], 2 * 512 + 16, "{shown}");
    assert_eq!(
        shown["limit"]["cpu"].as_u64(),
        shown["host"]["cpu"].as_u64().map(|cpu| cpu * 16)
    );
    let web = &shown["holders"][0];
    assert_eq!(
        (&web["group"], &web["tasks"]),
        (&"service:web".into(), &2.into()),
        "{shown}"
    );
    assert_eq!(web["reserved"]["memoryBytes"], (2 * 64) << 20, "{shown}");
    assert_eq!(
        (&shown["holdersInAll"], &shown["pendingInAll"]),
        (&2.into(), &0.into())
    );
    let apart = server.wharf().json(["capacity", "--tasks"]);
    assert_eq!(apart["holdersInAll"], 3, "{apart}");

    // More than fits.
    let limit = shown["limit"]["cpu"].as_u64().expect("a number");
    let more = (limit / 512 + 2).to_string();
    server.wharf().ok(["scale", "web", &more]);
    let text = until("what doesn't fit waits", || {
        let text = server.wharf().ok(["capacity"]);
        text.contains("not enough").then_some(text)
    });
    for word in ["RESERVED", "USED", "HOLDER", "service:web", "PENDING", "REASON"] {
        assert!(text.contains(word), "{word} in {text}");
    }
    // Another namespace's token sees what the host has, and nothing of others.
    server.wharf().ok(["namespace", "create", "other"]);
    let created = server.wharf().in_namespace("other").json(["token", "create"]);
    let token = created["token"].as_str().expect("a secret");
    let other = server.wharf().with_token(token).json(["capacity"]);
    assert_eq!(
        (&other["holdersInAll"], &other["pendingInAll"]),
        (&0.into(), &0.into()),
        "{other}"
    );
    assert_eq!(other["limit"], shown["limit"]);
}

#[test]
fn ps_of_an_unknown_name_says_so_and_succeeds() {
    let server = Server::start();
    let ended = server.wharf().call(["ps", "nobody"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{ended:?}");
    assert!(ended.stderr.contains("nothing is known of `nobody`"), "{ended:?}");
    let ended = server.wharf().call(["ps", "nobody", "-o", "json"]);
    let listed: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(listed["tasks"], Value::Array(Vec::new()));
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "a program asked");
    // A service that has none is known.
    server
        .wharf()
        .ok(["deploy", Project::service("web", "").path(), "--count", "0"]);
    let ended = server.wharf().call(["ps", "web"]);
    assert!(
        ended.code == 0 && !ended.stderr.contains("nothing is known"),
        "{ended:?}"
    );
}
