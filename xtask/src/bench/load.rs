//! Load: a closed loop for saturation, and a fixed rate for latency (a closed loop would hide queueing).
//!
//! The client is as thin as it can be, so that it leaves the machine to the server: one write and as many
//! reads as it takes, over kept-alive connections.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior};

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is sent, where to.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    address: SocketAddr,
    request: Vec<u8>,
}

impl Target {
    pub(crate) fn get(address: SocketAddr, host: &str, path: &str) -> Self {
        Self {
            address,
            request: format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes(),
        }
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Answers with status 200.
    pub(crate) answered: u64,
    /// Anything else.
    pub(crate) failed: u64,
    latencies: Vec<Duration>,
}

impl Outcome {
    fn note(&mut self, status: Result<u16>, latency: Duration) {
        match status {
            Ok(200) => {
                self.answered += 1;
                self.latencies.push(latency);
            }
            _ => self.failed += 1,
        }
    }

    fn add(&mut self, other: Self) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.latencies.extend(other.latencies);
    }

    /// The latency that this share of the answers was within.
    pub(crate) fn quantile(&mut self, share: f64) -> Duration {
        quantile(&mut self.latencies, share)
    }
}

/// The duration that this share of those that were measured is within.
pub(crate) fn quantile(measured: &mut [Duration], share: f64) -> Duration {
    measured.sort_unstable();
    let last = measured.len().saturating_sub(1);
    let index = ((measured.len() as f64 * share).ceil() as usize)
        .saturating_sub(1)
        .min(last);
    measured.get(index).copied().unwrap_or_default()
}

/// As many requests as `connections` get answered one after another, for a while.
pub(crate) async fn saturate(target: &Target, connections: usize, during: Duration) -> Result<Outcome> {
    let end = Instant::now() + during;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let target = target.clone();
        clients.spawn(async move {
            let mut outcome = Outcome::default();
            let mut connection = Connection::open(target.address).await?;
            while Instant::now() < end {
                let begin = Instant::now();
                let status = connection.ask(&target.request).await;
                if status.is_err() {
                    connection = Connection::open(target.address).await?;
                }
                outcome.note(status, begin.elapsed());
            }
            Ok::<_, anyhow::Error>(outcome)
        });
    }
    let mut sum = Outcome::default();
    while let Some(outcome) = clients.join_next().await {
        sum.add(outcome??);
    }
    Ok(sum)
}

/// A request every so often, whether or not the last one was answered, for a while; latency counts from when it was
/// due.
pub(crate) async fn at_rate(target: &Target, per_second: u32, during: Duration) -> Result<Outcome> {
    at_rate_until(target, per_second, tokio::time::sleep(during)).await
}

/// The same until something has ended.
pub(crate) async fn at_rate_until(
    target: &Target,
    per_second: u32,
    over: impl Future<Output = ()>,
) -> Result<Outcome> {
    tokio::pin!(over);
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (idle, mut returned) = tokio::sync::mpsc::unbounded_channel::<Connection>();
    let mut requests = tokio::task::JoinSet::new();
    let mut outcome = Outcome::default();
    loop {
        let due = tokio::select! {
            biased;
            () = &mut over => break,
            due = ticks.tick() => due,
        };
        let (target, idle, kept) = (target.clone(), idle.clone(), returned.try_recv().ok());
        requests.spawn(async move {
            let answered = async {
                let mut connection = match kept {
                    Some(connection) => connection,
                    None => Connection::open(target.address).await?,
                };
                let status = connection.ask(&target.request).await?;
                // The receiver lives as long as the load.
                let _ = idle.send(connection);
                Ok(status)
            };
            (answered.await, due.elapsed())
        });
        while let Some(done) = requests.try_join_next() {
            let (status, latency) = done?;
            outcome.note(status, latency);
        }
    }
    while let Some(done) = requests.join_next().await {
        let (status, latency) = done?;
        outcome.note(status, latency);
    }
    Ok(outcome)
}

/// One request; its status.
pub(crate) async fn once(target: &Target) -> Result<u16> {
    Connection::open(target.address).await?.ask(&target.request).await
}

/// Connections that were used once and are kept open.
pub(crate) struct Held(#[expect(dead_code, reason = "held open until dropped")] Vec<Connection>);

impl Held {
    pub(crate) async fn open(target: &Target, count: usize) -> Result<Self> {
        let mut held = Vec::with_capacity(count);
        for _ in 0..count {
            let mut connection = Connection::open(target.address).await?;
            connection.ask(&target.request).await?;
            held.push(connection);
        }
        Ok(Self(held))
    }
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(4096),
        })
    }

    async fn ask(&mut self, request: &[u8]) -> Result<u16> {
        tokio::time::timeout(PATIENCE, self.exchange(request))
            .await
            .context("no answer")?
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the connection was closed");
            }
            if let Some(status) = whole_answer(&self.buffer)? {
                return Ok(status);
            }
        }
    }
}

/// The status, when the answer has come to its end.
fn whole_answer(bytes: &[u8]) -> Result<Option<u16>> {
    let Some(head_end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let (head, body) = bytes.split_at(head_end + 4);
    let head = std::str::from_utf8(head)?.to_ascii_lowercase();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse().ok())
        .context("no status line")?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let whole = match length {
        Some(length) => body.len() >= length.trim().parse::<usize>()?,
        None => body.ends_with(b"0\r\n\r\n"),
    };
    Ok(whole.then_some(status))
}
