//! The command line of a test: one call, its output and how it ended.

use std::ffi::OsStr;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// `wharf`, with nothing of the tester's own environment.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    for name in [
        "WHARF_API",
        "WHARF_DATA",
        "WHARF_LOG",
        "WHARF_NAMESPACE",
        "WHARF_TOKEN",
    ] {
        command.env_remove(name);
    }
    command
}

/// Calls against one server.
#[derive(Clone)]
pub(crate) struct Wharf {
    api: SocketAddr,
    data: PathBuf,
    token: Option<String>,
    namespace: Option<String>,
}

impl Wharf {
    pub(crate) fn new(api: SocketAddr, data: &Path) -> Self {
        Self {
            api,
            data: data.to_owned(),
            token: None,
            namespace: None,
        }
    }

    /// As someone else.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// In another namespace.
    pub(crate) fn in_namespace(&self, namespace: &str) -> Self {
        Self {
            namespace: Some(namespace.to_owned()),
            ..self.clone()
        }
    }

    /// Call, and get whatever comes of it.
    pub(crate) fn call<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Ended {
        Ended::of(self.command(words).output().expect("wharf starts"))
    }

    /// Call, and get standard output of what has to succeed.
    pub(crate) fn ok<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> String {
        let ended = self.call(words);
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.stdout
    }

    /// Call with `--output json`.
    pub(crate) fn json<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Value {
        let text = self.ok(words.into_iter().chain(["--output", "json"]));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    /// Call with something on standard input.
    pub(crate) fn with_input<'a>(&self, words: impl IntoIterator<Item = &'a str>, input: &str) -> Ended {
        let mut child = self.spawn(words);
        child
            .stdin
            .take()
            .expect("piped")
            .write_all(input.as_bytes())
            .expect("it reads");
        Ended::of(child.wait_with_output().expect("it is our child"))
    }

    /// Start, with all three streams piped.
    pub(crate) fn spawn<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Child {
        self.command(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts")
    }

    fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = command();
        command
            .env("WHARF_API", format!("http://{}", self.api))
            .env("WHARF_DATA", &self.data)
            .stdin(Stdio::null());
        if let Some(token) = &self.token {
            command.env("WHARF_TOKEN", token);
        }
        if let Some(namespace) = &self.namespace {
            command.env("WHARF_NAMESPACE", namespace);
        }
        command.args(words);
        command
    }
}

/// What came of a call.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it ended by itself"),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// The call has to have failed with this code and have said all of this.
    #[track_caller]
    pub(crate) fn failed_saying(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(
                self.stderr.contains(word),
                "{word:?} is missing in:\n{}",
                self.stderr
            );
        }
    }
}
