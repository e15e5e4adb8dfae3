//! What is shown of a definition, and of names that nothing has.

use crate::project::{Project, service};
use crate::server::Server;

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
