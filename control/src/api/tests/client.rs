//! A server on free ports, and as much of an HTTP client as its tests need.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wharf_runtime::CompilerCommand;

use crate::secrets::MasterKeySource;
use crate::server::{ApiReach, ServeConfig, ServeError, Server};
use crate::store::StoreError;
use crate::tokens::ADMIN_TOKEN_FILE;

/// The longest an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server's configuration over a directory.
pub(crate) fn config(data: &Path) -> ServeConfig {
    ServeConfig {
        data: data.to_owned(),
        api: "127.0.0.1:0".parse().unwrap(),
        reach: ApiReach::Loopback,
        http: "127.0.0.1:0".parse().unwrap(),
        master_key: MasterKeySource::DataDirectory(data.to_owned()),
        cpu_overcommit: 16.0,
        memory_overcommit: 4.0,
        // Nothing is compiled here.
        compiler: CompilerCommand {
            program: "/nonexistent/compiler".into(),
            args: Vec::new(),
        },
        serve: tokio::runtime::Handle::current(),
    }
}

/// Builds a server. One that ran here before lets go of the store a moment after it has ended, as tasks of
/// the same runtime do; a process takes them with it.
async fn build(data: &Path) -> Server {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match Server::build(config(data)).await {
            Err(ServeError::Store(StoreError::Locked { .. })) if tokio::time::Instant::now() < deadline => {
                tokio::task::yield_now().await;
            }
            built => return built.unwrap(),
        }
    }
}

/// A server that runs.
pub(crate) struct Running {
    pub(crate) api: SocketAddr,
    admin_token: String,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    pub(crate) async fn start(data: &Path) -> Self {
        let server = build(data).await;
        let admin_token = std::fs::read_to_string(data.join(ADMIN_TOKEN_FILE))
            .unwrap()
            .trim()
            .to_owned();
        let (stop, stopped) = oneshot::channel();
        let api = server.api_addr();
        let running = tokio::spawn(server.run(async {
            // A test that fails stops its server too.
            let _ = stopped.await;
        }));
        Self {
            api,
            admin_token,
            stop,
            running,
        }
    }

    pub(crate) async fn stop(self) -> Result<(), ServeError> {
        self.stop.send(()).unwrap();
        tokio::time::timeout(PATIENCE, self.running)
            .await
            .unwrap()
            .unwrap()
    }

    /// As the administrator.
    pub(crate) async fn admin(&self, method: &str, path: &str, body: &str) -> Answer {
        self.call(method, path, Some(&self.admin_token), body.as_bytes())
            .await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, token: Option<&str>, body: &[u8]) -> Answer {
        self.send(method, path, token, body).await.end().await
    }

    /// As the administrator; the answer may go on.
    pub(crate) async fn begin(&self, method: &str, path: &str) -> Pending {
        self.send(method, path, Some(&self.admin_token), b"").await
    }

    async fn send(&self, method: &str, path: &str, token: Option<&str>, body: &[u8]) -> Pending {
        let mut stream = TcpStream::connect(self.api).await.unwrap();
        let token = token
            .map(|token| format!("Authorization: Bearer {token}\r\n"))
            .unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: api\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n{token}\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // A body that is refused early is not read to its end.
        let _ = stream.write_all(body).await;
        let mut first = [0];
        tokio::time::timeout(PATIENCE, stream.read_exact(&mut first))
            .await
            .unwrap()
            .unwrap();
        Pending {
            stream,
            read: first.to_vec(),
        }
    }
}

/// An answer that has begun.
pub(crate) struct Pending {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Pending {
    /// Reads to the end.
    pub(crate) async fn end(mut self) -> Answer {
        let rest = self.stream.read_to_end(&mut self.read);
        // A connection may be reset after an answer to a body that was not read.
        let _ = tokio::time::timeout(PATIENCE, rest).await.unwrap();
        let text = String::from_utf8(self.read).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            status,
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Checks that this is a refusal with a code, in the one shape there is.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        let error = self.json()["error"].clone();
        assert_eq!(error["code"], code, "{}", self.body);
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty()),
            "{}",
            self.body
        );
        assert!(
            self.head.contains("content-type: application/json"),
            "{}",
            self.head
        );
    }
}
