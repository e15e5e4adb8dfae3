//! A client's byte stream: TCP, or TLS over it.
//!
//! It tells the protocol by the first bytes, has HTTP/1 requests [inspected](intake) before hyper sees them, notes for
//! [`Pace`] what happens, and closes so that the last answer arrives.

mod intake;

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    time::Sleep,
};
use tokio_rustls::server::TlsStream;

use self::intake::Intake;
use super::pace::Pace;
use crate::listener::Settings;

/// What an HTTP/2 client with prior knowledge begins with (RFC 9113 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a client may go on sending after the last answer before the connection is torn down. Closing earlier
/// makes its kernel throw the answer away (RFC 9112 9.6).
const LINGER: Duration = Duration::from_secs(2);

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// What carries a client's bytes.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Whether the client has closed, even if bytes it sent before are still unread.
    fn has_left(&self) -> bool;

    /// What the client has chosen to speak before it said anything.
    fn agreed(&self) -> Option<Protocol>;
}

impl Transport for TcpStream {
    fn has_left(&self) -> bool {
        let ready = self.ready(Interest::READABLE).now_or_never();
        ready.is_some_and(|ready| ready.is_ok_and(|ready| ready.is_read_closed()))
    }

    fn agreed(&self) -> Option<Protocol> {
        None
    }
}

impl Transport for TlsStream<TcpStream> {
    fn has_left(&self) -> bool {
        self.get_ref().0.has_left()
    }

    fn agreed(&self) -> Option<Protocol> {
        match self.get_ref().1.alpn_protocol()? {
            b"h2" => Some(Protocol::Http2),
            _ => Some(Protocol::Http1),
        }
    }
}

/// A client's stream, with its first bytes read and kept.
pub(crate) struct ClientStream<S> {
    inner: S,
    pace: Arc<Pace>,
    settings: Arc<Settings>,
    protocol: Protocol,
    first: First,
    intake: Intake,
    lingering: Option<Pin<Box<Sleep>>>,
}

/// What was read to tell the protocol, and has not been passed on.
#[derive(Default)]
struct First {
    bytes: [u8; PREFACE.len()],
    from: usize,
    to: usize,
}

impl First {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.from..self.to).unwrap_or_default()
    }

    /// Fills `buf` from here and tells whether there was anything.
    fn take(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let count = self.rest().len().min(buf.remaining());
        buf.put_slice(self.rest().get(..count).unwrap_or_default());
        self.from += count;
        count > 0
    }
}

impl<S: Transport> ClientStream<S> {
    pub(crate) fn new(inner: S, pace: Arc<Pace>, settings: Arc<Settings>) -> Self {
        Self {
            protocol: Protocol::Http1,
            inner,
            pace,
            settings,
            first: First::default(),
            intake: Intake::default(),
            lingering: None,
        }
    }

    /// Reads until it is clear what the client speaks; false when it left before it said anything.
    pub(crate) async fn detect(&mut self) -> io::Result<bool> {
        if let Some(agreed) = self.inner.agreed() {
            self.protocol = agreed;
            return Ok(true);
        }
        loop {
            let (read, free) = self.first.bytes.split_at_mut(self.first.to);
            if !PREFACE.starts_with(read) {
                return Ok(true);
            }
            if free.is_empty() {
                self.protocol = Protocol::Http2;
                // Its heads come in frames between other frames; hyper bounds their size, idleness their time.
                self.pace.head_ended();
                return Ok(true);
            }
            match self.inner.read(free).await? {
                // A short request such as `P` and then the end: HTTP/1 has to say what is wrong with it.
                0 => return Ok(self.first.to > 0),
                count => self.first.to += count,
            }
            self.pace.read();
        }
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn note_written(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Pending => self.pace.write_blocked(),
            Poll::Ready(_) => self.pace.written(),
        }
    }

    /// Reads on after the last answer, for a while, so that the client gets to read it.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let timer = self
            .lingering
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        let mut scrap = [0; 4096];
        loop {
            if timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buf = ReadBuf::new(&mut scrap);
            match ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {}
                // The end, or a client that is gone: nobody left to wait for.
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl<S: Transport> AsyncRead for ClientStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.protocol {
            Protocol::Http1 => this.poll_inspected(cx, buf),
            Protocol::Http2 if this.first.take(buf) => Poll::Ready(Ok(())),
            Protocol::Http2 => Pin::new(&mut this.inner).poll_read(cx, buf),
        }
    }
}

impl<S: Transport> AsyncWrite for ClientStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.note_written(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.note_written(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    /// hyper flushes whenever the connection is polled, which makes this the place to look.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.pace.is_to_look() && self.inner.has_left() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.inner).poll_shutdown(cx))?;
        }
        if self.pace.handoff.left_unread() {
            self.poll_linger(cx)
        } else {
            Poll::Ready(Ok(()))
        }
    }
}
