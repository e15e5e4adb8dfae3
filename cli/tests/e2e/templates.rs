//! What `wharf new` writes builds, passes its own tests, and runs: with real compilers, so with patience. Those in
//! JavaScript and Python take packages from their languages' registries.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::guest_toolchain::GuestToolchain;
use crate::http::Call;
use crate::project::Project;
use crate::server::Server;
use crate::wharf::{Ended, command};

/// A new project.
struct New {
    home: tempfile::TempDir,
}

impl New {
    /// What is compiled for it stays where the examples' is: most of it is the same.
    fn in_rust(template: &str) -> Self {
        let project = Self::project(template);
        let compiled = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/target");
        std::os::unix::fs::symlink(compiled, project.path().join("target")).expect("linked");
        project
    }

    fn project(template: &str) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        let mut new = command();
        new.args(["new", "my-app", "--template", template])
            .current_dir(home.path());
        let made = Ended::of(new.output().expect("wharf starts"));
        assert_eq!(made.code, 0, "{made:?}");
        Self { home }
    }

    fn path(&self) -> PathBuf {
        self.home.path().join("my-app")
    }

    fn call(&self, mut command: Command) -> Ended {
        command.current_dir(self.path()).env_remove("CARGO_TARGET_DIR");
        let started = command.output();
        let ended = Ended::of(started.unwrap_or_else(|error| {
            panic!("{command:?}: {error}: the templates' tests need Node.js 20 with npm, and Python 3.10 with venv")
        }));
        assert_eq!(ended.code, 0, "{ended:?}");
        ended
    }

    /// Its own tests, natively, and the component.
    fn make(&self) {
        let mut test = Command::new("cargo");
        test.arg("test");
        self.call(test);
        let mut build = command();
        build.arg("build");
        GuestToolchain::find()
            .expect("`cargo xtask guests` finds one")
            .apply(&mut build);
        self.call(build);
    }

    /// Puts a test of what it has of Wharf among its own.
    fn add(&self, test: &str, folder: &str) {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/templates");
        std::fs::copy(kept.join(test), self.path().join(folder).join(test)).expect("copied");
    }

    /// Builds the component, and again: what is installed once isn't the second time, as `sign` in what the installer
    /// says tells.
    fn build_twice(&self, sign: &str) {
        for installs in [true, false] {
            let mut build = command();
            build.arg("build");
            let ended = self.call(build);
            assert_eq!(ended.stderr.contains(sign), installs, "{ended:?}");
        }
    }

    /// Deploys it while a service of the same server is asked without a pause.
    fn deploy_beside_a_busy_service(&self, server: &Server) {
        let busy = Project::service("busy", "");
        server.wharf().ok(["deploy", busy.path()]);
        let deployed = AtomicBool::new(false);
        let asked = thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let mut statuses = Vec::new();
                while !deployed.load(Ordering::Relaxed) {
                    statuses.push(server.get("busy.localhost", "/ok").status);
                }
                statuses
            });
            let deploying = server.wharf().call(["deploy".as_ref(), self.path().as_os_str()]);
            deployed.store(true, Ordering::Relaxed);
            assert_eq!(deploying.code, 0, "{deploying:?}");
            asking.join().expect("it asks")
        });
        let failed: Vec<&u16> = asked.iter().filter(|status| **status != 200).collect();
        assert!(
            !asked.is_empty() && failed.is_empty(),
            "{failed:?} of {}",
            asked.len()
        );
    }
}

#[test]
fn a_new_function_is_tested_built_and_answers() {
    let project = New::in_rust("http-rust");
    project.make();
    let server = Server::start();
    let wharf = server.wharf();
    wharf.ok(["deploy".as_ref(), project.path().as_os_str()]);
    let host = "my-app.localhost";
    let answer = server.get(host, "/");
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello, world\n"));
    let answer = server.get(host, "/hello/Ada");
    assert_eq!(answer.json()["greeting"], "hello, Ada");
    assert_eq!(server.get(host, "/health").status, 200);
}

#[test]
fn a_new_job_is_tested_built_and_runs() {
    let project = New::in_rust("job-rust");
    project.make();
    let server = Server::start();
    let wharf = server.wharf();
    let said = wharf.ok(["run".as_ref(), project.path().as_os_str()]);
    assert_eq!(said, "hello, world\n");
}

/// What either language's function does, and writes to its log.
fn greets(server: &Server) {
    let host = "my-app.localhost";
    let answer = server.get(host, "/");
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello, world\n"));
    let answer = server.get(host, "/hello/Ada%20L");
    assert_eq!(answer.json()["greeting"], "hello, Ada L");
    assert_eq!(server.get(host, "/nowhere").status, 404);
    let post = Call {
        method: "POST",
        ..Call::get(host, "/")
    };
    assert_eq!(server.send(post).status, 405);
    let log = server.wharf().ok(["logs", "my-app", "-o", "json"]);
    let line = log.lines().find(|line| line.contains("greeted")).expect("a line");
    let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(line["stream"], "stderr");
    let event = line["message"].as_str().expect("a text");
    let event: serde_json::Value = serde_json::from_str(event).expect("JSON");
    assert_eq!(
        (&event["level"], &event["message"]),
        (&"info".into(), &"greeted".into())
    );
    assert_eq!(event["fields"]["name"], "Ada L");
    assert!(
        event["requestId"].is_string() && event["traceId"].is_string(),
        "{event}"
    );
}

#[test]
fn a_new_function_in_javascript_is_tested_built_and_answers() {
    let project = New::project("http-js");
    project.add("wharf.test.js", "test");
    let mut test = Command::new("npm");
    test.arg("test");
    project.call(test);
    project.build_twice("added ");
    let server = Server::start();
    project.deploy_beside_a_busy_service(&server);
    greets(&server);
}

#[test]
fn a_new_function_in_python_is_tested_built_and_answers() {
    let project = New::project("http-python");
    project.add("test_wharf.py", "tests");
    let mut test = Command::new("python3");
    test.args(["-m", "unittest"]);
    project.call(test);
    project.build_twice("installing requirements.txt");
    let server = Server::start();
    project.deploy_beside_a_busy_service(&server);
    greets(&server);
}
