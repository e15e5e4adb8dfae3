//! From an empty directory to a function that serves: `new`, `build` and `dev`. What is built here is one of the test
//! guests, copied by the manifest's own command; `cargo xtask templates` builds what the templates hold.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::http::{self, Call};
use crate::project::Guest;
use crate::server::DEADLINE;
use crate::wharf::{Ended, command};

/// A project that is built by a script of its own.
struct Workshop(tempfile::TempDir);

impl Workshop {
    fn new(guest: Guest, manifest: &str) -> Self {
        let workshop = Self(tempfile::tempdir().expect("a temporary directory"));
        workshop.write("wharf.toml", manifest);
        workshop.write(".gitignore", "/out\n");
        let copy = format!(
            "mkdir -p out && cp '{}' out/app.wasm\n",
            guest.component().display()
        );
        workshop.write("build.sh", &copy);
        workshop
    }

    fn service() -> Self {
        let manifest = "name = \"app\"\n[task]\ncomponent = \"out/app.wasm\"\nbuild = \"sh build.sh\"\nenv = { MARK = \"one\" }\n\
                        [service]\n";
        Self::new(Guest::Http, manifest)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("written");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).expect("read")
    }

    fn call(&self, words: &[&str]) -> Ended {
        let mut command = command();
        command.args(words).current_dir(self.path()).stdin(Stdio::null());
        Ended::of(command.output().expect("wharf starts"))
    }
}

#[test]
fn a_new_project_is_written_whole_and_never_over_another() {
    let home = tempfile::tempdir().unwrap();
    let new = |words: &[&str]| {
        let mut command = command();
        command
            .arg("new")
            .args(words)
            .current_dir(home.path())
            .stdin(Stdio::null());
        Ended::of(command.output().unwrap())
    };
    let made = new(&["api"]);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.stdout.contains("cd api && wharf dev"), "{made:?}");
    for file in [
        "Cargo.toml",
        "Cargo.lock",
        "wharf.toml",
        "src/lib.rs",
        ".gitignore",
        "vendor/wharf-sdk/src/lib.rs",
    ] {
        assert!(home.path().join("api").join(file).is_file(), "{file}");
    }
    let again = new(&["api", "--template", "job-rust"]);
    assert_eq!(again.code, 2, "{again:?}");
    assert!(
        again.stderr.contains("api is there already and not empty"),
        "{again:?}"
    );
    let made = new(&["nightly", "--template", "job-rust", "--path", "jobs/nightly"]);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(home.path().join("jobs/nightly/src/main.rs").is_file());
    // Nobody is there to be asked.
    let unnamed = new(&[]);
    assert_eq!(unnamed.code, 2, "{unnamed:?}");
    assert!(unnamed.stderr.contains("wharf new api"), "{unnamed:?}");
    let misnamed = new(&["Match"]);
    assert_eq!(misnamed.code, 2, "{misnamed:?}");
}

