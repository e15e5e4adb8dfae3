//! What `kill -9` and a second server do: nothing.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use rustix::process::{Pid, Signal, getpid, kill_process};

use crate::project::Project;
use crate::server::{Server, address_of_its_own, until};

#[test]
fn a_killed_server_brings_everything_back() {
    let server = Server::start();
    let data = server.data().to_owned();
    server.wharf().with_input(["secret", "set", "key"], "kept");
    let project = Project::service("web", "secrets = { KEY = \"key\" }");
    server.wharf().ok(["deploy", project.path(), "--count", "2"]);
    let _directory = server.kill();

    let server = Server::start_on(&data);
    let answer = until("it answers again", || {
        Some(server.get("web.localhost", "/env")).filter(|answer| answer.status == 200)
    });
    assert_eq!(answer.json()["KEY"], "kept");
    until("both tasks are back", || {
        let service = server.wharf().json(["describe", "service", "web"])["service"].clone();
        (service["runningCount"] == 2).then_some(())
    });
    assert_eq!(
        server.wharf().json(["deploy", project.path(), "--count", "2"])["unchanged"],
        true
    );
}

#[test]
fn a_restarted_server_knows_its_services_before_it_answers() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data = directory.path().join("data");
    let http = address_of_its_own();
    let server = Server::start_at(&data, http);
    server.wharf().ok(["deploy", Project::service("web", "").path()]);
    drop(server);
    let asking = std::thread::spawn(move || until("the first answer", || first_answer(http)));
    let _server = Server::start_at(&data, http);
    let first = asking.join().expect("it doesn't panic");
    assert!(
        first.starts_with("HTTP/1.1 200") || first.starts_with("HTTP/1.1 503"),
        "{first}"
    );
}

fn first_answer(http: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(http).ok()?;
    stream
        .write_all(b"GET /ok HTTP/1.1\r\nHost: web.localhost\r\nConnection: close\r\n\r\n")
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    (!answer.is_empty()).then_some(answer)
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let server = Server::start();
    let second = Server::start_another(server.data());
    let data = server.data().display().to_string();
    second.failed_saying(1, &[&data]);
    assert!(server.terminate().success());
}

#[test]
fn a_server_killed_while_it_compiles_leaves_neither_half_of_it_nor_a_compiler() {
    let server = Server::start();
    let data = server.data().to_owned();
    let project = Project::service("web", "");
    let mut deploying = server.wharf().spawn(["deploy", project.path()]);
    // Stopped half-way, it can't end by itself.
    let compiler = until("a compiler is at work", || Compiler::stop_one(&data));
    let _directory = server.kill();
    deploying.kill().expect("our child");
    deploying.wait().expect("our child");
    until("the compiler has gone with its server", || {
        compiler.has_gone().then_some(())
    });
    let finished: Vec<_> = cached(&data)
        .into_iter()
        .filter(|file| !file.starts_with(".draft-"))
        .collect();
    assert!(finished.is_empty(), "{finished:?}");

    let server = Server::start_on(&data);
    server.wharf().ok(["deploy", project.path()]);
    assert_eq!(server.get("web.localhost", "/ok").status, 200);
    let left: Vec<_> = cached(&data)
        .into_iter()
        .filter(|file| file.starts_with(".draft-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The names of the files in the cache of compiled code.
fn cached(data: &Path) -> Vec<String> {
    let engines = fs::read_dir(data.join("cache")).into_iter().flatten().flatten();
    let files = engines.flat_map(|engine| fs::read_dir(engine.path()).into_iter().flatten().flatten());
    files
        .map(|file| file.file_name().to_string_lossy().into_owned())
        .collect()
}

/// The largest niceness there is.
const LEAST_PRIORITY: i32 = 19;

/// A compiler that was stopped at its work. Dropping it kills it, should it still be there.
struct Compiler(Pid);

impl Compiler {
    /// Stops the one that writes into this data directory, if one has begun.
    fn stop_one(data: &Path) -> Option<Self> {
        let found = fs::read_dir("/proc").expect("Linux").flatten().find(|process| {
            let arguments = fs::read(process.path().join("cmdline")).unwrap_or_default();
            let arguments = String::from_utf8_lossy(&arguments);
            arguments.contains("__compile") && arguments.contains(data.to_str().expect("UTF-8"))
        })?;
        let id = Pid::from_raw(found.file_name().to_str()?.parse().ok()?)?;
        // Its limits are on when its priority is low: lower than this one's, which may be low itself.
        let niceness = |id: Pid| stat(id, 16)?.parse::<i32>().ok();
        let has_begun = niceness(id)? >= (niceness(getpid())? + 10).min(LEAST_PRIORITY);
        if !has_begun || kill_process(id, Signal::STOP).is_err() {
            return None;
        }
        let compiler = Self(id);
        (!compiler.has_gone()).then_some(compiler)
    }

    /// Whether it is not there any more, but for its remains until somebody asks for them.
    fn has_gone(&self) -> bool {
        stat(self.0, 0).is_none_or(|state| state == "Z")
    }
}

impl Drop for Compiler {
    fn drop(&mut self) {
        if !self.has_gone() {
            // It may go just now, which is as good.
            let _ = kill_process(self.0, Signal::KILL);
        }
    }
}

/// What the kernel says of a process, counted from its state on.
fn stat(id: Pid, field: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", id.as_raw_nonzero())).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split_whitespace().nth(field).map(str::to_owned)
}
