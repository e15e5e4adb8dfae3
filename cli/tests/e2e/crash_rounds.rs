//! Rounds of `kill -9` at a random moment, while deployments, counts, runs, stops, secrets and data are asked for all at once: what
//! was acknowledged is there afterwards, nothing that ran runs again as itself, and everything comes to rest.
//!
//! `WHARF_CRASH_ROUNDS` says how many rounds ([`ROUNDS`] without it), `WHARF_CRASH_SEED` which moments: each run prints
//! its own. What the server is doing at such a moment is the machine's affair, so a seed makes a failure likely again,
//! not certain.

mod asked;
mod rest;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use self::asked::{Asked, Client};
use crate::project::{Guest, Project};
use crate::server::Server;

/// Enough to see that it works, in half a minute.
const ROUNDS: u64 = 8;

/// The longest a server lives that is asked for things: several of each kind, and a deployment or two to its end.
const LIFE: Duration = Duration::from_millis(1500);

/// The longest a server lives of which nobody asks anything: it is still finding out what was.
const SHORT_LIFE: Duration = Duration::from_millis(300);

/// How many tasks the service has, by what its count was asked for with.
const fn count_of(number: u64) -> u64 {
    1 + number % 3
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "which rounds these were, for who sees one fail"
)]
fn nothing_acknowledged_is_lost_however_often_the_server_is_killed() {
    let rounds = setting("WHARF_CRASH_ROUNDS").unwrap_or(ROUNDS);
    let seed =
        setting("WHARF_CRASH_SEED").unwrap_or_else(|| jiff::Timestamp::now().as_millisecond().unsigned_abs());
    println!("{rounds} rounds: repeat them with WHARF_CRASH_ROUNDS={rounds} WHARF_CRASH_SEED={seed}");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data = directory.path().join("data");
    let mut random = Random(seed);
    let mut history = History::begin(&data);
    for round in 1..=rounds {
        let at = history.round(&data, &mut random);
        println!("round {round}: killed after {at:?}; {history}");
    }
    history.check(&Server::start_on(&data));
    history.asked.check_all_were_acknowledged();
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is {text:?}: a number is wanted")),
    )
}

/// What has been asked for and seen since the first round.
struct History {
    asked: Asked,
    /// Tasks of the service that have run, and never shall again once the server was killed.
    ran: BTreeSet<String>,
    /// Attempts of runs that have said so.
    said: BTreeSet<String>,
    /// Since when nothing of what the job's tasks wrote was read.
    since: jiff::Timestamp,
}

impl History {
    /// Sets the scene: a service that tells its version and its secret, and a job that tells who it is.
    fn begin(data: &Path) -> Self {
        let server = Server::start_on(data);
        let wharf = server.wharf();
        wharf.with_input(["secret", "set", "key"], "0");
        let web = Project::service("web", "secrets = { KEY = \"key\" }\nenv = { VERSION = \"0\" }");
        wharf.ok(["deploy", web.path()]);
        let notes = "name = \"notes\"\n[task]\ncomponent = \"app.wasm\"\n";
        wharf.ok(["deploy", Project::new(Guest::KeyValue, notes).path()]);
        let work = "name = \"work\"\n[task]\ncomponent = \"app.wasm\"\nargs = [\"env\"]\n\
                    [job]\nretries = 50\nbackoff = \"0s\"\nhistory = 100\n";
        wharf.ok(["run", Project::new(Guest::Command, work).path()]);
        let defined = |name| wharf.json(["describe", "task-definition", name]);
        let mut history = Self {
            asked: Asked::new(&defined("web"), &defined("work")),
            ran: BTreeSet::new(),
            said: BTreeSet::new(),
            since: jiff::Timestamp::UNIX_EPOCH,
        };
        history.check(&server);
        history
    }

    /// A server's life: it finds everything as it was acknowledged, is asked for more, and is killed meanwhile.
    fn round(&mut self, data: &Path, random: &mut Random) -> Duration {
        if random.below(4) == 0 {
            let server = Server::start_on(data);
            live(random.length(SHORT_LIFE));
            server.kill();
        }
        let server = Server::start_on(data);
        self.check(&server);
        let (client, life) = (Client::of(&server), random.length(LIFE));
        std::thread::scope(|scope| {
            self.asked.ask_all(scope, &client);
            live(life);
            self.ran.extend(rest::running(&client));
            server.kill();
        });
        life
    }

    /// Waits until everything has come to rest, and compares it with what was asked for.
    fn check(&mut self, server: &Server) {
        let client = Client::of(server);
        let service = rest::service_at_rest(&client);
        let tasks = rest::running(&client);
        let again: Vec<_> = tasks.intersection(&self.ran).collect();
        assert!(
            again.is_empty(),
            "these ran before the server was killed, and run again: {again:?}"
        );
        self.asked
            .counts
            .settle(service["desiredCount"].as_u64().expect("a number"), count_of);
        let (version, key) = rest::told_by_all(server.http, &tasks);
        self.asked.versions.settle(version, |number| number);
        self.asked.secrets.settle(key, |number| number);
        let kept = rest::kept(&client);
        self.asked.data.settle(kept, |number| number);
        rest::deployments(&client, &self.asked.deployments);
        rest::stops(&client, &self.asked.stops);
        rest::runs(&client, &self.asked.runs);
        self.check_attempts(&client);
        self.asked.forget_acknowledged();
        self.ran.extend(tasks);
    }

    /// An attempt says who it is when it runs: each says so once.
    fn check_attempts(&mut self, client: &Client) {
        let now = jiff::Timestamp::now();
        for id in rest::attempts_that_ran(client, self.since) {
            assert!(self.said.insert(id.clone()), "the task {id} ran twice");
        }
        self.since = now;
    }
}

impl std::fmt::Display for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {} attempts of runs in all", self.asked, self.said.len())
    }
}

/// The moment is what is tested: nothing is waited for.
fn live(life: Duration) {
    let end = std::time::Instant::now() + life;
    while let Some(left) = end.checked_duration_since(std::time::Instant::now()) {
        std::thread::park_timeout(left);
    }
}

/// Numbers that a seed repeats (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn length(&mut self, longest: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(longest.as_micros()).expect("short")))
    }
}