#[test]
fn a_build_says_what_came_of_it_and_what_to_do_where_nothing_did() {
    let workshop = Workshop::service();
    let built = workshop.call(&["build"]);
    assert_eq!(built.code, 0, "{built:?}");
    assert!(
        built.stdout.contains("out/app.wasm: ") && built.stdout.contains("it answers requests"),
        "{built:?}"
    );

    workshop.write(
        "build.sh",
        "echo 'error: the `wasm32-wasip2` target may not be installed' >&2; exit 101\n",
    );
    let failed = workshop.call(&["build"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.stderr.contains("exit code 101"), "{failed:?}");
    assert!(
        failed.stderr.contains("rustup target add wasm32-wasip2"),
        "{failed:?}"
    );

    workshop.write("build.sh", "rm -rf out\n");
    let nothing = workshop.call(&["build"]);
    assert_eq!(nothing.code, 64, "{nothing:?}");
    assert!(
        nothing.stderr.contains("out/app.wasm is not there"),
        "{nothing:?}"
    );

    // The smallest core module.
    workshop.write(
        "build.sh",
        "mkdir -p out && printf '\\000asm\\001\\000\\000\\000' > out/app.wasm\n",
    );
    let core = workshop.call(&["build"]);
    assert_eq!(core.code, 64, "{core:?}");
    assert!(core.stderr.contains("a core WebAssembly module"), "{core:?}");

    workshop.write(
        "wharf.toml",
        "name = \"app\"\n[task]\ncomponent = \"app.wasm\"\n[service]\n",
    );
    let without = workshop.call(&["build"]);
    assert_eq!(without.code, 64, "{without:?}");
    assert!(without.stderr.contains("has no `build`"), "{without:?}");
}

#[test]
fn a_change_takes_over_without_losing_a_request_and_a_broken_one_changes_nothing() {
    let workshop = Workshop::service();
    let mut dev = Dev::start(&workshop);
    let first = dev.until_told("app:1 serves");
    let url = Url::at_the_end(&first);
    assert_eq!(mark(&url), "one");
    // The request, with what it took.
    let request = dev.until_shown("GET    /env");
    assert!(
        request.contains("  200  ") && request.contains(" ms  cpu ") && request.contains("  memory "),
        "{request}"
    );

    let manifest = workshop.read("wharf.toml").replace("\"one\"", "\"two\"");
    workshop.write("wharf.toml", &manifest);
    let until = Instant::now() + DEADLINE;
    while mark(&url) != "two" {
        assert!(Instant::now() < until, "the change never took over");
    }

    let builds = workshop.read("build.sh");
    workshop.write("build.sh", "echo 'error: this does not compile' >&2; exit 1\n");
    dev.until_told("error: this does not compile");
    dev.until_told("What ran before goes on");
    assert_eq!(mark(&url), "two");
    workshop.write("build.sh", &builds);
    dev.until_told("built in");
    assert_eq!(mark(&url), "two");
    assert_eq!(dev.stop(), 0);
}

#[test]
fn a_job_is_run_after_every_change() {
    let manifest = "name = \"work\"\n[task]\ncomponent = \"out/app.wasm\"\nbuild = \"sh build.sh\"\nargs = [\"exit\", \"0\"]\n[job]\n";
    let workshop = Workshop::new(Guest::Command, manifest);
    let mut dev = Dev::start(&workshop);
    dev.until_told("work/1 succeeded: exit code 0");
    workshop.write("wharf.toml", &manifest.replace("\"0\"", "\"1\""));
    dev.until_told("work/2 failed: exit code 1");
    assert_eq!(dev.stop(), 0);
}

/// What the guest finds in its environment; every request has to be answered.
fn mark(url: &Url) -> String {
    let answer = http::send(url.address, Call::get(&url.host, "/env"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["MARK"].as_str().expect("a text").to_owned()
}

/// Where a service answers.
struct Url {
    address: SocketAddr,
    host: String,
}

impl Url {
    /// That at the end of a line.
    fn at_the_end(line: &str) -> Self {
        let host = line.rsplit_once("http://").expect("a URL").1.trim();
        let port = host.rsplit_once(':').expect("a port").1;
        Self {
            address: format!("127.0.0.1:{port}").parse().expect("an address"),
            host: host.to_owned(),
        }
    }
}

/// `wharf dev`, and what it says.
struct Dev {
    process: Child,
    told: Receiver<String>,
    shown: Receiver<String>,
}

impl Dev {
    fn start(workshop: &Workshop) -> Self {
        let mut command = command();
        command
            .args(["dev", "--http", "127.0.0.1:0", "--api", "127.0.0.1:0"])
            .current_dir(workshop.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().expect("wharf starts");
        let told = lines(process.stderr.take().expect("piped"));
        let shown = lines(process.stdout.take().expect("piped"));
        Self { process, told, shown }
    }

    /// The next line on standard error that has this.
    fn until_told(&mut self, what: &str) -> String {
        until(&self.told, what)
    }

    /// The next line on standard output that has this.
    fn until_shown(&mut self, what: &str) -> String {
        until(&self.shown, what)
    }

    /// Its exit code once Ctrl-C was typed.
    fn stop(&mut self) -> i32 {
        let id = i32::try_from(self.process.id()).expect("an id");
        kill_process(Pid::from_raw(id).expect("an id"), Signal::INT).expect("it runs");
        self.process.wait().expect("it ends").code().expect("by itself")
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // Has ended already, where the test went well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (send, lines) = channel();
    std::thread::spawn(move || {
        let all = BufReader::new(from).lines().map_while(Result::ok);
        // The test may have seen enough.
        all.for_each(|line| drop(send.send(line)));
    });
    lines
}

fn until(lines: &Receiver<String>, what: &str) -> String {
    let until = Instant::now() + DEADLINE;
    let mut before = Vec::new();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match lines.recv_timeout(left) {
            Ok(line) if line.contains(what) => return line,
            Ok(line) => before.push(line),
            Err(_) => panic!("{what:?} was never said; before: {before:#?}"),
        }
    }
}
