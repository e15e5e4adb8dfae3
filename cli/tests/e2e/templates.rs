//! What `wharf new` writes builds, passes its own tests, and runs: with real compilers, so with patience.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::guest_toolchain::GuestToolchain;
use crate::server::Server;
use crate::wharf::{Ended, command};

/// A new project.
struct New {
    home: tempfile::TempDir,
}

impl New {
    /// What is compiled for it stays where the examples' is: most of it is the same.
    fn project(template: &str) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        let mut new = command();
        new.args(["new", "my-app", "--template", template])
            .current_dir(home.path());
        let made = Ended::of(new.output().expect("wharf starts"));
        assert_eq!(made.code, 0, "{made:?}");
        let compiled = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/target");
        let project = Self { home };
        std::os::unix::fs::symlink(compiled, project.path().join("target")).expect("linked");
        project
    }

    fn path(&self) -> PathBuf {
        self.home.path().join("my-app")
    }

    fn call(&self, mut command: Command) {
        command.current_dir(self.path()).env_remove("CARGO_TARGET_DIR");
        let ended = Ended::of(command.output().expect("it starts"));
        assert_eq!(ended.code, 0, "{ended:?}");
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
}

#[test]
fn a_new_function_is_tested_built_and_answers() {
    let project = New::project("http-rust");
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
    let project = New::project("job-rust");
    project.make();
    let server = Server::start();
    let wharf = server.wharf();
    let said = wharf.ok(["run".as_ref(), project.path().as_os_str()]);
    assert_eq!(said, "hello, world\n");
}
