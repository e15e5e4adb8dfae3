//! A `wharf serve` process of a test's own.

use std::io::{BufRead as _, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use crate::http::{self, Answer, Call};
use crate::wharf::{self, Wharf};

/// How long anything may take before a test gives up on it: far above what it takes on a slow, busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(40);

/// A running server. Dropping it kills the process.
pub(crate) struct Server {
    process: Child,
    data: PathBuf,
    pub(crate) api: SocketAddr,
    pub(crate) http: SocketAddr,
    /// Whether the directory is this server's own to remove.
    directory: Option<tempfile::TempDir>,
}

impl Server {
    /// Start on an empty data directory.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut server = Self::start_on(&directory.path().join("data"));
        server.directory = Some(directory);
        server
    }

    /// Start on a data directory that stays.
    pub(crate) fn start_on(data: &Path) -> Self {
        Self::spawn(command(data), Stdio::inherit(), data)
    }

    /// Start on a data directory that stays, serving requests at this address.
    pub(crate) fn start_at(data: &Path, http: SocketAddr) -> Self {
        let mut serve = wharf::command();
        serve.args([
            "serve",
            "--api",
            "127.0.0.1:0",
            "--http",
            &http.to_string(),
            "--data",
        ]);
        serve.arg(data).env("WHARF_LOG", "warn,text");
        Self::spawn(serve, Stdio::inherit(), data)
    }

    /// Start on a data directory that stays, with what the server says about itself in a file.
    pub(crate) fn start_logging(data: &Path, filter: &str, log: std::fs::File) -> Self {
        let mut serve = command(data);
        serve.env("WHARF_LOG", filter);
        Self::spawn(serve, log.into(), data)
    }

    /// Start on an empty data directory, from a shell that does this first.
    pub(crate) fn start_after(prelude: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let data = directory.path().join("data");
        let serve = command(&data);
        let mut shell = Command::new("/bin/sh");
        shell
            .arg("-c")
            .arg(format!("{prelude}; exec \"$0\" \"$@\""))
            .arg(serve.get_program())
            .args(serve.get_args());
        for (name, value) in serve.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let mut server = Self::spawn(shell, Stdio::inherit(), &data);
        server.directory = Some(directory);
        server
    }

    fn spawn(mut command: Command, log: Stdio, data: &Path) -> Self {
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("wharf starts");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let mut address = |name: &str| loop {
            let line = lines
                .next()
                .expect("the server says its addresses")
                .expect("readable");
            if let Some(url) = line.strip_prefix(name) {
                break url
                    .trim()
                    .strip_prefix("http://")
                    .expect("a URL")
                    .parse()
                    .expect("an address");
            }
        };
        let (api, http) = (address("API"), address("HTTP"));
        // What else it says is read, so that it never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            process,
            data: data.to_owned(),
            api,
            http,
            directory: None,
        }
    }

    /// A second server on the same data directory: what it says, and how it ends.
    pub(crate) fn start_another(data: &Path) -> wharf::Ended {
        let mut second = command(data);
        wharf::Ended::of(second.stdin(Stdio::null()).output().expect("wharf starts"))
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// The command line, as the administrator on this machine.
    pub(crate) fn wharf(&self) -> Wharf {
        Wharf::new(self.api, &self.data)
    }

    /// A request to the gateway, for a host.
    pub(crate) fn get(&self, host: &str, path: &str) -> Answer {
        self.send(Call::get(host, path))
    }

    pub(crate) fn send(&self, call: Call<'_>) -> Answer {
        http::send(self.http, call)
    }

    /// Files of the server may grow to this many bytes and no further: as on a disk that is full.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) {
        let limit = Rlimit {
            current: bytes,
            maximum: None,
        };
        prlimit(Some(id(&self.process)), Resource::Fsize, limit).expect("a limit of a child");
    }

    /// As `kill -9` does.
    pub(crate) fn kill(mut self) -> Option<tempfile::TempDir> {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it is our child");
        self.directory.take()
    }

    /// As an init system does; waits for the end.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        signal(&self.process, Signal::TERM);
        let ended = until("the server ends", || {
            self.process.try_wait().expect("it is our child")
        });
        drop(self.directory.take());
        ended
    }
}

/// Send a signal to a child, by its id.
pub(crate) fn signal(child: &Child, signal: Signal) {
    kill_process(id(child), signal).expect("it runs");
}

/// An address that nobody else takes, whether a server has it just now or not: all of 127.0.0.0/8 is this machine,
/// and each process of the tests has a part of its own.
pub(crate) fn address_of_its_own() -> SocketAddr {
    static PORTS: AtomicU16 = AtomicU16::new(20_000);
    // Process ids have 22 bits at most; 127.0.0.1 and what is near it are others'.
    let host = (127 << 24) | (1 << 23) | std::process::id();
    SocketAddr::from((Ipv4Addr::from_bits(host), PORTS.fetch_add(1, Ordering::Relaxed)))
}

fn id(child: &Child) -> Pid {
    let id = i32::try_from(child.id()).expect("a process id");
    Pid::from_raw(id).expect("a process id")
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails where it has ended already, which is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(data: &Path) -> Command {
    let mut command = wharf::command();
    command
        .args(["serve", "--api", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"])
        .arg(data);
    command.env("WHARF_LOG", "warn,text");
    command
}

/// Ask until there is an answer; the test fails after [`DEADLINE`].
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {DEADLINE:?} in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Read a stream to its end on a thread of its own.
pub(crate) fn read_all(mut stream: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("UTF-8");
        text
    })
}
